"""Keys: issued, rotated and revoked; the key itself is in the answer to that, once, and nowhere else."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from api.manage.actors import Actor
from api.manage.bounds import class_field, project_field
from api.manage.errors import Conflict
from api.manage.fields import actor_of
from api.manage.projects import tenant_field
from api.manage.rows import RowSerializer, StrictFields
from api.manage.strict import WholeField
from api.manage.views import RowsView
from gateway.errors import Forbidden
from tenants.admin.keys import key_state
from tenants.keys import key_issue, key_name_check, key_revoke, key_rotate
from tenants.models import ApiKey, Tenant
from tenants.roles import PLATFORM_ROLES, TENANT_ROLES, roles_givable

_LONGEST_GRACE = int(timedelta(days=90).total_seconds())
_USUAL_GRACE = int(timedelta(days=1).total_seconds())
_TOLD = (
    "id",
    "prefix",
    "last_four",
    "state",
    "grace_until",
    "rotated_from",
    "last_used_at",
    "created_at",
)


class GrantedField(serializers.ListField):
    """The tenants that a platform key may act for."""

    child = tenant_field()

    def get_attribute(self, instance: Any) -> list[Tenant]:
        """Those of the key's row."""
        return list(instance.granted_tenants.all())


class KeySerializer(RowSerializer[ApiKey]):
    """A key as it may be seen."""

    tenant = tenant_field(required=False, allow_null=True)
    project = project_field(required=False, allow_null=True)
    per_user_class = class_field(required=False, allow_null=True)
    granted_tenants = GrantedField(required=False)
    state = serializers.SerializerMethodField()
    fixed = ("tenant",)
    unchecked = ("digest", "pepper")
    together = (
        {
            "anyOf": [
                {
                    "description": "A key of a tenant.",
                    "properties": {
                        "tenant": {"type": "string"},
                        "roles": {"items": {"enum": [*TENANT_ROLES]}},
                        "all_tenants": {"const": False},
                        "granted_tenants": {"maxItems": 0},
                    },
                    "required": ["tenant"],
                },
                {
                    "description": "A key of the platform.",
                    "properties": {
                        "tenant": {"type": "null"},
                        "project": {"type": "null"},
                        "roles": {"items": {"enum": [*PLATFORM_ROLES]}},
                    },
                },
            ]
        },
    )
    secret = ""
    """The key in plain, between being issued and being answered."""

    class Meta:
        model = ApiKey
        fields = (
            "tenant",
            "name",
            "project",
            "models",
            "networks",
            "expires_at",
            "per_user_class",
            "priority",
            "roles",
            "all_tenants",
            "granted_tenants",
            *_TOLD,
        )
        read_only_fields = _TOLD

    def get_state(self, key: ApiKey) -> str:
        """Whether it opens doors."""
        return key_state(key)

    def check(self, attrs: dict[str, Any]) -> None:
        """What the table could refuse only while the key is being stored."""
        key = self.candidate
        if key.blocked:
            raise Conflict("A revoked key is history: issue another one.")
        if key.tenant_id is not None and attrs.get("granted_tenants"):
            raise serializers.ValidationError(
                {"granted_tenants": ["Only platform keys act for other tenants."]}
            )
        if key.grace_until is None:
            key_name_check(tenant=key.tenant, name=key.name, besides=key)

    def validate(self, attrs: Any) -> Any:
        """Whoever may make or change keys gives no roles beyond their own."""
        attrs = super().validate(attrs)
        giving_check(actor_of(self.context["request"]), self.candidate)
        return attrs

    def create(self, validated_data: dict[str, Any]) -> ApiKey:
        """Issue it."""
        given = {"tenant": None, **validated_data}
        key, self.secret = key_issue(**given)
        return key

    def update(self, instance: ApiKey, validated_data: dict[str, Any]) -> ApiKey:
        """Change what it may do."""
        key = super().update(instance, validated_data)
        if "granted_tenants" in validated_data:
            key.granted_tenants.set(validated_data["granted_tenants"])
        return key


def giving_check(actor: Actor, key: ApiKey) -> None:
    """Refuse to hand out, in a key of a tenant, roles that the actor could not give."""
    if key.tenant_id is None or actor.runs(key.tenant_id):
        return
    if not roles_givable(key.roles, by=actor.roles_in(key.tenant_id)):
        raise Forbidden("Of a key's roles you give those that you have yourself.", param="roles")


class RotationSerializer(StrictFields, serializers.Serializer[Any]):
    """How long the old key stays good."""

    grace_seconds = WholeField(min_value=0, max_value=_LONGEST_GRACE, default=_USUAL_GRACE)


class RevocationSerializer(StrictFields, serializers.Serializer[Any]):
    """There is nothing to say about it."""


class KeysView(RowsView):
    """What opens the doors. A key is shown once: in the answer to its issue, or to its rotation."""

    noun = "keys"
    queryset = ApiKey.objects.select_related("tenant", "project__tenant", "per_user_class").prefetch_related(
        "granted_tenants"
    )
    serializer_class = KeySerializer
    tenant_paths = ("tenant",)
    filters = {"tenant": "tenant", "project": "project"}

    def told(self, serializer: Any) -> Any:
        """The key, with its secret if it was just issued."""
        told = super().told(serializer)
        return {**told, "secret": serializer.secret} if serializer.secret else told

    def get_serializer_class(self) -> type[Any]:
        """What the deed asks for."""
        deeds = {"rotate": RotationSerializer, "revoke": RevocationSerializer}
        return deeds.get(self.action or "", KeySerializer)

    def rotate(self, request: Request, **_: Any) -> Response:
        """Issue the successor of a live key."""
        key = self._asked("rotate")
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        giving_check(actor_of(request), key)
        if key_state(key) != "live":
            raise Conflict("Only a live key can be rotated.")
        new, secret = key_rotate(key=key, grace_seconds=asked.validated_data["grace_seconds"])
        return Response({**self._told(new.pk), "secret": secret}, status=status.HTTP_201_CREATED)

    def revoke(self, request: Request, **_: Any) -> Response:
        """Refuse the key from now on, however often this is asked."""
        key = self._asked("revoke")
        self.get_serializer(data=request.data).is_valid(raise_exception=True)
        key_revoke(key=key)
        return Response(self._told(key.pk))

    def _asked(self, deed: str) -> ApiKey:
        key: ApiKey = self.get_object()
        self.check_row(deed, key)
        return key

    def _told(self, identifier: UUID) -> dict[str, Any]:
        key = self.get_queryset().get(pk=identifier)
        return dict(KeySerializer(key, context=self.get_serializer_context()).data)
