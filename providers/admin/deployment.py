"""Where models run, with the breaker of each: held open or closed by hand, after saying what follows."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.enums import ActionVariant

from providers.breakers import BreakerWord, breaker_set, breaker_state
from providers.models import Deployment, Health
from tenants.admin.pages import confirmation_page
from tenants.scoping import TenantScopedAdmin, TenantScopedInline
from tenants.unfolded import action, display

_STATES = {"closed": "success", "open": "danger", "held open": "warning"}
_DEEDS: dict[BreakerWord, tuple[str, str, tuple[str, ...]]] = {
    "open": (
        "Keep calls away from",
        "Calls are kept away from {}.",
        (
            "No call goes there any more, within a second and on every machine, until this is taken back.",
            "Calls that are under way there are finished and charged.",
            "Its peers and the model's fallbacks take over; without any, calls are refused with 503.",
        ),
    ),
    "closed": (
        "Let calls through to",
        "Calls go to {} again.",
        (
            "Calls go there again, within a second and on every machine, whether it is well or not.",
            "Failures until now are forgotten; new ones open its breaker as always.",
            "If somebody keeps calls away from it, that is taken back.",
        ),
    ),
    "auto": (
        "Leave to itself the breaker of",
        "The breaker of {} is left to itself.",
        (
            "Nobody keeps calls away from it any more.",
            "A breaker that failures opened stays open to the end of its rest.",
        ),
    ),
}
"""What each word does: how it is asked, how it is told, and what follows."""


class HealthInline(TenantScopedInline[Health, Deployment]):
    """What was last seen of its models."""

    model = Health
    fields = (
        "upstream_model",
        "status",
        "source",
        "opened_at",
        "until",
        "latency_ms",
        "checked_at",
        "detail",
    )
    readonly_fields = fields
    verbose_name_plural = "health"

    def has_add_permission(self, request: HttpRequest, obj: Deployment | None = None) -> bool:
        """Calls and probes tell of it."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Calls and probes tell of it."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Calls and probes tell of it."""
        return False


@admin.register(Deployment)
class DeploymentAdmin(TenantScopedAdmin[Deployment]):
    """Places where models run; they are made and changed with their models."""

    inlines = (HealthInline,)
    list_display = ("upstream_model", "provider", "model", "state")
    list_filter = ("held_open", "blocked")
    list_select_related = ("provider", "model")
    search_fields = ("upstream_model__istartswith", "provider__name__istartswith", "model__name__istartswith")
    fields = ("model", "provider", "upstream_model", "region", "state", "breaker_closed_at")
    readonly_fields = fields
    actions_detail = ("hold_open", "close", "leave")
    empty_text = "A deployment is a model at a provider; models have them."

    def get_queryset(self, request: HttpRequest) -> Any:
        """The deployments, with how they are."""
        return super().get_queryset(request).prefetch_related("health")

    @display("breaker", label=_STATES)
    def state(self, deployment: Deployment) -> str:
        """Whether calls go there."""
        return breaker_state(deployment)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Models have them."""
        return False

    def has_operate_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Whoever may change it."""
        deployment = self.get_object(request, object_id) if object_id else None
        return deployment is not None and self.has_change_permission(request, deployment)

    @action("Keep calls away", permissions=("operate",), icon="block", variant=ActionVariant.DANGER)
    def hold_open(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Hold the breaker open, after saying what follows."""
        return self._operate(request, object_id, "open")

    @action("Let calls through", permissions=("operate",), icon="check_circle")
    def close(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Close the breaker, after saying what follows."""
        return self._operate(request, object_id, "closed")

    @action("Leave to itself", permissions=("operate",), icon="autorenew")
    def leave(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Leave the breaker to itself, after saying what follows."""
        return self._operate(request, object_id, "auto")

    def _operate(self, request: HttpRequest, object_id: str, word: BreakerWord) -> HttpResponse:
        deployment = self.get_object(request, object_id)
        if deployment is None:
            raise PermissionDenied
        asked, told, consequences = _DEEDS[word]
        back = reverse("admin:providers_deployment_change", args=(deployment.pk,))
        if request.method == "POST":
            breaker_set(deployment=deployment, state=word)
            self.log_change(request, deployment, told.format("it"))
            messages.success(request, told.format(deployment))
            return HttpResponseRedirect(back)
        return confirmation_page(
            request,
            self,
            title=f"{asked} {deployment}",
            consequences=(*consequences, f"Its breaker is {breaker_state(deployment)} now."),
            submit=f"{asked} it" if word != "auto" else "Leave it to itself",
            dangerous=word == "open",
            back=back,
        )
