"""Which deployment answers: failover, retries, fallbacks, and what a failure costs."""

import asyncio
from typing import Any

import pytest

from gateway.catalog import Model
from gateway.errors import (
    ContextTooLong,
    NoProvider,
    ProviderCut,
    ProviderEmpty,
    ProviderError,
    ProviderOverloaded,
    ProviderRefusedConnection,
    ProviderRejected,
    ProviderTimeout,
)
from gateway.retry import Effort
from tests.support.clock import FakeClock
from tests.support.engine import (
    BOUNDED,
    Rig,
    make_account,
    make_ask,
    make_deployment,
    make_model,
)
from tests.support.script import (
    DONE,
    ROLE,
    USAGE,
    Act,
    Listener,
    answers,
    chunk,
    completes,
    event,
    fails,
    streams,
)

HELLO = chunk(content="Hello")
ONCE = Effort(attempts=1)
SERVER_ERROR = answers(b'{"error":{"message":"secret of ours"}}', status=500)


def _in_turn(*names: str, **fields: Any) -> Model:
    return make_model(*(make_deployment(name, priority=at) for at, name in enumerate(names)), **fields)


def _outcomes(rig: Rig) -> list[str]:
    return [attempt.outcome for attempt in rig.entry.attempts]


async def test_the_next_deployment_takes_over(clock: FakeClock) -> None:
    rig = Rig(SERVER_ERROR, completes(), clock=clock, models=[_in_turn("alpha", "beta")], accounts=BOUNDED)
    outcome = await rig.run()
    assert rig.script.hosts == ["alpha", "beta"]
    assert outcome.served.provider == "beta"
    assert (rig.entry.provider, rig.entry.status) == ("beta", "settled")
    assert [(one.outcome, one.status) for one in rig.entry.attempts] == [("provider_error", 500), ("ok", 200)]
    rig.assert_balanced()


async def test_what_went_before_the_first_meaningful_event_is_not_told(clock: FakeClock) -> None:
    rig = Rig(
        streams(b": thinking\n\n", ROLE),
        streams(ROLE, HELLO, USAGE, DONE),
        clock=clock,
        models=[_in_turn("alpha", "beta")],
        accounts=BOUNDED,
    )
    listener = Listener()
    await rig.stream(listener)
    assert b"".join(listener.heard) == ROLE + HELLO + USAGE
    assert rig.script.hosts == ["alpha", "beta"]
    rig.assert_balanced()


@pytest.mark.parametrize("end", [ProviderCut(), ProviderTimeout()], ids=lambda end: end.code)
async def test_after_it_a_failure_is_the_callers_to_see(end: ProviderError, clock: FakeClock) -> None:
    rig = Rig(streams(ROLE, HELLO, end), clock=clock, models=[_in_turn("alpha", "beta")], accounts=BOUNDED)
    listener = Listener()
    with pytest.raises(type(end)):
        await rig.stream(listener)
    assert rig.script.hosts == ["alpha"]
    assert b"".join(listener.heard) == ROLE + HELLO
    assert (rig.entry.status, rig.entry.estimated, rig.entry.meters.output) == ("settled", True, 1)
    rig.assert_balanced()


async def test_an_error_event_before_the_first_word_is_a_failure(clock: FakeClock) -> None:
    told = event({"error": {"message": "overloaded"}})
    rig = Rig(streams(ROLE, told), completes(), clock=clock, effort=ONCE, accounts=BOUNDED)
    with pytest.raises(ProviderError):
        await rig.stream(Listener())
    assert (rig.entry.status, rig.entry.charge_nano) == ("failed", 0)
    rig.assert_balanced()


async def test_a_cut_stream_that_had_counted_its_tokens_is_booked_at_the_bound_once(clock: FakeClock) -> None:
    rig = Rig(streams(ROLE, USAGE), clock=clock, effort=ONCE, accounts=BOUNDED)
    with pytest.raises(ProviderCut):
        await rig.stream(Listener())
    assert (rig.entry.status, rig.entry.charge_nano) == ("unsettled", _bound_nano())
    rig.assert_balanced()


