"""A call from the key to the ledger, whole and streamed."""

import asyncio
import gc
from collections.abc import Container, Sequence
from uuid import UUID

import msgspec
import pytest
from msgspec.structs import replace

from gateway.accounts import Kept, Order, Settlement, Verdict
from gateway.errors import BooksAway, BudgetExceeded, Unauthenticated
from gateway.exchange import Timeouts
from gateway.memory import MemoryBooks, MemorySpill
from gateway.principal import Policy
from gateway.tab import Tab
from gateway.trial import Trial
from tests.support.clock import FakeClock, idle
from tests.support.engine import (
    BOUNDED,
    TENANT,
    Rig,
    make_account,
    make_ask,
    make_deployment,
    make_model,
    make_provider,
)
from tests.support.script import DONE, ROLE, USAGE, Listener, chunk, completes, streams

CALLS = make_account("requests", 60, "minute")
COST_NANO = 10 * 1_000 + 5 * 2_000
WORDS = (ROLE, chunk(content="Hel"), chunk(content="lo"), USAGE)


class HeldBackBooks(MemoryBooks):
    """Books that journal nothing until they are let."""

    def __init__(self, books: MemoryBooks) -> None:
        super().__init__(books.clock)
        self.tally, self.entries = books.tally, books.entries
        self.let = asyncio.Event()

    async def post(self, orders: Sequence[Order]) -> Sequence[Verdict]:
        if any(isinstance(order, Settlement) for order in orders):
            await self.let.wait()
        return await super().post(orders)


async def test_an_answer_is_priced_journaled_and_handed_on_untouched(clock: FakeClock) -> None:
    rig = Rig(completes("hello"), clock=clock, accounts=BOUNDED)
    outcome = await rig.run()
    assert b'"content":"hello"' in outcome.reply.body
    assert outcome.charge_nano == COST_NANO
    assert outcome.served.deployment == "alpha/m"
    entry = rig.entry
    assert (entry.status, entry.charge_nano, entry.cost_nano) == ("settled", COST_NANO, COST_NANO)
    assert (entry.tenant_id, entry.key, entry.provider, entry.model) == (TENANT, "app", "alpha", "m")
    assert [(line.meter, line.units) for line in entry.lines] == [("input", 10), ("output", 5)]
    assert [(attempt.outcome, attempt.status) for attempt in entry.attempts] == [("ok", 200)]
    assert entry.price_version == "v1"
    assert not entry.estimated
    rig.assert_balanced()


async def test_an_unknown_key_reaches_neither_books_nor_provider(clock: FakeClock) -> None:
    rig = Rig(completes(), clock=clock)
    with pytest.raises(Unauthenticated):
        await rig.run(credential="gw-charlie")
    assert (rig.entries, rig.script.requests) == ([], [])


async def test_a_refused_call_names_the_account_and_leaves_no_entry(clock: FakeClock) -> None:
    rig = Rig(completes(), clock=clock, accounts=[make_account("nano", limit=10)])
    with pytest.raises(BudgetExceeded, match="budget of tenant 'acme' is used up"):
        await rig.run()
    assert (rig.entries, rig.script.requests) == ([], [])
    rig.assert_balanced()


async def test_the_rest_of_a_hold_is_there_for_the_next_call(clock: FakeClock) -> None:
    ask = make_ask(max_tokens=10)
    worst = (len(ask.body) + 16) * 1_000 + 10 * 2_000
    rig = Rig(completes(), clock=clock, accounts=[make_account("nano", limit=worst + COST_NANO)])
    await rig.run(ask)
    await rig.run(ask)
    with pytest.raises(BudgetExceeded):
        await rig.run(ask)
    assert rig.spent("nano") == 2 * COST_NANO


async def test_a_stream_is_relayed_as_it_comes_after_it_was_committed(clock: FakeClock) -> None:
    listener = Listener()
    rig = Rig(streams(*WORDS, DONE), clock=clock, accounts=BOUNDED)
    outcome = await rig.stream(listener)
    assert listener.served is not None
    assert listener.served.deployment == "alpha/m"
    assert listener.heard == [ROLE + WORDS[1], WORDS[2], USAGE]
    assert outcome.reply.body == DONE
    assert (rig.entry.status, rig.entry.charge_nano) == ("settled", COST_NANO)
    rig.assert_balanced()


async def test_the_end_of_a_stream_waits_for_the_ledger(clock: FakeClock) -> None:
    listener = Listener()
    held_back: list[HeldBackBooks] = []

    def wrapped(books: MemoryBooks) -> HeldBackBooks:
        held_back.append(HeldBackBooks(books))
        return held_back[0]

    rig = Rig(streams(*WORDS, DONE), clock=clock, books=wrapped)
    running = asyncio.create_task(rig.stream(listener))
    await idle()
    assert b"".join(listener.heard) == b"".join(WORDS)
    assert not running.done()
    assert rig.entries == []
    held_back[0].let.set()
    outcome = await running
    assert outcome.reply.body == DONE
    assert rig.entry.status == "settled"


