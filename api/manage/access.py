"""How a request is let in: by a platform key, or by a session with its CSRF token; nobody is anonymous."""

from typing import Any, cast

from django.conf import settings
from django.contrib.auth.models import User
from msgspec import Struct
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, MethodNotAllowed, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from api.hosts import Hosts
from api.manage.actors import Actor, key_actor, person_actor
from api.origin import check_web_origin, read_credential
from gateway.errors import Forbidden, ForeignOrigin, Unauthenticated
from tenants.principals import key_recognise

_CREDENTIALS = ("authorization", "x-api-key", "api-key")


class KeyHolder(Struct, frozen=True, kw_only=True):
    """Whoever holds a key, in the place of a person."""

    username: str
    is_authenticated: bool = True
    is_active: bool = True

    def __str__(self) -> str:
        return self.username


class KeyAuthentication(BaseAuthentication):
    """By a platform key, in any of the headers that the other doors take keys from."""

    def authenticate(self, request: Request) -> tuple[KeyHolder, Actor] | None:
        """The key's holder; None without a key."""
        sent = {
            name.encode(): request.headers[name].encode() for name in _CREDENTIALS if name in request.headers
        }
        credential = read_credential(sent)
        if not credential:
            return None
        try:
            key = key_recognise(credential=credential, address=request.META.get("REMOTE_ADDR", ""))
            return KeyHolder(username=key.name), key_actor(key=key, tenant_name=_tenant_name(request))
        except Unauthenticated as error:
            raise AuthenticationFailed(error.message) from None
        except Forbidden as error:
            raise PermissionDenied(error.message) from None

    def authenticate_header(self, request: Request) -> str:
        """What a 401 asks for."""
        return "Bearer"


class PersonAuthentication(SessionAuthentication):
    """By the admin's session; a page of another site is refused even when it only reads."""

    def authenticate(self, request: Request) -> tuple[User, Actor] | None:
        """The person who is signed in; None if nobody is."""
        found = cast(tuple[User, None] | None, super().authenticate(request))
        if found is None:
            return None
        user, _ = found
        try:
            if (origin := request.headers.get("Origin")) is not None:
                check_web_origin(origin.encode(), Hosts(settings.ALLOWED_HOSTS))
            return user, person_actor(user=user, tenant_name=_tenant_name(request))
        except (Forbidden, ForeignOrigin) as error:
            raise PermissionDenied(error.message) from None


class RolePermission(BasePermission):
    """Refuses what the actor's roles allow on no row at all; rows are judged one by one."""

    message = "Your role does not allow that."

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether the actor may do this to some row."""
        actor = request.auth
        if not isinstance(actor, Actor):
            return False
        asked = view.actions_asked()
        if not asked:
            raise MethodNotAllowed(str(request.method))
        return any(actor.may_somewhere(view.noun, action) for action in asked)


def _tenant_name(request: Request) -> str:
    return str(request.headers.get("X-Tenant-ID", "")).strip()
