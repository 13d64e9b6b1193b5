"""Models that callers name, where they run, what stands in for them, and their second names."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from providers.admin.names import alias_check, target_check
from providers.models import Alias, Deployment, Model, Route
from tenants.admin.fields import LinesField, ScaledField
from tenants.scoping import TenantScopedAdmin, TenantScopedInline
from tenants.unfolded import ModelForm, RowsForm, display


class ModelModelForm(ModelForm[Model]):
    """A model, with its capabilities one a line."""

    capabilities = LinesField(help_text="Shown to callers, one a line, such as vision or tools.")

    class Meta:
        model = Model
        fields = "__all__"


class DeploymentForm(ModelForm[Deployment]):
    """A deployment, with its quality from 0 to 1."""

    quality = ScaledField(
        scale=10_000,
        minimum=0,
        maximum=10_000,
        required=False,
        help_text="How good its answers are, from 0 to 1, for the strategy quality.",
    )

    class Meta:
        model = Deployment
        fields = "__all__"


class AliasForm(ModelForm[Alias]):
    """An alias that leads somewhere."""

    class Meta:
        model = Alias
        fields = "__all__"

    def clean_name(self) -> str:
        """Refuse a model's own name, which would win."""
        name: str = self.cleaned_data["name"]
        if Model.objects.filter(name=name).exists():
            raise forms.ValidationError("A model has this name, and a model's own name wins.")
        return name

    def clean_target(self) -> str:
        """Refuse a name that leads nowhere, or back here."""
        target: str = self.cleaned_data["target"]
        target_check(target)
        alias_check(self.cleaned_data.get("name", ""), target)
        return target


class RouteForm(ModelForm[Route]):
    """A fallback; without a position it is tried last."""

    position = forms.IntegerField(
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        min_value=0,
        max_value=32_767,
        help_text="Lower numbers are tried first; empty is last.",
    )

    class Meta:
        model = Route
        fields = "__all__"

    def clean_target(self) -> str:
        """Refuse a name that leads nowhere."""
        target: str = self.cleaned_data["target"]
        target_check(target)
        return target


class RouteFormSet(RowsForm[Route, Model, ModelForm[Route]]):
    """Numbers the fallbacks that were left without a position."""

    def clean(self) -> None:
        """Put them behind the others of the same cause."""
        live = [form for form in self.forms if form.cleaned_data and not form.cleaned_data.get("DELETE")]
        for form in live:
            data = form.cleaned_data
            if data.get("position") is None and data.get("cause"):
                peers = [other.cleaned_data for other in live]
                taken = [peer["position"] for peer in peers if _is_placed(peer, data["cause"])]
                data["position"] = form.instance.position = max(taken, default=-1) + 1
        super().clean()


def _is_placed(data: dict[str, Any], cause: str) -> bool:
    return data.get("cause") == cause and data.get("position") is not None


class DeploymentInline(TenantScopedInline[Deployment, Model]):
    """Where the model runs."""

    model = Deployment
    form = DeploymentForm
    fields = (
        "provider",
        "upstream_model",
        "weight",
        "priority",
        "region",
        "max_parallel",
        "quality",
        "held_open",
        "breaker_closed_at",
        "blocked",
    )
    readonly_fields = ("breaker_closed_at",)
    autocomplete_fields = ("provider",)


class RouteInline(TenantScopedInline[Route, Model]):
    """What stands in for the model when it fails."""

    model = Route
    form = RouteForm
    formset = RouteFormSet
    fields = ("cause", "target", "position")
    verbose_name = "fallback"
    verbose_name_plural = "fallbacks"


@admin.register(Model)
class ModelAdmin(TenantScopedAdmin[Model]):
    """Names that callers use."""

    form = ModelModelForm
    inlines = (DeploymentInline, RouteInline)
    list_display = ("name", "kind", "runs_at", "strategy", "context_window", "state")
    list_filter = ("kind", "blocked")
    search_fields = ("name__icontains",)
    empty_text = "A model is a name that callers use, and the providers that it runs at."
    fieldsets = (
        (None, {"fields": ("name", "kind")}),
        (
            "Choice of deployment",
            {
                "description": "Lower priorities come first; this is for deployments of equal priority.",
                "fields": ("strategy", "sticky", "hedge"),
            },
        ),
        ("Emergency stop", {"fields": ("blocked",)}),
        (
            "Sizes",
            {
                "description": "Budgets hold the worst case: without these, calls may be refused.",
                "fields": (("context_window", "max_output_tokens"), "vocabulary"),
            },
        ),
        ("Shown to callers", {"fields": ("capabilities",)}),
        (
            "Patience",
            {
                "description": "In milliseconds, where this model needs others than its providers have.",
                "classes": ("collapse",),
                "fields": (
                    ("connect_timeout_ms", "first_byte_timeout_ms"),
                    ("idle_timeout_ms", "total_timeout_ms"),
                ),
            },
        ),
        (
            "Embeddings together",
            {
                "description": "Embeddings of one tenant that come at the same time may travel in one call.",
                "classes": ("collapse",),
                "fields": (("batch_size", "batch_ms"),),
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        """The models with the number of places where they run."""
        return super().get_queryset(request).annotate(places=Count("deployments"))

    @display("state", label={"open": "success", "blocked": "danger"})
    def state(self, model: Model) -> str:
        """Whether it is called."""
        return "blocked" if model.blocked else "open"

    @display("runs at")
    def runs_at(self, model: Any) -> str:
        """How many deployments it has."""
        return f"{model.places} deployment{'' if model.places == 1 else 's'}" if model.places else "nowhere"


@admin.register(Alias)
class AliasAdmin(TenantScopedAdmin[Alias]):
    """Second names of models."""

    form = AliasForm
    list_display = ("name", "target")
    search_fields = ("name__icontains", "target__icontains")
    empty_text = "An alias, such as small, lets callers keep a name while the model behind it changes."