async def test_quotas_are_told_before_the_first_byte(clock: FakeClock) -> None:
    listener = Listener()
    rig = Rig(streams(*WORDS, DONE), clock=clock, accounts=[make_account("requests", 60, "minute")])
    await rig.stream(listener)
    assert listener.served is not None
    (rate,) = listener.served.rates
    assert (rate.unit, rate.limit, rate.remaining, rate.reset_ms) == ("requests", 60, 59, 60_000)


async def test_an_end_user_is_an_id_in_the_ledger(clock: FakeClock) -> None:
    rig = Rig(completes(), clock=clock)
    person = await rig.gateway.directory.end_user(rig.principal, "charlie")
    await rig.run(replace(make_ask(), end_user="charlie"))
    assert rig.entry.end_user_id == person.id


async def test_tending_goes_on_while_nothing_is_open(clock: FakeClock) -> None:
    rig = Rig(completes(), clock=clock)
    tending = asyncio.create_task(rig.gateway.tending().run())
    await clock.turn(100)
    assert not tending.done()
    tending.cancel()


async def test_tending_outlives_books_that_are_away(clock: FakeClock) -> None:
    class AwayBooks(MemoryBooks):
        async def sweep(self) -> int:
            raise BooksAway

    rig = Rig(completes(), clock=clock, books=lambda books: AwayBooks(books.clock))
    tending = asyncio.create_task(rig.gateway.tending().run())
    await clock.turn(30)
    assert not tending.done()
    tending.cancel()


async def test_tending_outlives_what_nobody_thought_of(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    class OddBooks(MemoryBooks):
        async def sweep(self) -> int:
            raise RuntimeError("nobody thought of this")

    rig = Rig(completes(), clock=clock, books=lambda books: OddBooks(books.clock))
    tending = asyncio.create_task(rig.gateway.tending().run())
    await clock.turn(30)
    assert not tending.done()
    assert "nobody thought of this" in caplog.text
    tending.cancel()


class HangingSpill(MemorySpill):
    """A disk that does not answer."""

    async def kept(self, under_way: Container[UUID] = ()) -> Sequence[Kept]:
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]  # nothing comes


@pytest.mark.parametrize("spill", [MemorySpill(), HangingSpill()], ids=["", "while a disk hangs"])
async def test_the_lease_of_a_long_call_is_kept(clock: FakeClock, spill: MemorySpill) -> None:
    ended = asyncio.Event()
    patient = make_provider(timeouts=Timeouts(idle=500.0))
    models = [make_model(make_deployment(provider=patient))]
    rig = Rig(streams(*WORDS, ended, DONE), clock=clock, accounts=BOUNDED, models=models, spill=spill)
    tending = asyncio.create_task(rig.gateway.tending().run())
    running = asyncio.create_task(rig.stream(Listener(), timeout=1000.0))
    await idle()
    for _ in range(10):
        await clock.turn(12)
        assert not running.done()
    assert await rig.books.sweep() == 0
    assert len(rig.books.tally.holds) == 1
    ended.set()
    await running
    tending.cancel()
    assert rig.entry.status == "settled"
    rig.assert_balanced()


async def test_a_prompt_whose_bytes_do_not_fit_is_counted_before_it_is_refused(clock: FakeClock) -> None:
    ask = make_ask("hello world " * 200)
    budget = make_account("nano", limit=(1_000 * len(ask.body) + 2_000 * 100) // 2)
    models = [make_model(vocabulary="o200k_base", max_output=100)]
    rig = Rig(completes(), clock=clock, accounts=[budget, CALLS], models=models)
    assert (await rig.run(ask)).charge_nano == COST_NANO
    rig.assert_balanced()


async def test_an_answer_that_is_cut_to_the_budget_is_asked_for_so(clock: FakeClock) -> None:
    ask = make_ask("hello")
    budget = make_account("nano", limit=1_000 * (len(ask.body) + 16) + 2_000 * 40)
    rig = Rig(completes(), clock=clock, accounts=[budget, CALLS], policy=Policy(over_budget="clamp"))
    await rig.run(ask)
    (request,) = rig.script.requests
    assert msgspec.json.decode(request.body)["max_tokens"] == 40
    rig.assert_balanced()


async def test_a_call_leaves_nothing_behind_for_the_collector(clock: FakeClock) -> None:
    """What refers to itself in a circle stays in memory, with all it carries, until somebody looks for it."""
    rig = Rig(completes(), clock=clock)
    await rig.run()
    gc.collect()
    gc.disable()
    try:
        before = _tabs()
        for _ in range(3):
            await rig.run()
        assert _tabs() == before
    finally:
        gc.enable()


def _tabs() -> int:
    return sum(isinstance(one, Tab | Trial) for one in gc.get_objects())
