"""Providers, and their keys, whose secrets go in and never come out."""

from typing import Any

from django.core.validators import RegexValidator
from rest_framework import serializers

from api.manage.fields import RowField, actor_of
from api.manage.projects import tenant_field
from api.manage.rows import RowSerializer
from api.manage.strict import TextField
from api.manage.views import RowsView
from providers.keys import provider_key_secret_set
from providers.models import Provider, ProviderKey

_ENVELOPE = "g1:"
_LONGEST_SECRET = 10_000
_NO_ENVELOPE = RegexValidator(
    rf"^\s*{_ENVELOPE}", "Write the secret itself, env:NAME or file:PATH.", inverse_match=True
)
"""An envelope is nothing that anybody holds in hand."""


class ProviderSerializer(RowSerializer[Provider]):
    """A provider."""

    tenant = tenant_field(required=False, allow_null=True)
    together = (
        {
            "anyOf": [
                {"properties": {"wire": {"enum": ["echo", "litellm"]}}, "required": ["wire"]},
                {"properties": {"base_url": {"minLength": 1}}, "required": ["base_url"]},
            ]
        },
    )

    class Meta:
        model = Provider
        fields = (
            "id",
            "name",
            "tenant",
            "wire",
            "base_url",
            "kind",
            "security_level",
            "default_model",
            "connect_timeout_ms",
            "first_byte_timeout_ms",
            "idle_timeout_ms",
            "total_timeout_ms",
            "headers",
            "blocked",
            "includes_usage",
            "has_responses",
            "bills_to_end",
            "created_at",
        )
        read_only_fields = ("id", "created_at")


class ProvidersView(RowsView):
    """Hosts that run models."""

    noun = "providers"
    queryset = Provider.objects.select_related("tenant")
    serializer_class = ProviderSerializer
    tenant_paths = ("tenant",)
    address = {"name": "name"}
    filters = {"tenant": "tenant"}


class ProviderKeySerializer(RowSerializer[ProviderKey]):
    """A provider's key; its secret is only written, and left out it stays."""

    provider = RowField(Provider.objects.all(), noun="providers", paths=("tenant",), lookups=("name",))
    tenant = tenant_field(required=False, allow_null=True)
    secret = TextField(write_only=True, max_length=_LONGEST_SECRET, validators=[_NO_ENVELOPE])
    secret_from = serializers.SerializerMethodField()
    fixed = ("provider",)

    class Meta:
        model = ProviderKey
        fields = (
            "id",
            "provider",
            "tenant",
            "name",
            "secret",
            "secret_from",
            "last_four",
            "rpm",
            "tpm",
            "parallel",
            "blocked",
            "created_at",
        )
        read_only_fields = ("id", "last_four", "created_at")

    def get_secret_from(self, key: ProviderKey) -> str:
        """Where the secret is: stored here, or at a reference, which operators are told."""
        if key.secret.startswith(_ENVELOPE):
            return "stored"
        runs = actor_of(self.context["request"]).may("provider-keys", "change", None)
        return key.secret if runs else key.secret.partition(":")[0]

    def validate(self, attrs: Any) -> Any:
        """Seal the secret before the row is checked: the plain one goes no further."""
        if "secret" in attrs:
            sealed = ProviderKey()
            provider_key_secret_set(key=sealed, secret=attrs["secret"])
            attrs |= {"secret": sealed.secret, "last_four": sealed.last_four}
        return super().validate(attrs)


class ProviderKeysView(RowsView):
    """What opens a provider, and the limits that the provider puts on it."""

    noun = "provider-keys"
    queryset = ProviderKey.objects.select_related("provider", "tenant")
    serializer_class = ProviderKeySerializer
    tenant_paths = ("tenant", "provider__tenant")
    address = {"provider": "provider__name", "name": "name"}
    filters = {"provider": "provider", "tenant": "tenant"}
