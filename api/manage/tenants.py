"""Tenants, with their policies in the words of the configuration file."""

from typing import Any

from api.manage.fields import StructField, actor_of, fraction_told, problems_refuse
from api.manage.rows import RowSerializer
from api.manage.views import RowsView
from gateway.errors import Forbidden
from providers.configuration import schema
from providers.configuration.names import names_check
from providers.configuration.problems import ConfigurationRefused, path_join
from providers.configuration.pruning import known_stored
from providers.configuration.tenancy import policy_set
from tenants.models import Policy, Tenant
from tenants.tenancy import tenant_delete


class PolicyField(StructField):
    """How a tenant's calls are treated; what is not said of it stays."""

    form = schema.Policy

    def get_attribute(self, instance: Tenant) -> dict[str, Any]:
        """The policy as the file writes it, with what holds by default."""
        row = getattr(instance, "policy", None) or Policy(tenant=instance)
        return {
            "cache": row.cache,
            "cache_seconds": row.cache_seconds,
            "semantic": {"model": row.semantic_model, "threshold": fraction_told(row.semantic_threshold)},
            "prompt_cache": row.prompt_cache,
            "queue_seconds": row.queue_seconds,
            "queue_length": row.queue_length,
            "over_budget": row.over_budget,
            "books_away": row.books_away,
            "sensitivity": {
                "action": row.sensitivity_action,
                "threshold": fraction_told(row.sensitivity_threshold),
            },
            "log_content": row.log_content,
            "tags": row.tags,
        }


class TenantSerializer(RowSerializer[Tenant]):
    """A tenant."""

    policy = PolicyField(required=False)
    for_operators = ("name", "markup_bps", "blocked")

    class Meta:
        model = Tenant
        fields = (
            "id",
            "name",
            "title",
            "time_zone",
            "blocked",
            "markup_bps",
            "default_chat_model",
            "default_embedding_model",
            "policy",
            "made_on_first_use",
            "created_at",
        )
        read_only_fields = ("id", "made_on_first_use", "created_at")

    def check(self, attrs: dict[str, Any]) -> None:
        """Whoever says something of the policy may, and the models that it names are there."""
        wanted = attrs.get("policy")
        if wanted is None:
            return
        if not actor_of(self.context["request"]).permits("policies", "change"):
            raise Forbidden("Your role does not allow that here.", param="policy")
        name = self.candidate.name
        file = schema.Configuration(tenants={name: schema.Tenant(policy=wanted)})
        problems_refuse(names_check(file, known_stored(file, prune=False)), path_join("tenants", name))

    def create(self, validated_data: dict[str, Any]) -> Tenant:
        """Store the tenant and its policy."""
        return self._treated(super().create(validated_data), validated_data)

    def update(self, instance: Tenant, validated_data: dict[str, Any]) -> Tenant:
        """Store what was changed, and of the policy what was said."""
        return self._treated(super().update(instance, validated_data), validated_data)

    def _treated(self, tenant: Tenant, attrs: dict[str, Any]) -> Tenant:
        try:
            if "policy" in attrs:
                policy_set(tenant=tenant, wanted=attrs["policy"])
        except ConfigurationRefused as error:
            problems_refuse(error.problems, "")
        return tenant


class TenantsView(RowsView):
    """Who calls: a customer or department whose calls, spending and data are kept apart."""

    noun = "tenants"
    queryset = Tenant.objects.select_related("policy")
    serializer_class = TenantSerializer
    tenant_paths = ("pk",)
    address = {"name": "name"}

    def delete_row(self, row: Tenant) -> None:
        """A tenant goes with all that is its own, once it is blocked."""
        tenant_delete(tenant=row)
