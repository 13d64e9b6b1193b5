"""The parts of an entry that are lists, as tables."""

from collections.abc import Iterable, Sequence

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from gateway.call import METERS
from providers.admin.amounts import price_text
from tenants.money import dollars
from usage.models import Correction, LedgerEntry

_TABLE = "admin/usage/ledgerentry/table.html"


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
    """Who mended the entry, or what it mends, and why."""
    found = Correction.objects.filter(entry_id=entry.pk) | Correction.objects.filter(correcting_id=entry.pk)
    rows = [(row.get_kind_display(), row.entry_id, row.correcting_id, row.reason) for row in found]
    return table(("kind", "entry", "mended by", "reason"), rows) if rows else "None."


def _unit_price(line: dict[str, int | str]) -> str:
    if line["meter"] not in METERS:
        return "–"
    return price_text(int(line["pico"]), str(line["meter"])) if line["price"] else "no price"
