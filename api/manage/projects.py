"""Projects."""

from api.manage.fields import RowField
from api.manage.rows import RowSerializer
from api.manage.views import RowsView
from tenants.models import Project, Tenant


def tenant_field(**options: bool) -> RowField:
    """The tenant that a row belongs to."""
    return RowField(Tenant.objects.all(), noun="tenants", paths=("pk",), lookups=("name",), **options)


class ProjectSerializer(RowSerializer[Project]):
    """A project."""

    tenant = tenant_field()
    fixed = ("tenant",)

    class Meta:
        model = Project
        fields = ("id", "tenant", "name", "cost_centre", "blocked", "created_at")
        read_only_fields = ("id", "created_at")


class ProjectsView(RowsView):
    """Parts of tenants whose spending is told apart."""

    noun = "projects"
    queryset = Project.objects.select_related("tenant")
    serializer_class = ProjectSerializer
    tenant_paths = ("tenant",)
    address = {"tenant": "tenant__name", "name": "name"}
    filters = {"tenant": "tenant"}
