"""Tenants, with their projects, people, limits, budgets and policy on one page."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from tenants.admin.bounds import BudgetInline, LimitInline
from tenants.admin.fields import LinesField, ScaledField
from tenants.admin.keys import key_state
from tenants.admin.pages import row_link
from tenants.models import ApiKey, EndUser, Member, Policy, Project, Tenant
from tenants.money import text_of
from tenants.scoping import TenantScopedAdmin, TenantScopedInline, TenantScopedStackedInline, is_operator
from tenants.unfolded import ModelForm, UncountedPaginator, display


class TenantForm(ModelForm[Tenant]):
    """A tenant, with the mark-up in percent."""

    markup_bps = ScaledField(
        label="Mark-up",
        initial=0,
        scale=100,
        minimum=-10_000,
        maximum=100_000,
        unit="%",
        help_text="Added to what providers bill: 10 charges ten percent more, -10 ten percent less.",
    )

    class Meta:
        model = Tenant
        fields = "__all__"


class PolicyForm(ModelForm[Policy]):
    """A policy, with thresholds as scores from 0 to 1."""

    semantic_threshold = ScaledField(
        initial=9_500,
        scale=10_000,
        minimum=0,
        maximum=10_000,
        help_text="Likeness from which prompts mean the same, 0 to 1; below 0.9 answers may not fit.",
    )
    sensitivity_threshold = ScaledField(
        initial=7_000,
        scale=10_000,
        minimum=0,
        maximum=10_000,
        help_text="Score from which a prompt is sensitive, 0 to 1.",
    )
    tags = LinesField(help_text="Names of tags that calls may carry, one a line; empty allows all.")

    class Meta:
        model = Policy
        fields = "__all__"


class PolicyInline(TenantScopedStackedInline[Policy, Tenant]):
    """How the tenant's calls are treated; left alone, the defaults hold."""

    model = Policy
    form = PolicyForm
    extra = 1
    max_num = 1
    can_delete = False
    tenant_paths = ("tenant",)
    fieldsets = (
        (None, {"fields": ("over_budget", "books_away")}),
        (
            "Waiting",
            {
                "description": "For calls that find no free place, within the limits here or a provider's.",
                "fields": (("queue_seconds", "queue_length"),),
            },
        ),
        (
            "Answers given again",
            {
                "description": "Within the tenant alone: nobody gets an answer that another tenant paid for.",
                "fields": (
                    ("cache", "cache_seconds"),
                    ("semantic_model", "semantic_threshold"),
                    "prompt_cache",
                ),
            },
        ),
        ("Sensitive prompts", {"fields": ("sensitivity_action", "sensitivity_threshold", "log_content")}),
        ("Tags", {"fields": ("tags",)}),
    )


class ProjectInline(TenantScopedInline[Project, Tenant]):
    """The tenant's projects."""

    model = Project
    fields = ("name", "cost_centre", "blocked", "own_page")
    readonly_fields = ("own_page",)
    tenant_paths = ("tenant",)

    @display("limits and budgets")
    def own_page(self, project: Project) -> str:
        """The way to the project's own page."""
        return "" if project._state.adding else row_link(project, "open")


class MemberInline(TenantScopedInline[Member, Tenant]):
    """The tenant's people."""

    model = Member
    fields = ("user", "role")
    autocomplete_fields = ("user",)
    tenant_paths = ("tenant",)


