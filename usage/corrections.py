"""Mending the ledger: a wrong entry stays as it is, and another one that names it puts the sum right.

What is asked for here is a row that says why, and how much. A web process that has the books open writes
the mending entry from it within seconds (`usage/mending.py`).
"""

from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from msgspec import Struct

from gateway.accounts import LARGEST_AMOUNT, Account
from gateway.ids import uuid7
from tenants.accounts import budget_accounts
from tenants.money import dollars
from usage.models import Correction, LedgerEntry


class Standing(Struct, frozen=True, kw_only=True):
    """What an entry comes to, its mendings included."""

    charge_nano: int
    cost_nano: int


def correction_add(
    *,
    entry_id: UUID,
    kind: str,
    charge_nano: int,
    cost_nano: int,
    reason: str,
    user: User | None,
    correcting_id: UUID | None = None,
) -> Correction:
    """Have an entry mended by so much; whoever may ask twice for the same names the mending entry's id."""
    with transaction.atomic():
        # Two refunds of one entry wait for each other here, so that the second sees what the first left.
        entry = LedgerEntry.objects.select_for_update().filter(pk=entry_id).first()
        if entry is None:
            raise ValidationError({"entry_id": "The ledger has no such entry."})
        correction = correction_draft(
            entry=entry,
            kind=kind,
            charge_nano=charge_nano,
            cost_nano=cost_nano,
            reason=reason,
            user=user,
            correcting_id=correcting_id,
        )
        correction.save(force_insert=True)
    return correction


def correction_draft(
    *,
    entry: LedgerEntry,
    kind: str,
    charge_nano: int,
    cost_nano: int,
    reason: str,
    user: User | None,
    correcting_id: UUID | None = None,
) -> Correction:
    """The same, judged and not asked for yet: to be looked at before the deed."""
    if entry.corrects is not None:
        raise ValidationError({"entry_id": f"This entry mends another one: mend {entry.corrects}."})
    if not reason.strip():
        raise ValidationError({"reason": "Say what was wrong, for whoever reads the ledger later."})
    correction = Correction(
        entry_id=entry.pk,
        correcting_id=correcting_id or uuid7(),
        tenant_id=entry.tenant_id,
        tenant=entry.tenant,
        kind=kind,
        charge_nano=charge_nano,
        cost_nano=cost_nano,
        reason=reason.strip(),
        created_by=user,
    )
    correction.full_clean()
    _amounts_check(correction, entry_standing(entry=entry))
    return correction


def correction_applied(*, correction: Correction) -> bool:
    """Note that the books have the mending entry; whether nobody had noted it before."""
    waiting = Correction.objects.filter(pk=correction.pk, applied_at=None)
    return waiting.update(applied_at=timezone.now()) == 1


def corrections_pending(*, at_most: int) -> list[Correction]:
    """Those whose mending entry is not known to be in the books, the oldest first."""
    return list(Correction.objects.filter(applied_at=None).order_by("id")[:at_most])


def entry_standing(*, entry: LedgerEntry) -> Standing:
    """What is left of an entry after its mendings, those on their way to the books included."""
    mendings: list[Correction | LedgerEntry] = [
        *Correction.objects.filter(entry_id=entry.pk),
        *late_settlements(entry=entry),
    ]
    return Standing(
        charge_nano=entry.charge_nano + sum(mending.charge_nano for mending in mendings),
        cost_nano=entry.cost_nano + sum(mending.cost_nano for mending in mendings),
    )


def entry_budgets(*, entry: LedgerEntry) -> tuple[Account, ...]:
    """The budgets that a mending of the entry moves."""
    return budget_accounts(
        tenant_id=entry.tenant_id,
        project_id=entry.project_id,
        key_id=entry.key_id,
        end_user_id=entry.end_user_id,
        model=entry.model,
    )


def late_settlements(*, entry: LedgerEntry) -> QuerySet[LedgerEntry]:
    """What the books themselves mended, when a call settled after it was charged at its bound.

    Mending entries share their request's id, which is indexed.
    """
    asked_for = Correction.objects.filter(entry_id=entry.pk).values("correcting_id")
    mending = LedgerEntry.objects.filter(request_id=entry.request_id, corrects=entry.pk)
    return mending.exclude(pk__in=asked_for)


def _amounts_check(correction: Correction, standing: Standing) -> None:
    charge, cost = correction.charge_nano, correction.cost_nano
    if not charge and not cost:
        raise ValidationError({"charge_nano": "Say by how much: both amounts are zero."})
    if max(abs(charge), abs(cost)) > LARGEST_AMOUNT:
        raise ValidationError({"charge_nano": f"More than {dollars(LARGEST_AMOUNT)} cannot be counted."})
    if correction.kind != Correction.Kind.CORRECTION and charge >= 0:
        told = f"A {correction.kind} gives money back: its charge is below zero, such as -1.20."
        raise ValidationError({"charge_nano": told})
    if correction.kind == Correction.Kind.CREDIT and cost:
        raise ValidationError({"cost_nano": "A credit is between the tenant and us: its cost is zero."})
    if correction.kind == Correction.Kind.REFUND:
        _refund_check("charge", charge, left=standing.charge_nano)
        _refund_check("cost", cost, left=standing.cost_nano)


def _refund_check(name: str, amount: int, *, left: int) -> None:
    if amount > 0:
        raise ValidationError({f"{name}_nano": f"A refund gives money back: its {name} is not above zero."})
    if amount and left + amount < 0:
        told = f"After earlier mendings, {dollars(max(left, 0))} are left of the entry's {name}."
        raise ValidationError({f"{name}_nano": told})
