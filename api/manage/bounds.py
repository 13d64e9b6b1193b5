"""Limits and budgets: each bounds one tenant, project, key, end user or class."""

from typing import Any

from rest_framework import serializers

from api.manage.fields import RowField, ScaledField, agreed
from api.manage.projects import tenant_field
from api.manage.rows import RowSerializer
from api.manage.views import RowsView
from tenants.models import ApiKey, Budget, EndUser, Limit, LimitClass, Project
from tenants.money import NANO

_OWNERS = ("tenant", "project", "key", "end_user")
_OWNER_PATHS = ("tenant", "project__tenant", "key__tenant", "end_user__tenant")
_WINDOW: dict[str, Any] = {
    "anyOf": [
        {"properties": {"unit": {"const": "concurrency"}, "window": {"const": ""}}},
        {
            "properties": {"unit": {"not": {"const": "concurrency"}}, "window": {"not": {"const": ""}}},
            "required": ["window"],
        },
    ]
}
_BURSTS = ("burst_calls", "burst_seconds")
_BURST: dict[str, Any] = {
    "anyOf": [
        {"properties": {name: {"type": "null"} for name in _BURSTS}},
        {"properties": {name: {"type": "integer"} for name in _BURSTS}, "required": [*_BURSTS]},
    ]
}
_ALONE: dict[str, Any] = {"required": False, "allow_null": True}


def project_field(**options: Any) -> RowField:
    """A project, named with its tenant."""
    lookups = ("tenant__name", "name")
    rows = Project.objects.select_related("tenant")
    return RowField(rows, noun="projects", paths=("tenant",), lookups=lookups, **options)


def class_field(**options: Any) -> RowField:
    """A class of limits; all may choose one."""
    return RowField(LimitClass.objects.all(), lookups=("name",), **options)


def one_of(*owners: str) -> dict[str, Any]:
    """That one of these is there, and no other."""
    return {
        "oneOf": [{"properties": {owner: {"type": "string"}}, "required": [owner]} for owner in owners],
    }


class _BoundSerializer(RowSerializer[Any]):
    """A limit or a budget with its owner."""

    tenant = tenant_field(**_ALONE)
    project = project_field(**_ALONE)
    key = RowField(ApiKey.objects.all(), noun="keys", paths=("tenant",), **_ALONE)
    end_user = RowField(EndUser.objects.all(), noun="tenants", paths=("tenant",), **_ALONE)

    def check(self, attrs: dict[str, Any]) -> None:
        """Say which owner to choose, where the table could only say that its constraint is violated."""
        owners = self.fixed
        if sum(getattr(self.candidate, owner) is not None for owner in owners) != 1:
            raise serializers.ValidationError(f"Write exactly one of {', '.join(owners)}.")


class LimitSerializer(_BoundSerializer):
    """A limit."""

    limit_class = class_field(**_ALONE)
    fixed = (*_OWNERS, "limit_class")
    together = (one_of(*_OWNERS, "limit_class"), _WINDOW, _BURST)

    class Meta:
        model = Limit
        fields = (
            "id",
            *_OWNERS,
            "limit_class",
            "model",
            "amount",
            "unit",
            "window",
            "burst_calls",
            "burst_seconds",
            "cooldown_seconds",
            "note",
            "created_at",
        )
        read_only_fields = ("id", "created_at")


class BudgetSerializer(_BoundSerializer):
    """A budget, in dollars and in nano-dollars."""

    amount_usd = ScaledField(column="amount_nano", scale=NANO, required=False)
    fixed = _OWNERS
    together = (one_of(*_OWNERS), {"anyOf": [{"required": ["amount_usd"]}, {"required": ["amount_nano"]}]})

    class Meta:
        model = Budget
        fields = (
            "id",
            *_OWNERS,
            "model",
            "amount_usd",
            "amount_nano",
            "window",
            "hard",
            "alert_percents",
            "created_at",
        )
        read_only_fields = ("id", "created_at")
        extra_kwargs = {"amount_nano": {"required": False}}

    def validate(self, attrs: Any) -> Any:
        """One amount, in whichever unit."""
        agreed(attrs, scaled="amount_usd", whole="amount_nano", needed=self.instance is None)
        return super().validate(attrs)


class _BoundsView(RowsView):
    tenant_paths = _OWNER_PATHS
    filters = {"project": "project", "key": "key"}


class LimitsView(_BoundsView):
    """How often, how much and how many at once."""

    noun = "limits"
    queryset = Limit.objects.select_related("tenant", "project__tenant", "limit_class")
    serializer_class = LimitSerializer


class BudgetsView(_BoundsView):
    """How much money, in a window."""

    noun = "budgets"
    queryset = Budget.objects.select_related("tenant", "project__tenant")
    serializer_class = BudgetSerializer
