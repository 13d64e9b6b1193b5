"""The parts of an entry that are lists, as tables."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from gateway.call import METERS
from providers.admin.amounts import price_text
from tenants.admin.pages import row_link
from tenants.money import dollars
from usage.corrections import entry_standing, late_settlements
from usage.models import Correction, LedgerEntry

_TABLE = "admin/usage/ledgerentry/table.html"
_PENDING = "pending"
_LATE = "Late settlement"
_LATE_REASON = "The call settled after it was charged at its bound."


def table(headers: Sequence[str], rows: Iterable[Sequence[object]], *, totalled: bool = False) -> SafeString:
    """A table; the last row of a totalled one stands out."""
    context = {"headers": headers, "rows": [list(row) for row in rows], "totalled": totalled}
    return render_to_string(_TABLE, context)


def lines_table(entry: LedgerEntry) -> SafeString:
    """What the entry is made of; what no line names is a row too, so that the total is the entry's."""
    rows = [
        (
            line["meter"].replace("_", " "),
            f"{line['units']:,}",
            _unit_price(line),
            dollars(line["cost_nano"]),
            dollars(line["charge_nano"]),
        )
        for line in entry.lines
    ]
    cost = entry.cost_nano - sum(line["cost_nano"] for line in entry.lines)
    charge = entry.charge_nano - sum(line["charge_nano"] for line in entry.lines)
    if cost or charge:
        rows.append(("not itemised", "", "", dollars(cost), dollars(charge)))
    rows.append(("Total", "", "", dollars(entry.cost_nano), dollars(entry.charge_nano)))
    return table(("meter", "units", "price", "cost", "charge"), rows, totalled=True)


def attempts_table(entry: LedgerEntry) -> SafeString | str:
    """Where the call was tried, in turn."""
    if not entry.attempts:
        return "None: no provider was called."
    rows = [
        (
            number,
            attempt["deployment"],
            attempt["outcome"],
            attempt.get("status") or "–",
            f"{attempt['milliseconds']:,} ms",
            dollars(attempt["unknown_nano"]) if attempt.get("unknown_nano") else "–",
        )
        for number, attempt in enumerate(entry.attempts, 1)
    ]
    return table(("try", "deployment", "outcome", "HTTP status", "took", "held, as it may be billed"), rows)


def tags_table(entry: LedgerEntry) -> SafeString | str:
    """What the caller marked the call with."""
    return table(("tag", "value"), entry.tags.items()) if entry.tags else "None."


def corrections_table(entry: LedgerEntry) -> SafeString | str:
    """What was added to mend the entry, and what is left of it; or what it mends itself, and why."""
    if entry.corrects is not None:
        asked = Correction.objects.filter(correcting_id=entry.pk).first()
        kind, reason = (asked.get_kind_display(), asked.reason) if asked else (_LATE, _LATE_REASON)
        return table(("kind", "reason", "mends"), [(kind, _wrapped(reason), _short_link(entry.corrects))])
    rows: list[tuple[str, ...]] = [
        (
            row.get_kind_display(),
            dollars(row.cost_nano),
            dollars(row.charge_nano),
            _wrapped(row.reason),
            _short_link(row.correcting_id) if row.applied_at else _PENDING,
        )
        for row in Correction.objects.filter(entry_id=entry.pk).order_by("id")
    ]
    rows += [
        (
            _LATE,
            dollars(row.cost_nano),
            dollars(row.charge_nano),
            _wrapped(_LATE_REASON),
            _short_link(row.pk),
        )
        for row in late_settlements(entry=entry)
    ]
    if not rows:
        return "None."
    standing = entry_standing(entry=entry)
    rows.append(("Entry, mended", dollars(standing.cost_nano), dollars(standing.charge_nano), "", ""))
    return table(("kind", "cost", "charge", "reason", "mended by"), rows, totalled=True)


def entry_link(identifier: UUID) -> SafeString:
    """The way to an entry's own page."""
    return row_link(LedgerEntry(pk=identifier), str(identifier))


def _short_link(identifier: UUID) -> SafeString:
    return row_link(LedgerEntry(pk=identifier), f"…{str(identifier)[-12:]}")


def _wrapped(text: str) -> SafeString:
    """In as many lines as it takes: a table's other cells keep to one."""
    return format_html('<span class="block" style="min-width: 12rem; white-space: normal">{}</span>', text)


def _unit_price(line: dict[str, int | str]) -> str:
    if line["meter"] not in METERS:
        return "–"
    return price_text(int(line["pico"]), str(line["meter"])) if line["price"] else "no price"
