"""The ledger entry: what finance signs. The field names are those of the table, the API and the command."""

from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from gateway.call import Attempt, Kind, Status, Usage
from gateway.ids import uuid7


class Line(Struct, frozen=True, kw_only=True, gc=False):
    """One meter of an entry with the price row that it was charged by; `price` 0 means unpriced."""

    meter: str
    units: int
    pico: int
    cost_nano: int
    charge_nano: int
    price: int


class Entry(Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One call, for good. Ids stand beside names, so that a renamed or erased row changes nothing here."""

    id: UUID
    at_ms: int
    request_id: str
    tenant_id: UUID
    tenant: str
    project_id: UUID | None
    project: str
    cost_centre: str
    key_id: UUID | None
    key: str
    end_user_id: UUID | None
    dialect: str
    kind: Kind
    status: Status
    model_asked: str
    model: str
    provider_id: UUID | None
    provider: str
    deployment_id: UUID | None
    deployment: str
    meters: Usage = Usage()
    cost_nano: int = 0
    charge_nano: int = 0
    lines: tuple[Line, ...] = ()
    price_version: str = ""
    estimated: bool = False
    attempts: tuple[Attempt, ...] = ()
    latency_ms: int = 0
    ttft_ms: int | None = None
    overhead_us: int = 0
    sensitivity: str = ""
    tags: dict[str, str] = {}
    corrects: UUID | None = None


UNPRICEABLE = frozenset({"bound", "adjustment"})
"""What lines name that no price book knows: amounts, not units, so that no price is missing."""


def adjustment_line(*, cost_nano: int, charge_nano: int) -> Line:
    """What stands in an entry that mends another: the amount that somebody said."""
    return Line(meter="adjustment", units=1, pico=0, cost_nano=cost_nano, charge_nano=charge_nano, price=0)


def bound_line(nano: int, attempts: int = 1) -> Line:
    """What stands in an entry for attempts whose real figures nobody knows: the most that they can cost."""
    return Line(meter="bound", units=attempts, pico=0, cost_nano=nano, charge_nano=nano, price=0)


def at_bound(entry: Entry, nano: int, attempts: int = 1) -> Entry:
    """The entry as it stands until somebody knows better: at the most that its attempts can cost."""
    lines = (bound_line(nano, attempts),) if nano else ()
    return replace(entry, cost_nano=nano, charge_nano=nano, lines=lines)


def abandoned_entry(skeleton: Entry) -> Entry:
    """The entry of a call that was admitted and then given up before any provider heard of it."""
    return replace(skeleton, status="failed", cost_nano=0, charge_nano=0, lines=(), estimated=False)


def correct_entry(unsettled: Entry, actual: Entry, now_ms: int) -> Entry:
    """The entry that turns an unsettled one, booked at its bound, into what really happened."""
    return replace(
        actual,
        id=uuid7(now_ms),
        at_ms=now_ms,
        corrects=unsettled.id,
        lines=(*actual.lines, *(_negated(line) for line in unsettled.lines)),
        cost_nano=actual.cost_nano - unsettled.cost_nano,
        charge_nano=actual.charge_nano - unsettled.charge_nano,
    )


def _negated(line: Line) -> Line:
    return replace(line, units=-line.units, cost_nano=-line.cost_nano, charge_nano=-line.charge_nano)
