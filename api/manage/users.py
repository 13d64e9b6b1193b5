"""End users of tenants, the classes of limits that they may have, and the models of calls that name none."""

from typing import Any

from django.db.models import QuerySet

from api.manage.bounds import class_field
from api.manage.fields import problems_refuse
from api.manage.projects import tenant_field
from api.manage.rows import RowSerializer
from api.manage.views import RowsView
from providers.configuration import schema
from providers.configuration.names import names_check
from providers.configuration.problems import path_join
from providers.configuration.pruning import known_stored
from providers.models import PlatformDefault
from tenants.models import EndUser, LimitClass


class EndUserSerializer(RowSerializer[EndUser]):
    """Somebody whom a tenant's calls are made for."""

    tenant = tenant_field()
    limit_class = class_field(required=False, allow_null=True)
    fixed = ("tenant",)

    class Meta:
        model = EndUser
        fields = ("id", "tenant", "name", "limit_class", "blocked", "created_at")
        read_only_fields = ("id", "created_at")


class LimitClassSerializer(RowSerializer[LimitClass]):
    """A class of limits; what it limits is told by `/limits`."""

    class Meta:
        model = LimitClass
        fields = ("id", "name", "created_at")
        read_only_fields = ("id", "created_at")


class DefaultSerializer(RowSerializer[PlatformDefault]):
    """The model of a kind of call."""

    fixed = ("kind",)

    class Meta:
        model = PlatformDefault
        fields = ("id", "kind", "model", "created_at")
        read_only_fields = ("id", "created_at")

    def check(self, attrs: dict[str, Any]) -> None:
        """It leads somewhere, as in the file."""
        kind = self.candidate.kind
        file = schema.Configuration(defaults=schema.Defaults(**{kind: self.candidate.model}))
        problems = names_check(file, known_stored(file, prune=False))
        problems_refuse(problems, path_join("defaults", kind), "model")


class EndUsersView(RowsView):
    """Whom tenants call for: met with their first call, or made here; blocked, or given other limits."""

    noun = "end-users"
    queryset = EndUser.objects.select_related("tenant", "limit_class")
    serializer_class = EndUserSerializer
    tenant_paths = ("tenant",)
    address = {"tenant": "tenant__name", "name": "name"}
    filters = {"tenant": "tenant", "limit_class": "limit_class"}


class LimitClassesView(RowsView):
    """Named sets of limits for end users: the platform's, for every tenant to choose from."""

    noun = "limit-classes"
    queryset = LimitClass.objects.all()
    serializer_class = LimitClassSerializer
    address = {"name": "name"}

    def get_queryset(self) -> QuerySet[Any]:
        """All of them: whoever may read this noun may choose any."""
        return self.queryset.all()


class DefaultsView(RowsView):
    """The models of calls that name none, where their tenant has no default of its own."""

    noun = "defaults"
    queryset = PlatformDefault.objects.all()
    serializer_class = DefaultSerializer
    address = {"kind": "kind"}