async def test_an_empty_answer_is_no_answer(clock: FakeClock) -> None:
    empty = answers(b'{"choices":[],"usage":{"prompt_tokens":1}}')
    rig = Rig(empty, clock=clock, effort=ONCE, accounts=BOUNDED)
    with pytest.raises(ProviderEmpty):
        await rig.run()
    assert (rig.entry.status, rig.entry.charge_nano) == ("unsettled", _bound_nano(stream=False))
    rig.assert_balanced()


async def test_the_same_deployment_is_asked_again_after_a_pause(clock: FakeClock) -> None:
    rig = Rig(SERVER_ERROR, SERVER_ERROR, completes(), clock=clock, accounts=BOUNDED)
    running = asyncio.create_task(rig.run())
    await clock.turn(10)
    await running
    assert _outcomes(rig) == ["provider_error", "provider_error", "ok"]
    first, second = clock.slept
    assert 0 <= first < 0.25
    assert 0 <= second < 0.5
    rig.assert_balanced()


async def test_a_provider_that_names_a_time_is_not_asked_before(clock: FakeClock) -> None:
    busy = answers(b"{}", status=429, retry_after="7")
    rig = Rig(busy, completes(), clock=clock)
    running = asyncio.create_task(rig.run())
    await clock.turn(6.9)
    assert len(rig.script.requests) == 1
    await clock.turn(0.2)
    await running
    assert _outcomes(rig) == ["provider_rate_limited", "ok"]


async def test_attempts_end_and_the_last_failure_is_told(clock: FakeClock) -> None:
    rig = Rig(SERVER_ERROR, clock=clock, accounts=BOUNDED)
    running = asyncio.create_task(rig.run())
    await clock.turn(30)
    with pytest.raises(ProviderError) as failed:
        await running
    assert "secret" not in failed.value.message
    assert len(rig.script.requests) == 3
    assert (rig.entry.status, rig.entry.charge_nano) == ("failed", 0)
    rig.assert_balanced()


async def test_a_retry_that_would_end_after_the_deadline_is_not_made(clock: FakeClock) -> None:
    busy = answers(b"{}", status=429, retry_after="30")
    rig = Rig(busy, clock=clock)
    with pytest.raises(ProviderOverloaded):
        await rig.run(timeout=20.0)
    assert clock.slept == []


async def test_a_rejected_request_is_not_tried_elsewhere(clock: FakeClock) -> None:
    rejected = answers(b'{"error":{"message":"bad tool","param":"tools"}}', status=422)
    rig = Rig(rejected, clock=clock, models=[_in_turn("alpha", "beta")], accounts=BOUNDED)
    with pytest.raises(ProviderRejected, match="bad tool") as failed:
        await rig.run()
    assert (failed.value.status, failed.value.param) == (422, "tools")
    assert rig.script.hosts == ["alpha"]
    assert (rig.entry.status, rig.entry.charge_nano) == ("failed", 0)


TOO_LONG = answers(b'{"error":{"message":"too long","code":"context_length_exceeded"}}', status=400)
UNSAFE = answers(b'{"error":{"message":"no","code":"content_policy_violation"}}', status=400)
FALLBACKS = {"context_length": ("long",), "content_policy": ("frank",), "error": ("spare",)}


@pytest.mark.parametrize(("act", "host"), [(TOO_LONG, "long"), (UNSAFE, "frank"), (SERVER_ERROR, "spare")])
async def test_a_fallback_is_chosen_by_the_cause(act: Act, host: str, clock: FakeClock) -> None:
    fallbacks = [_in_turn(name, name=name) for name in ("long", "frank", "spare")]
    models = [_in_turn("alpha", fallbacks=FALLBACKS), *fallbacks]
    rig = Rig(act, completes(), clock=clock, models=models, accounts=BOUNDED)
    await rig.run()
    assert rig.script.hosts == ["alpha", host]
    assert (rig.entry.model_asked, rig.entry.provider) == ("m", host)
    rig.assert_balanced()


async def test_too_long_a_prompt_is_not_sent_to_the_same_models_other_deployments(clock: FakeClock) -> None:
    rig = Rig(TOO_LONG, clock=clock, models=[_in_turn("alpha", "beta")])
    with pytest.raises(ContextTooLong):
        await rig.run()
    assert rig.script.hosts == ["alpha"]


