"""How much may be used: limits, classes of limits, and budgets in dollars."""

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminSelectWidget

from tenants.admin.fields import DollarsField, PercentsField
from tenants.models import Budget, Limit, LimitClass
from tenants.models.budget import alert_percents_default
from tenants.money import dollars
from tenants.scoping import TenantScopedAdmin, TenantScopedInline, is_operator
from tenants.unfolded import ModelForm, display

if TYPE_CHECKING:
    from django.db.models.fields.related import RelatedField

SCOPE_PATHS = ("tenant", "project__tenant", "key__tenant", "end_user__tenant")
"""The ways in which a limit or a budget leads to its tenant."""

_OWNERS = ("tenant", "project", "key", "end_user", "limit_class")


def _choice() -> UnfoldAdminSelectWidget:
    """A choice that stays readable in a narrow table."""
    return UnfoldAdminSelectWidget(attrs={"style": "min-width: 9rem"})


def owner_of(bound: Limit | Budget) -> str:
    """What a limit or budget hangs on, as text."""
    for owner in _OWNERS:
        row = getattr(bound, owner, None)
        if row is not None:
            return f"{owner.replace('_', ' ')} {row}"
    return ""


def _owner_check(form: ModelForm[Any]) -> None:
    """Say which owner to choose, where the table could only say that its constraint is violated."""
    offered = [owner for owner in _OWNERS if owner in form.fields]
    chosen = [owner for owner in offered if form.cleaned_data.get(owner)]
    untold = any(owner in form.errors for owner in offered)
    if len(offered) > 1 and len(chosen) != 1 and not untold:
        raise ValidationError(f"Choose exactly one: {', '.join(offered).replace('_', ' ')}.")


class LimitForm(ModelForm[Limit]):
    """A limit that means something."""

    class Meta:
        model = Limit
        fields = "__all__"
        widgets = {"unit": _choice(), "window": _choice()}

    def clean(self) -> dict[str, Any]:
        """Say in words what the table's constraints demand."""
        data = super().clean() or self.cleaned_data
        unit, window = data.get("unit"), data.get("window")
        if unit == Limit.Unit.CONCURRENCY and window:
            self.add_error("window", "Calls at once have no window: leave it empty.")
        if unit and unit != Limit.Unit.CONCURRENCY and not window:
            self.add_error("window", "Say within how long.")
        if (data.get("burst_calls") is None) != (data.get("burst_seconds") is None):
            self.add_error("burst_calls", "A burst needs both its calls and its seconds.")
        _owner_check(self)
        return data


class BudgetForm(ModelForm[Budget]):
    """A budget, written in dollars."""

    amount_nano = DollarsField(label="Amount", help_text="To the nano-dollar, if need be.")
    alert_percents = PercentsField(
        label="Warn at percent",
        initial=alert_percents_default,
        help_text="Warn when so many percent are spent, such as 80, 100.",
    )

    class Meta:
        model = Budget
        fields = "__all__"
        widgets = {"window": _choice()}

    def clean(self) -> dict[str, Any]:
        """Say in words what the table's constraints demand."""
        data = super().clean() or self.cleaned_data
        _owner_check(self)
        return data


class LimitInline(TenantScopedInline[Limit, Model]):
    """The limits of whatever the page shows."""

    model = Limit
    form = LimitForm
    fields = ("amount", "unit", "window", "model", "burst_calls", "burst_seconds", "cooldown_seconds")
    tenant_paths = SCOPE_PATHS


class BudgetInline(TenantScopedInline[Budget, Model]):
    """The budgets of whatever the page shows."""

    model = Budget
    form = BudgetForm
    fields = ("amount_nano", "window", "model", "hard", "alert_percents")
    tenant_paths = SCOPE_PATHS


class _BoundAdmin(TenantScopedAdmin[Any]):
    tenant_paths = SCOPE_PATHS
    list_select_related: ClassVar[tuple[str, ...]] = ("tenant", "project", "key", "end_user")
    search_fields = (
        "tenant__name__istartswith",
        "project__name__istartswith",
        "key__name__istartswith",
        "end_user__name__istartswith",
    )
    search_help_text = "Tenant, project, key or end user"

    @display("of")
    def owner(self, bound: Limit | Budget) -> str:
        """What the bound hangs on."""
        return owner_of(bound)

    @display("model")
    def models_bound(self, bound: Limit | Budget) -> str:
        """Which calls count."""
        return bound.model or "all models"


@admin.register(Budget)
class BudgetAdmin(_BoundAdmin):
    """Budgets of all tenants in one place."""

    form = BudgetForm
    list_display = ("amount", "window", "owner", "models_bound", "hard")
    list_filter = ("window", "hard")
    autocomplete_fields = ("tenant", "project", "key", "end_user")
    empty_text = "A budget caps what a tenant, project, key or end user may spend in a day, week or month."
    fieldsets = (
        (None, {"fields": ("amount_nano", "window", "hard", "alert_percents")}),
        (
            "Whose calls",
            {
                "description": "Choose exactly one of the four.",
                "fields": ("tenant", "project", "key", "end_user", "model"),
            },
        ),
    )

    @display("amount", ordering="amount_nano")
    def amount(self, budget: Budget) -> str:
        """The amount in dollars."""
        return dollars(budget.amount_nano)


@admin.register(Limit)
class LimitAdmin(_BoundAdmin):
    """Limits of all tenants in one place."""

    form = LimitForm
    list_display = ("summary", "owner", "models_bound", "note")
    list_filter = ("unit", "window")
    list_select_related = (*_BoundAdmin.list_select_related, "limit_class")
    autocomplete_fields = ("tenant", "project", "key", "end_user", "limit_class")
    empty_text = "A limit caps requests, tokens or calls at once of a tenant, project, key or end user."
    fieldsets = (
        (None, {"fields": ("amount", "unit", "window", "note")}),
        (
            "Whose calls",
            {
                "description": "Choose exactly one of the five.",
                "fields": ("tenant", "project", "key", "end_user", "limit_class", "model"),
            },
        ),
        (
            "Bursts",
            {
                "description": "A second, shorter window, and a pause after a refusal.",
                "fields": (("burst_calls", "burst_seconds"), "cooldown_seconds"),
            },
        ),
    )

    def get_field_queryset(
        self, db: str | None, db_field: "RelatedField[Any, Any]", request: HttpRequest
    ) -> QuerySet[Any] | None:
        """Members choose classes for their people, and only operators say what a class allows."""
        choices = super().get_field_queryset(db, db_field, request)
        if choices is not None and db_field.name == "limit_class" and not is_operator(request):
            return choices.none()
        return choices

    @display("limit", ordering="amount")
    def summary(self, limit: Limit) -> str:
        """The limit as one speaks of it."""
        window = f" per {limit.get_window_display()}" if limit.window else ""
        return f"{limit.amount:,} {limit.get_unit_display()}{window}"


@admin.register(LimitClass)
class LimitClassAdmin(TenantScopedAdmin[LimitClass]):
    """Named sets of limits for end users."""

    inlines = (LimitInline,)
    list_display = ("name", "created_at")
    search_fields = ("name__istartswith",)
    offered_to_all = True
    empty_text = "A class, such as standard or premium, gives each end user the same limits."