class KeyInline(TenantScopedInline[ApiKey, Tenant]):
    """The tenant's keys, to look at; they are issued on their own page."""

    model = ApiKey
    fields = readonly_fields = ("own_page", "project", "shown_as", "state", "expires_at")
    can_delete = False
    tenant_paths = ("tenant",)
    per_page = 20

    @display("name")
    def own_page(self, key: ApiKey) -> str:
        """The way to the key's own page."""
        return row_link(key, key.name)

    @display("begins and ends")
    def shown_as(self, key: ApiKey) -> str:
        """What may be seen of the key."""
        return f"{key.prefix}…{key.last_four}"

    @display("state")
    def state(self, key: ApiKey) -> str:
        """Whether it opens doors."""
        return key_state(key)

    def has_add_permission(self, request: HttpRequest, obj: Tenant | None = None) -> bool:
        """A key is issued on a page of its own, which shows it once."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        """The keys with their projects at hand."""
        return super().get_queryset(request).select_related("project")


@admin.register(Tenant)
class TenantAdmin(TenantScopedAdmin[Tenant]):
    """Who calls, and everything that holds for all their calls."""

    form = TenantForm
    inlines = (
        ProjectInline,
        MemberInline,
        LimitInline,
        BudgetInline,
        PolicyInline,
        KeyInline,
    )
    list_display = ("name", "title", "state", "time_zone", "markup", "created_at")
    list_filter = ("blocked",)
    search_fields = ("name__istartswith", "title__istartswith")
    search_help_text = "Name or title"
    tenant_paths = ("pk",)
    empty_text = "A tenant is a customer or department whose calls, spending and data are kept apart."
    fieldsets = (
        (None, {"fields": ("name", "title", "time_zone")}),
        ("Money", {"fields": ("markup_bps",)}),
        ("Models for calls that name none", {"fields": ("default_chat_model", "default_embedding_model")}),
        ("Emergency stop", {"fields": ("blocked",)}),
    )

    @display("state", label={"open": "success", "blocked": "danger"})
    def state(self, tenant: Tenant) -> str:
        """Whether its calls are let in."""
        return "blocked" if tenant.blocked else "open"

    @display("mark-up", ordering="markup_bps")
    def markup(self, tenant: Tenant) -> str:
        """The mark-up in percent."""
        return f"{text_of(tenant.markup_bps, 100)} %"

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None) -> tuple[str, ...]:
        """What a tenant pays and whether it may call is the operators' to say."""
        return () if is_operator(request) else ("name", "markup_bps", "blocked")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Operators make tenants."""
        return is_operator(request) and super().has_add_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A tenant is blocked first, so that no key dies under a running application by a slip."""
        stopped = not isinstance(obj, Tenant) or obj.blocked
        return stopped and is_operator(request) and super().has_delete_permission(request, obj)


@admin.register(Project)
class ProjectAdmin(TenantScopedAdmin[Project]):
    """Parts of tenants whose spending is told apart."""

    inlines = (LimitInline, BudgetInline)
    list_display = ("name", "tenant", "cost_centre", "blocked")
    list_filter = ("blocked",)
    list_select_related = ("tenant",)
    search_fields = ("name__istartswith", "tenant__name__istartswith", "cost_centre__istartswith")
    search_help_text = "Project, tenant or cost centre"
    autocomplete_fields = ("tenant",)
    tenant_paths = ("tenant",)
    empty_text = "A project tells a part of a tenant's spending apart, with a cost centre for finance."

    def get_readonly_fields(self, request: HttpRequest, obj: Project | None = None) -> tuple[str, ...]:
        """A project stays with its tenant: its spending is booked there."""
        return ("tenant",) if obj else ()


@admin.register(EndUser)
class EndUserAdmin(TenantScopedAdmin[EndUser]):
    """People that tenants' calls are made for."""

    inlines = (LimitInline, BudgetInline)
    list_display = ("name", "tenant", "limit_class", "blocked")
    list_filter = ("blocked",)
    list_select_related = ("tenant", "limit_class")
    search_fields = ("name__istartswith", "tenant__name__istartswith")
    search_help_text = "End user or tenant"
    autocomplete_fields = ("tenant", "limit_class")
    tenant_paths = ("tenant",)
    paginator = UncountedPaginator
    show_full_result_count = False
    empty_text = "End users come by themselves with calls that carry `user`; deleting one forgets the person."

    def get_readonly_fields(self, request: HttpRequest, obj: EndUser | None = None) -> tuple[str, ...]:
        """An end user stays with the tenant."""
        return ("tenant",) if obj else ()