async def test_a_fallback_for_any_cause_comes_last(clock: FakeClock) -> None:
    models = [_in_turn("alpha", fallbacks={"any": ("spare",)}), _in_turn("spare", name="spare")]
    rig = Rig(TOO_LONG, completes(), clock=clock, models=models)
    await rig.run()
    assert rig.script.hosts == ["alpha", "spare"]


async def test_a_fallback_that_is_gone_is_passed_over(clock: FakeClock) -> None:
    rig = Rig(completes(), clock=clock, models=[_in_turn("alpha", fallbacks={"any": ("blocked",)})])
    await rig.run()
    assert rig.entry.status == "settled"


@pytest.mark.parametrize(
    ("failure", "asked"),
    [(fails(ProviderTimeout()), ["alpha"]), (fails(ProviderRefusedConnection()), ["alpha", "beta"])],
    ids=["may be billed", "was never reached"],
)
async def test_a_further_attempt_is_held_for_where_both_may_be_billed(
    failure: Act, asked: list[str], clock: FakeClock
) -> None:
    bound = _bound_nano(stream=False)
    accounts = [make_account("nano", limit=2 * bound - 1)]
    models = [_in_turn("alpha", "beta")]
    rig = Rig(failure, completes(), clock=clock, models=models, accounts=accounts)
    if len(asked) == 1:
        with pytest.raises(NoProvider, match="budget does not allow another attempt"):
            await rig.run()
    else:
        await rig.run()
    assert rig.script.hosts == asked
    assert rig.entry.charge_nano == (bound if len(asked) == 1 else 20_000)


async def test_an_unseen_attempt_and_an_answered_one_are_both_booked(clock: FakeClock) -> None:
    models = [_in_turn("alpha", "beta")]
    rig = Rig(fails(ProviderTimeout()), completes(), clock=clock, models=models, accounts=BOUNDED)
    await rig.run()
    bound = _bound_nano(stream=False)
    assert rig.entry.charge_nano == bound + 20_000
    assert [line.meter for line in rig.entry.lines] == ["input", "output", "bound"]
    rig.assert_balanced()


async def test_a_raised_hold_that_is_swept_adds_up(clock: FakeClock) -> None:
    silent = streams(asyncio.Event())
    models = [_in_turn("alpha", "beta")]
    rig = Rig(fails(ProviderTimeout()), silent, clock=clock, models=models, accounts=BOUNDED)
    running = asyncio.create_task(rig.stream(Listener()))
    await clock.turn(0)
    clock.advance(60.1)
    await rig.books.sweep()
    assert rig.entry.charge_nano == 2 * _bound_nano()
    assert sum(line.charge_nano for line in rig.entry.lines) == rig.entry.charge_nano
    running.cancel()
    await asyncio.wait([running])


async def test_five_failures_open_the_breaker_and_one_probe_goes_through(clock: FakeClock) -> None:
    rig = Rig(*[SERVER_ERROR] * 6, completes(), clock=clock, effort=ONCE)
    for _ in range(5):
        with pytest.raises(ProviderError):
            await rig.run()
    with pytest.raises(NoProvider):
        await rig.run()
    assert len(rig.script.requests) == 5
    await clock.turn(61)
    probe, other = await asyncio.gather(rig.run(), rig.run(), return_exceptions=True)
    assert len(rig.script.requests) == 6
    assert isinstance(probe, ProviderError)
    assert isinstance(other, NoProvider)
    await clock.turn(61)
    await rig.run()
    await rig.run()
    assert len(rig.script.requests) == 8


async def test_a_callers_own_mistakes_never_open_the_breaker(clock: FakeClock) -> None:
    rig = Rig(answers(b"{}", status=400), clock=clock, effort=ONCE)
    for _ in range(8):
        with pytest.raises(ProviderRejected):
            await rig.run()
    assert len(rig.script.requests) == 8


def _bound_nano(*, stream: bool = True) -> int:
    return (len(make_ask(stream=stream).body) + 16) * 1_000 + 100 * 2_000
