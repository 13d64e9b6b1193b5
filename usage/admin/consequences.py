"""What follows from mending an entry, in words of finance."""

from django.utils import timezone

from gateway.accounts import Account
from gateway.tally import LATE_SETTLE_MS
from tenants.money import dollars
from usage.corrections import entry_budgets, entry_standing
from usage.models import Correction, LedgerEntry


def standing_told(entry: LedgerEntry) -> list[str]:
    """What there is to mend."""
    standing = entry_standing(entry=entry)
    told = [
        "Nothing in the ledger is changed: another entry is added, which names this one.",
        f"This entry is of {_amounts(entry.charge_nano, entry.cost_nano)}.",
    ]
    if (standing.charge_nano, standing.cost_nano) != (entry.charge_nano, entry.cost_nano):
        told.append(f"Its mendings so far leave {_amounts(standing.charge_nano, standing.cost_nano)}.")
    if entry.status == LedgerEntry.Status.UNSETTLED and _may_settle_yet(entry):
        told.append(
            "It is charged at its bound. If its call settles within a day, the books mend it themselves."
        )
    return told


def consequences_of(draft: Correction, entry: LedgerEntry) -> list[str]:
    """What will be so, once it is mended."""
    standing = entry_standing(entry=entry)
    left = _amounts(standing.charge_nano + draft.charge_nano, standing.cost_nano + draft.cost_nano)
    added = _amounts(draft.charge_nano, draft.cost_nano)
    return [
        f"The ledger stays as it is; another entry of {added} is added.",
        _budgets_told(draft.charge_nano, entry_budgets(entry=entry)),
        f"The entry and its mendings then come to {left}.",
        f"The reason on record is: {draft.reason}",
        "This cannot be undone: a mending that was wrong is mended by another one.",
    ]


def _amounts(charge_nano: int, cost_nano: int) -> str:
    return f"{dollars(charge_nano)} of charge and {dollars(cost_nano)} of cost"


def _budgets_told(charge_nano: int, accounts: tuple[Account, ...]) -> str:
    """Budgets count the charge alone."""
    if not charge_nano:
        return "No budget changes: budgets count what is charged."
    if not accounts:
        return "No budget changes: none counts this call."
    owners = list(dict.fromkeys(map(_owner, accounts)))
    whose = f"the budget{'s' if len(accounts) > 1 else ''} of {' and '.join(owners)}"
    if charge_nano < 0:
        verb = "get" if len(accounts) > 1 else "gets"
        return f"Within seconds {whose} {verb} {dollars(-charge_nano)} back, in the window of now."
    return f"Within seconds {dollars(charge_nano)} more counts as spent on {whose}, in the window of now."


def _owner(account: Account) -> str:
    """A person stays unnamed, as everywhere in the ledger."""
    return "the end user" if account.scope == "end_user" else f"{account.scope} {account.name}"


def _may_settle_yet(entry: LedgerEntry) -> bool:
    return (timezone.now() - entry.at).total_seconds() * 1000 < LATE_SETTLE_MS
