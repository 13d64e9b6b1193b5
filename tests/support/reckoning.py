"""What must stand in the ledger for each call, whatever became of the processes that had it.

Each request is booked once. What was swept while its process lived is swept at its bound, and what the
process says later mends it, once: both together come to what the call has cost.

A rule is a function that says whether it holds for a case; its name is what is said when it does not.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf

from tests.support.crowd import Made, Try
from tests.support.fleet import REDIS, Fleet
from tests.support.gateway_books import Row
from tests.support.provider_scripts import COMPLETION_TOKENS, PROMPT_TOKENS
from tests.support.provider_stub import Heard, ProviderStub

EXACT_METERS = {"input": PROMPT_TOKENS, "output": COMPLETION_TOKENS}
_KNOWN_STATUSES = frozenset({None, 200, 429, 503})
_NOTICED_WITHIN = 2.0
"""So long it takes at most until callers notice that their process died, or it that they left."""
_AFTER_A_LOSS = frozenset({409})
"""What somebody may be told who asks again, once the first answer is lost."""


@dataclass(frozen=True, kw_only=True)
class Booking:
    """What was booked for one request: an entry, and what mends it."""

    entry: Row
    corrections: list[Row]
    died_later: bool
    """Its process was killed, while it had it or afterwards."""
    was_out_of_touch: bool
    """Its process or Redis hung meanwhile, so that it may have lived and not have kept its lease."""

    @property
    def last(self) -> Row:
        """The last word."""
        return [self.entry, *self.corrections][-1]

    @property
    def charge(self) -> int:
        """What is to be paid for it in all."""
        return self.entry.charge_nano + sum(row.charge_nano for row in self.corrections)

    @property
    def was_swept(self) -> bool:
        """Whether its process had not said how it went: an entry of its own names its attempts."""
        return self.entry.status == "unsettled" and not self.entry.attempts


@dataclass(frozen=True, kw_only=True)
class Case:
    """One call: what its caller, its provider and the ledger say."""

    made: Made
    heard: list[Heard]
    rows: list[Row]
    bookings: list[Booking]
    bill: int
    """What the provider asks for it, in nano-dollars."""
    died_meanwhile: bool
    """A process that had it was killed."""
    died_later: bool
    """So it was, while it had it or afterwards."""

    @property
    def entries(self) -> list[Row]:
        """What was booked for it, but for corrections."""
        return [row for row in self.rows if row.corrects is None]

    @property
    def corrections(self) -> list[Row]:
        """What was booked to mend that."""
        return [row for row in self.rows if row.corrects is not None]

    @property
    def charged(self) -> list[Booking]:
        """Of which somebody has to pay: their last word is not that they came to nothing."""
        return [booking for booking in self.bookings if booking.last.status != "failed"]

    @property
    def last(self) -> Row | None:
        """The last word on what is to be paid."""
        return self.charged[-1].last if self.charged else None

    @property
    def charge(self) -> int:
        """What is to be paid in all."""
        return sum(row.charge_nano for row in self.rows)

    @property
    def completed(self) -> bool:
        """Whether the provider has sent its whole answer."""
        return any(one.completed for one in self.heard)

    @property
    def is_exact(self) -> bool:
        """Whether the last word is the provider's own."""
        last = self.last
        return (
            last is not None
            and (last.status, last.estimated, self.charge) == ("settled", False, self.bill)
            and {meter: units for meter, units in last.meters.items() if units} == EXACT_METERS
        )

    @property
    def is_at_bound(self) -> bool:
        """Whether nobody knows, and it is booked at the most that it can have cost."""
        return [one.last.status for one in self.charged] == ["unsettled"] and self.charge >= self.bill

    @property
    def is_counted(self) -> bool:
        """Whether it was cut, and what was delivered is counted, which is no more than the whole answer."""
        last = self.last
        pieces = max(one.pieces for one in self.made.tries)
        return (
            last is not None
            and last.estimated
            and last.meters.get("output", 0) >= pieces
            and self.charge <= self.bill
        )


def it_reaches_the_provider_once(case: Case) -> bool:
    return len(case.heard) <= 1


def no_request_is_booked_twice(case: Case) -> bool:
    return len({row.request_id for row in case.entries}) == len(case.entries)


def it_is_charged_once(case: Case) -> bool:
    return len(case.charged) <= 1


def corrections_name_its_entry_once(case: Case) -> bool:
    corrected = [(row.corrects, row.request_id) for row in case.corrections]
    entries = {(row.id, row.request_id) for row in case.entries}
    return len(corrected) == len(set(corrected)) and set(corrected) <= entries


def only_what_was_swept_is_corrected(case: Case) -> bool:
    return all(one.was_swept and one.was_out_of_touch for one in case.bookings if one.corrections)


def what_was_swept_from_the_living_is_corrected(case: Case) -> bool:
    return all(one.corrections or one.died_later for one in case.bookings if one.was_swept)


def a_correction_never_asks_for_more(case: Case) -> bool:
    return all(row.charge_nano <= 0 for row in case.corrections)


