"""What must stand in the ledger for each call, whatever became of the processes that had it.

A rule is a function that says whether it holds for a case; its name is what is said when it does not.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf

from tests.support.crowd import Made
from tests.support.fleet import Fleet
from tests.support.gateway_books import Row
from tests.support.provider_scripts import COMPLETION_TOKENS, PROMPT_TOKENS
from tests.support.provider_stub import Heard, ProviderStub

EXACT_METERS = {"input": PROMPT_TOKENS, "output": COMPLETION_TOKENS}
_KNOWN_STATUSES = frozenset({None, 200, 429, 503})
_DEATH_SECONDS = 2.0
"""So long after a process was killed, at most, its callers notice."""
_AFTER_A_LOSS = frozenset({409})
"""What somebody may be told who asks again, once the first answer is lost."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One call: what its caller, its provider and the ledger say."""

    made: Made
    heard: list[Heard]
    rows: list[Row]
    bill: int
    """What the provider asks for it, in nano-dollars."""
    died_meanwhile: bool
    """A process that had it was killed."""
    died_later: bool
    """So it was, while it had it or afterwards."""
    allows: bool
    """Its tenant has calls made though the books are away: such a call is known to its process alone."""

    @property
    def entries(self) -> list[Row]:
        """What was booked for it, but for corrections."""
        return [row for row in self.rows if row.corrects is None]

    @property
    def charged(self) -> list[Row]:
        """Entries of which somebody has to pay."""
        return [row for row in self.entries if row.status != "failed"]

    @property
    def to_be_paid(self) -> list[Row]:
        """What was booked for it and not found to be nothing, corrections included."""
        return [row for row in self.rows if row.status != "failed"]

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
        last = self.to_be_paid[-1] if self.to_be_paid else None
        return (
            last is not None
            and (last.status, last.estimated, self.charge) == ("settled", False, self.bill)
            and {meter: units for meter, units in last.meters.items() if units} == EXACT_METERS
        )

    @property
    def is_at_bound(self) -> bool:
        """Whether nobody knows, and it is booked at the most that it can have cost."""
        return [row.status for row in self.to_be_paid] == ["unsettled"] and self.charge >= self.bill

    @property
    def is_forgotten(self) -> bool:
        """Whether nothing is known of it, and nothing was promised."""
        return not self.rows and self.allows and self.died_later and not self.made.answered

    @property
    def is_counted(self) -> bool:
        """Whether it was cut, and what was delivered is counted."""
        last = self.to_be_paid[-1] if self.to_be_paid else None
        pieces = max(one.pieces for one in self.made.tries)
        return last is not None and last.estimated and last.meters.get("output", 0) >= pieces


def it_reaches_the_provider_once(case: Case) -> bool:
    return len(case.heard) <= 1


def no_request_is_booked_twice(case: Case) -> bool:
    return len({row.request_id for row in case.entries}) == len(case.entries)


def it_is_charged_once(case: Case) -> bool:
    return len(case.charged) <= 1


def corrections_name_its_entry_once(case: Case) -> bool:
    corrected = [row.corrects for row in case.rows if row.corrects is not None]
    return len(corrected) == len(set(corrected)) and set(corrected) <= {row.id for row in case.entries}


def what_the_provider_heard_is_booked(case: Case) -> bool:
    return not case.heard or len(case.charged) == 1 or case.is_forgotten


def what_was_answered_is_exact(case: Case) -> bool:
    return case.is_exact or not case.made.answered


def what_a_process_saw_to_its_end_is_exact(case: Case) -> bool:
    return case.is_exact or not case.completed or case.died_meanwhile or case.made.left


def what_nobody_saw_is_at_its_bound(case: Case) -> bool:
    is_known = case.is_exact or case.is_at_bound or (case.made.left and case.is_counted)
    return not case.heard or is_known or case.is_forgotten


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
            bill=bill,
            died_meanwhile=_died(fleet, one, _DEATH_SECONDS),
            died_later=_died(fleet, one, inf),
            allows=one.call.caller.tenant in fleet.allowing,
        )
        for one in made
    ]


def _died(fleet: Fleet, made: Made, seconds: float) -> bool:
    """Whether a process that was asked was killed, so many seconds after it answered at most."""
    return any(fleet.was_killed(one.port, one.began, one.ended + seconds) for one in made.tries)


def _told(case: Case) -> str:
    call = case.made.call
    tries = [(one.status, one.whole, one.left, one.pieces) for one in case.made.tries]
    heard = [(one.completed, one.left) for one in case.heard]
    rows = [(row.request_id, row.status, row.charge_nano, row.estimated, row.corrects) for row in case.rows]
    deaths = (case.died_meanwhile, case.died_later)
    who = (call.caller.tenant, call.stream, call.once, call.after, call.seconds, call.leaves_after)
    return f"{call.name} {who=} {tries=} {heard=} {rows=} {deaths=}"
