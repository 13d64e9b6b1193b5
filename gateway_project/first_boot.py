"""What the environment asks for at the first start."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError

from tenants.keys import key_issue
from tenants.models import ApiKey
from tenants.secrets import key_digest, peppers

_ADMIN_KEY = "admin"


def first_boot() -> None:
    """Make the platform key of `GATEWAY_ADMIN_TOKEN`, once; before migrations there is nowhere to put it."""
    token = settings.GATEWAY_ADMIN_TOKEN
    if not token:
        return
    try:
        known = _is_known(token)
    except DatabaseError:
        return
    if not known:
        _make(token)


def _make(token: str) -> None:
    try:
        key_issue(tenant=None, name=_ADMIN_KEY, secret=token, roles=["operator"], all_tenants=True)
    except (IntegrityError, ValidationError):
        if not _is_known(token):  # another process, which starts just now, was quicker
            raise


def _is_known(token: str) -> bool:
    digests = [key_digest(key=token, pepper=pepper) for pepper in peppers().keys.values()]
    return ApiKey.objects.filter(digest__in=digests).exists()
