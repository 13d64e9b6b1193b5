"""Tenants."""

from api.manage.rows import RowSerializer
from api.manage.views import RowsView
from tenants.models import Tenant
from tenants.tenancy import tenant_delete


class TenantSerializer(RowSerializer[Tenant]):
    """A tenant."""

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
            "made_on_first_use",
            "created_at",
        )
        read_only_fields = ("id", "made_on_first_use", "created_at")


class TenantsView(RowsView):
    """Who calls: a customer or department whose calls, spending and data are kept apart."""

    noun = "tenants"
    queryset = Tenant.objects.all()
    serializer_class = TenantSerializer
    tenant_paths = ("pk",)
    address = {"name": "name"}

    def delete_row(self, row: Tenant) -> None:
        """A tenant goes with all that is its own, once it is blocked."""
        tenant_delete(tenant=row)
