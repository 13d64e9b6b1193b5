"""Calls that carry an `Idempotency-Key`: made once, answered alike, charged once."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from gateway import once
from gateway.call import Outcome
from gateway.errors import BudgetExceeded, GatewayError, ProviderRejected
from gateway.once import AnswerNotKept, IdempotencyConflict, InFlight, OutcomeUnknown
from tests.support.clock import FakeClock, idle
from tests.support.engine import BOUNDED, Rig, make_account, make_ask
from tests.support.script import DONE, ROLE, USAGE, Listener, answers, chunk, completes, streams, waits

WORDS = (ROLE, chunk(content="Hel"), chunk(content="lo"), USAGE)


async def repeat(rig: Rig, key: str = "key-1", **asked: Any) -> Outcome:
    return await rig.run(replace(make_ask(), **asked), idempotency_key=key)


async def test_a_repeated_call_gets_the_same_answer_and_no_second_charge(clock: FakeClock) -> None:
    rig = Rig(completes("hello"), clock=clock, accounts=BOUNDED)
    first, second = [await repeat(rig) for _ in range(2)]
    assert (second.reply.body, second.reply.status) == (first.reply.body, first.reply.status)
    assert second.reply.headers["idempotent-replayed"] == "true"
    assert (second.charge_nano, second.served.deployment) == (first.charge_nano, first.served.deployment)
    assert rig.entry.charge_nano == first.charge_nano
    rig.assert_balanced()


async def test_another_key_is_another_call(clock: FakeClock) -> None:
    rig = Rig(completes(), completes(), clock=clock)
    await repeat(rig, "key-1")
    await repeat(rig, "key-2")
    assert len(rig.entries) == 2


async def test_the_same_key_for_something_else_is_refused(clock: FakeClock) -> None:
    rig = Rig(completes(), clock=clock)
    await repeat(rig)
    with pytest.raises(IdempotencyConflict):
        await repeat(rig, body=make_ask().body + b" ")
    assert len(rig.entries) == 1


async def test_who_comes_while_the_call_is_under_way_waits_for_its_answer(clock: FakeClock) -> None:
    ended = asyncio.Event()
    rig = Rig(waits(ended, completes("hello")), clock=clock, accounts=BOUNDED)
    first = asyncio.create_task(repeat(rig))
    await idle()
    second = asyncio.create_task(repeat(rig))
    await clock.turn(3)
    assert not second.done()
    ended.set()
    await clock.turn(1)
    assert (await second).reply.body == (await first).reply.body
    assert len(rig.entries) == 1


async def test_nobody_waits_for_ever(clock: FakeClock) -> None:
    rig = Rig(waits(asyncio.Event(), completes()), clock=clock)
    first = asyncio.create_task(repeat(rig))
    await idle()
    second = asyncio.create_task(repeat(rig))
    await clock.turn(once.WAIT_SECONDS)
    with pytest.raises(InFlight):
        await second
    first.cancel()
    await asyncio.wait([first])


async def test_a_call_whose_process_died_is_not_made_again(clock: FakeClock) -> None:
    rig = Rig(clock=clock, accounts=BOUNDED)
    await rig.books.post([rig.admitted(rig.call(idempotency_key="key-1")).hold])
    clock.advance(61)
    await rig.books.sweep()
    with pytest.raises(OutcomeUnknown):
        await repeat(rig)
    assert [entry.status for entry in rig.entries] == ["unsettled"]


@pytest.mark.parametrize("refusal", [BudgetExceeded, ProviderRejected])
async def test_a_call_that_came_to_nothing_may_be_made_again(
    refusal: type[GatewayError], clock: FakeClock
) -> None:
    poor = refusal is BudgetExceeded
    accounts = [make_account("nano", limit=1)] if poor else BOUNDED
    rig = Rig(answers(b"{}", 400), completes(), clock=clock, accounts=accounts)
    with pytest.raises(refusal):
        await repeat(rig)
    if poor:
        with pytest.raises(refusal):
            await repeat(rig)
    else:
        assert (await repeat(rig)).reply.status == 200


async def test_a_stream_is_told_again_as_a_stream(clock: FakeClock) -> None:
    rig = Rig(streams(*WORDS, DONE), clock=clock, accounts=BOUNDED)
    heard = []
    for _ in range(2):
        listener = Listener()
        outcome = await rig.stream(listener, idempotency_key="key-1")
        heard.append((b"".join(listener.heard), outcome.reply.body, listener.served is not None))
    assert heard[0] == heard[1]
    assert heard[0][1] == DONE
    assert len(rig.entries) == 1


async def test_a_stream_that_was_cut_is_not_made_again(clock: FakeClock) -> None:
    rig = Rig(streams(ROLE, chunk(content="Hel")), clock=clock, accounts=BOUNDED)
    with pytest.raises(GatewayError):
        await rig.stream(Listener(), idempotency_key="key-1")
    with pytest.raises(OutcomeUnknown):
        await rig.stream(Listener(), idempotency_key="key-1")
    assert len(rig.entries) == 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_an_answer_too_long_to_be_kept_is_given_once(
    stream: bool, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(once, "KEPT_AT_MOST", 10)
    rig = Rig(streams(*WORDS, DONE) if stream else completes("hello"), clock=clock)

    async def run() -> Outcome:
        return await (rig.stream(Listener(), idempotency_key="k") if stream else repeat(rig, "k"))

    await run()
    with pytest.raises(AnswerNotKept):
        await run()
    assert len(rig.entries) == 1


async def test_a_key_is_free_again_after_a_day(clock: FakeClock) -> None:
    rig = Rig(completes(), completes(), clock=clock)
    await repeat(rig)
    clock.advance(86_401)
    await repeat(rig)
    assert len(rig.entries) == 2
