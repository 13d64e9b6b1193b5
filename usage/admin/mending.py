"""Mending an entry: what is asked, what follows from it in words of finance, and the deed."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.signing import BadSignature, TimestampSigner
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from gateway.ids import uuid7
from tenants.admin.fields import ScaledField
from tenants.admin.pages import confirmation_page
from tenants.money import NANO, dollars
from tenants.unfolded import action
from usage.admin.consequences import consequences_of, standing_told
from usage.admin.reading import ReadOnlyAdmin
from usage.corrections import correction_add, correction_draft
from usage.models import Correction, LedgerEntry

_KINDS = (
    (Correction.Kind.REFUND.value, "refund: gives back the charge, or a part of it"),
    (Correction.Kind.CREDIT.value, "credit: a gift to the tenant because of this call"),
    (Correction.Kind.CORRECTION.value, "correction: puts right what was booked, up or down"),
)
_CONFIRMED_WITHIN = timedelta(hours=1)
_ASKED = ("kind", "charge_nano", "cost_nano", "reason")


class MendForm(forms.Form):
    """What an entry is to be mended by; its token says that the consequences of just this were shown."""

    kind = forms.ChoiceField(choices=_KINDS, widget=UnfoldAdminSelectWidget)
    charge_nano = ScaledField(
        label="Add to the charge",
        scale=NANO,
        unit="USD",
        initial=0,
        help_text="What the tenant pays: -1.20 gives $1.20 back.",
    )
    cost_nano = ScaledField(
        label="Add to the cost",
        scale=NANO,
        unit="USD",
        initial=0,
        help_text="What the provider bills us: zero, unless that was wrong too.",
    )
    reason = forms.CharField(
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "maxlength": 500, "style": "max-width: 42rem"}),
        help_text="What was wrong, for whoever reads the ledger later.",
    )
    token = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, entry: LedgerEntry, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._entry, self._user = entry, user
        self.draft: Correction | None = None

    def clean_token(self) -> UUID | None:
        """The id that the mending entry is to have; nothing if it was not given away lately for the same."""
        try:
            token = self._signer().unsign(self.cleaned_data["token"], max_age=_CONFIRMED_WITHIN)
            return UUID(token)
        except BadSignature:
            return None

    def clean(self) -> dict[str, Any]:
        """Judge it as the service will."""
        data = super().clean() or self.cleaned_data
        if not self.errors:
            asked = {name: data[name] for name in _ASKED}
            try:
                self.draft = correction_draft(
                    entry=self._entry, user=self._user, correcting_id=data["token"], **asked
                )
            except ValidationError as error:
                for name, found in error.error_dict.items():
                    self.add_error(name if name in _ASKED else None, found)
        return data

    def confirming(self) -> "MendForm":
        """The same, to be sent again unseen, with a token."""
        asked = {name: self.cleaned_data[name] for name in _ASKED}
        token = self._signer().sign(uuid7().hex)
        form = MendForm(initial=asked | {"token": token}, entry=self._entry, user=self._user)
        for field in form.fields.values():
            field.widget = forms.HiddenInput()
        return form

    def _signer(self) -> TimestampSigner:
        """For one person, entry and wish: what was shown of another one says nothing of this."""
        asked = [" ".join(str(self.cleaned_data.get(name)).split()) for name in _ASKED]
        return TimestampSigner(salt=repr(("usage.mending", self._user.pk, self._entry.pk.hex, *asked)))


class MendableAdmin(ReadOnlyAdmin[LedgerEntry]):
    """Entries that a person of finance may have mended."""

    actions_detail = ("mend",)

    def has_mend_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Whoever may add corrections, for entries that they see; what mends is not mended itself."""
        entry = self.get_object(request, object_id) if object_id else None
        mendable = entry is not None and entry.corrects is None and self.has_view_permission(request, entry)
        return mendable and request.user.has_perm("usage.add_correction")

    @action("Mend this entry", permissions=("mend",), icon="healing")
    def mend(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask what is wrong, then whether what follows is meant, and have it mended."""
        entry = self.get_object(request, object_id)
        if entry is None or not isinstance(request.user, User):
            raise PermissionDenied
        form = MendForm(request.POST or None, entry=entry, user=request.user)
        if form.is_valid() and form.draft is not None:
            if form.cleaned_data["token"] is not None:
                return self._mended(request, entry, form.draft)
            return self._page(
                request, entry, form.confirming(), consequences_of(form.draft, entry), "Mend the entry"
            )
        return self._page(request, entry, form, standing_told(entry), "Show what follows")

    def _page(
        self, request: HttpRequest, entry: LedgerEntry, form: MendForm, told: list[str], deed: str
    ) -> HttpResponse:
        return confirmation_page(
            request,
            self,
            title=f"Mend the entry of {entry.request_id}",
            consequences=told,
            submit=deed,
            form=form,
            back=_address(entry.pk),
        )

    def _mended(self, request: HttpRequest, entry: LedgerEntry, draft: Correction) -> HttpResponse:
        try:
            correction = correction_add(
                entry_id=entry.pk,
                kind=draft.kind,
                charge_nano=draft.charge_nano,
                cost_nano=draft.cost_nano,
                reason=draft.reason,
                user=draft.created_by,
                correcting_id=draft.correcting_id,
            )
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            added = f"{dollars(correction.charge_nano)} of charge and {dollars(correction.cost_nano)} of cost"
            self.log_change(request, entry, f"Had it mended by {added}: {correction.reason}")
            messages.success(request, "The mending entry is on its way to the books.")
        return HttpResponseRedirect(_address(entry.pk))


def _address(entry_id: UUID) -> str:
    return reverse("admin:usage_ledgerentry_change", args=(entry_id,))
