"""The price book: prices are added, ended and superseded, never edited."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from providers.admin.amounts import price_scale, price_text
from providers.models import Price
from providers.prices import price_close, price_supersede
from tenants.admin.filters import DefaultedFilter
from tenants.admin.pages import confirmation_page
from tenants.money import text_of, units_of
from tenants.scoping import TenantScopedAdmin
from tenants.unfolded import ModelForm, action, display

_LARGEST = 2**63 - 1
_CONDITIONS = ("context_above", "service_tier", "region")
_TERMS = ("model", "meter", "side", "provider", "tenant", *_CONDITIONS)
"""What a price and its successor have in common."""


class PriceForm(ModelForm[Price]):
    """A price as price lists print it, rehearsed so that whatever the book refuses is said here."""

    amount = forms.CharField(
        label="Price",
        max_length=40,
        widget=UnfoldAdminTextInputWidget(
            attrs={"suffix": "USD", "inputmode": "decimal", "autocomplete": "off"}
        ),
        help_text="Per million tokens; for image, request, search and second of audio, for one of them.",
    )
    valid_from = forms.SplitDateTimeField(
        label="Begins",
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
        help_text="Calls from this moment on cost this; empty is now.",
    )

    class Meta:
        model = Price
        fields = (*_TERMS, "valid_from", "source")
        widgets = {"source": UnfoldAdminTextareaWidget(attrs={"rows": 2})}

    def clean_valid_from(self) -> datetime | None:
        """Refuse the past: what was priced then keeps its price."""
        moment: datetime | None = self.cleaned_data["valid_from"]
        if moment is not None and moment < timezone.now():
            raise ValidationError("A price begins now or later: what was priced before keeps its price.")
        return moment

    def clean(self) -> dict[str, Any]:
        """Turn the amount into picodollars, and try the whole on the book."""
        data = super().clean() or self.cleaned_data
        if "amount" in data and "meter" in data:
            try:
                self.instance.pico_per_unit = _pico(data["amount"], data["meter"])
            except ValueError as error:
                self.add_error("amount", str(error))
        if not self.errors:
            self._rehearse()
        return data

    def supersede(self) -> Price | None:
        """Put the price into the book; None if it holds already."""
        data = self.cleaned_data
        terms: dict[str, Any] = {term: data.get(term) for term in (*_TERMS, "source")}
        return price_supersede(
            **terms,
            pico_per_unit=self.instance.pico_per_unit,
            at=data.get("valid_from"),
        )

    def _rehearse(self) -> None:
        try:
            with transaction.atomic():
                price = self.supersede()
                transaction.set_rollback(True)
        except IntegrityError:
            raise ValidationError(
                "Another price of the same terms holds then: they may not overlap."
            ) from None
        if price is None:
            raise ValidationError("This price holds already.")


def _pico(amount: str, meter: str) -> int:
    pico = units_of(amount, price_scale(meter))
    if not 0 <= pico <= _LARGEST:
        raise ValueError("A price is zero or more, and at most nine million dollars.")
    return pico


class ValidityFilter(DefaultedFilter):
    """Which prices are of interest; the past is long."""

    title = "validity"
    parameter_name = "validity"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """What may be asked for."""
        return [("open", "now or later"), ("now", "now"), ("ended", "ended"), ("any", "any time")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Price]) -> QuerySet[Price]:
        """The prices that hold then."""
        now = timezone.now()
        unended = Q(valid_until=None) | Q(valid_until__gt=now)
        conditions = {
            "open": unended,
            "now": unended & Q(valid_from__lte=now),
            "ended": Q(valid_until__lte=now),
            "any": Q(),
        }
        return queryset.filter(conditions[self.value()])


@admin.register(Price)
class PriceAdmin(TenantScopedAdmin[Price]):
    """What units cost and sell for."""

    form = PriceForm
    list_display = (
        "model",
        "provider",
        "price",
        "meter",
        "payer",
        "conditions",
        "state",
        "valid_from",
        "valid_until",
    )
    list_filter = (ValidityFilter, "side", "meter")
    list_select_related = ("provider", "tenant")
    search_fields = ("model__istartswith", "provider__name__istartswith", "tenant__name__istartswith")
    search_help_text = "Model, provider or tenant"
    autocomplete_fields = ("provider", "tenant")
    actions = None
    list_fullwidth = True
    actions_detail = ("supersede", "end")
    tenant_paths = ("tenant",)
    operators_write = True
    empty_text = "Without a price, calls on budgets are refused rather than served for nothing."

    @display("price", ordering="pico_per_unit")
    def price(self, price: Price) -> str:
        """The price in dollars."""
        return price_text(price.pico_per_unit, price.meter)

    @display("side", ordering="side")
    def payer(self, price: Price) -> str:
        """Cost or sell, in a word."""
        return price.side

    @display("state", label={"holds": "success", "upcoming": "info", "ended": "warning"})
    def state(self, price: Price) -> str:
        """Whether it holds now."""
        now = timezone.now()
        if price.valid_until is not None and price.valid_until <= max(now, price.valid_from):
            return "ended"
        return "holds" if price.valid_from <= now else "upcoming"

    @display("only for")
    def conditions(self, price: Price) -> str:
        """What narrows it."""
        parts = (
            price.tenant and f"tenant {price.tenant}",
            price.context_above is not None and f"prompts over {price.context_above:,} tokens",
            price.service_tier,
            price.region,
        )
        return ", ".join(str(part) for part in parts if part) or "all calls"

    def get_fieldsets(self, request: HttpRequest, obj: Price | None = None) -> Any:
        """A new price is asked for, an old one is told."""
        amount = "price" if obj else "amount"
        validity = ("valid_from", "valid_until", "state", "created_at") if obj else ("valid_from",)
        only = "Leave these empty for a price that always holds."
        return [
            (None, {"fields": ("model", "provider", "side", "meter", amount)}),
            ("When", {"fields": validity}),
            ("Only for", {"description": None if obj else only, "fields": ("tenant", *_CONDITIONS)}),
            ("Why", {"fields": ("source",)}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Price | None = None) -> tuple[str, ...]:
        """What is told of an old price."""
        return ("price", "state", "valid_until", "created_at") if obj else ()

    def get_form(
        self, request: HttpRequest, obj: Price | None = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm[Price]]:
        """Old prices are only read, which needs no form of ours."""
        return super().get_form(request, obj, change, **({"form": ModelForm} if obj else {}) | kwargs)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Prices are superseded, not edited."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The ledger names the prices it used: they stay."""
        return False

    def has_supersede_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Only an open price has a successor."""
        price = self.get_object(request, object_id) if object_id else None
        return price is not None and price.valid_until is None and self.has_add_permission(request)

    def save_model(self, request: HttpRequest, obj: Price, form: Any, change: bool) -> None:
        """The book opens the new row and closes the old one."""
        price = form.supersede()
        if price is None:
            raise IntegrityError("somebody else has just put this price into the book")
        vars(obj).update(vars(price))

    @action("Supersede", permissions=("supersede",), icon="published_with_changes")
    def supersede(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the price that follows, on the same terms."""
        price = self._price(request, object_id)
        terms = {term: getattr(price, term) for term in _TERMS}
        terms |= {"provider": price.provider_id, "tenant": price.tenant_id}
        terms["amount"] = text_of(price.pico_per_unit, price_scale(price.meter))
        query = urlencode({name: term for name, term in terms.items() if term not in (None, "")})
        return HttpResponseRedirect(f"{reverse('admin:providers_price_add')}?{query}")

    @action("End", permissions=("supersede",), icon="event_busy", variant=ActionVariant.DANGER)
    def end(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Close the price without a successor."""
        price = self._price(request, object_id)
        back = reverse("admin:providers_price_change", args=(price.pk,))
        if request.method == "POST":
            price_close(price=price, at=max(timezone.now(), price.valid_from))
            self.log_change(request, price, "Ended.")
            messages.success(request, "The price has ended.")
            return HttpResponseRedirect(back)
        return confirmation_page(
            request,
            self,
            title=f"End the price of {price.model}",
            consequences=(
                f"{price_text(price.pico_per_unit, price.meter)} no longer holds from now on.",
                "Unless a broader price covers it, calls on budgets are refused for want of a price.",
                "To change the price, supersede it instead.",
                "This cannot be undone; calls so far keep what they cost.",
            ),
            submit="End the price",
            dangerous=True,
            back=back,
        )

    def _price(self, request: HttpRequest, object_id: str) -> Price:
        price = self.get_object(request, object_id)
        if price is None:
            raise PermissionDenied
        return price