def what_came_to_nothing_costs_nothing(case: Case) -> bool:
    return all(one.charge == 0 for one in case.bookings if one.last.status == "failed")


def what_is_to_be_paid_is_something(case: Case) -> bool:
    return all(one.charge > 0 for one in case.charged)


def what_the_provider_heard_is_booked(case: Case) -> bool:
    return not case.heard or len(case.charged) == 1


def what_was_answered_is_exact(case: Case) -> bool:
    return case.is_exact or not case.made.answered


def what_a_process_saw_to_its_end_is_exact(case: Case) -> bool:
    return case.is_exact or not case.completed or case.died_meanwhile or case.made.left


def what_nobody_saw_is_at_its_bound(case: Case) -> bool:
    is_known = case.is_exact or case.is_at_bound or (case.made.left and case.is_counted)
    return not case.heard or is_known


def what_no_provider_heard_costs_nothing(case: Case) -> bool:
    return case.charge == 0 or bool(case.heard) or case.died_later


def nobody_is_left_without_an_answer(case: Case) -> bool:
    told = any(one.status is not None for one in case.made.tries)
    return told or case.made.left or case.died_meanwhile or not case.heard


def nobody_is_told_nonsense(case: Case) -> bool:
    known = _KNOWN_STATUSES | (_AFTER_A_LOSS if case.made.call.once else frozenset())
    return {one.status for one in case.made.tries} <= known


RULES: tuple[Callable[[Case], bool], ...] = (
    it_reaches_the_provider_once,
    no_request_is_booked_twice,
    it_is_charged_once,
    corrections_name_its_entry_once,
    only_what_was_swept_is_corrected,
    what_was_swept_from_the_living_is_corrected,
    a_correction_never_asks_for_more,
    what_came_to_nothing_costs_nothing,
    what_is_to_be_paid_is_something,
    what_the_provider_heard_is_booked,
    what_was_answered_is_exact,
    what_a_process_saw_to_its_end_is_exact,
    what_nobody_saw_is_at_its_bound,
    what_no_provider_heard_costs_nothing,
    nobody_is_left_without_an_answer,
    nobody_is_told_nonsense,
)


def complaints_about(cases: Iterable[Case]) -> list[str]:
    """Which rules are broken by which call, with all that is known of it."""
    broken = [(case, [rule.__name__ for rule in RULES if not rule(case)]) for case in cases]
    return [f"not so: {', '.join(names)}\n  {_told(case)}" for case, names in broken if names]


def cases_of(fleet: Fleet, provider: ProviderStub, made: Sequence[Made], *, bill: int) -> list[Case]:
    """Each call with what its provider and the ledger say of it."""
    heard: defaultdict[str, list[Heard]] = defaultdict(list)
    for model in {one.call.model for one in made}:
        for each in provider.heard(model.rpartition("/")[2]):
            heard[each.member("call_name")].append(each)
    rows: defaultdict[str, list[Row]] = defaultdict(list)
    for row in fleet.gateway.ledger():
        rows[row.request_id.rpartition(".")[0]].append(row)
    return [
        Case(
            made=one,
            heard=heard[one.call.name],
            rows=rows[one.call.name],
            bookings=_bookings(fleet, one, rows[one.call.name]),
            bill=bill,
            died_meanwhile=_died(fleet, one, _NOTICED_WITHIN),
            died_later=_died(fleet, one, inf),
        )
        for one in made
    ]


def _bookings(fleet: Fleet, made: Made, rows: Sequence[Row]) -> list[Booking]:
    tries = {one.request: one for one in made.tries}
    return [
        Booking(
            entry=entry,
            corrections=[row for row in rows if row.corrects == entry.id],
            died_later=_lost(fleet, tries[entry.request_id], inf),
            was_out_of_touch=_out_of_touch(fleet, tries[entry.request_id]),
        )
        for entry in rows
        if entry.corrects is None
    ]


def _out_of_touch(fleet: Fleet, one: Try) -> bool:
    return any(fleet.was_silent(part, one.began, one.ended + _NOTICED_WITHIN) for part in (one.port, REDIS))


def _died(fleet: Fleet, made: Made, seconds: float) -> bool:
    """Whether a process that was asked was killed, so many seconds after it answered at most."""
    return any(_lost(fleet, one, seconds) for one in made.tries)


def _lost(fleet: Fleet, one: Try, seconds: float) -> bool:
    return fleet.was_killed(one.port, one.began, one.ended + seconds)


def _told(case: Case) -> str:
    call = case.made.call
    tries = [(one.status, one.whole, one.left, one.pieces) for one in case.made.tries]
    heard = [(one.completed, one.left) for one in case.heard]
    rows = [(row.request_id, row.status, row.charge_nano, row.estimated, row.corrects) for row in case.rows]
    deaths = (case.died_meanwhile, case.died_later, [one.was_out_of_touch for one in case.bookings])
    who = (call.caller.tenant, call.stream, call.once, call.after, call.seconds, call.leaves_after)
    return f"{call.name} {who=} {tries=} {heard=} {rows=} {deaths=}"
