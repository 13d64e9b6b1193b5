"""What is decided of a call is noted, and kept for a while by its request id."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from gateway.catalog import ProviderKey, Secret
from gateway.errors import (
    BudgetExceeded,
    ConcurrencyLimited,
    GatewayError,
    NoSecureProvider,
    ProviderOverloaded,
    ProviderRefusedConnection,
    UnknownModel,
)
from gateway.ids import uuid7
from gateway.once import IdempotencyConflict
from gateway.principal import Policy
from gateway.reasons import LONGEST_NAME, Reasons
from gateway.retry import Effort
from tests.support.clock import FakeClock, idle
from tests.support.engine import (
    BOUNDED,
    OTHER_TENANT,
    Rig,
    make_account,
    make_ask,
    make_deployment,
    make_model,
    make_provider,
)
from tests.support.script import completes, fails, hangs, waits

Note = tuple[str, str, str]
PATIENT = Policy(queue_seconds=30.0)


def known(rig: Rig, request_id: str = "req-1") -> list[Reasons]:
    return rig.gateway.recent.find(request_id)


def only(rig: Rig) -> Reasons:
    (one,) = known(rig)
    return one


def notes(rig: Rig) -> list[Note]:
    return list(only(rig).notes)


def pair(**second: Any) -> Sequence[Any]:
    """Two deployments, the first of which is tried first."""
    return make_deployment("alpha", priority=0), make_deployment("beta", priority=1, **second)


def rig_of(*acts: Any, clock: FakeClock, model: Any = None, **options: Any) -> Rig:
    models = [model or make_model(*pair())]
    return Rig(*acts, clock=clock, models=models, **{"accounts": BOUNDED} | options)


async def test_of_an_ordinary_call_its_entry_tells_all(clock: FakeClock) -> None:
    rig = Rig(completes(), clock=clock, accounts=BOUNDED)
    await rig.run()
    assert (len(rig.gateway.recent), known(rig)) == (0, [])


async def test_the_order_of_deployments_is_told_with_what_decided_it(clock: FakeClock) -> None:
    twins = make_model(make_deployment("alpha", weight=1), make_deployment("beta", weight=0))
    rig = rig_of(completes(), clock=clock, model=twins)
    await rig.run()
    told = only(rig)
    assert (told.candidates, told.status, told.code) == (("alpha/m", "beta/m"), 200, "")
    assert notes(rig) == [("ordered", "m", "priorities")]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"strategy": "price"}, "price"),
        ({"sticky": "key"}, "weighted"),
        ({"sticky": "conversation"}, "sticky:conversation"),
    ],
)
async def test_a_strategy_or_what_a_call_keeps_to_is_named(
    clock: FakeClock, fields: dict[str, Any], why: str
) -> None:
    twins = make_model(make_deployment("alpha"), make_deployment("beta"), **fields)
    rig = rig_of(completes(), clock=clock, model=twins)
    await rig.run()
    assert notes(rig) == [("ordered", "m", why)]


async def test_who_takes_over_and_why_is_told(clock: FakeClock) -> None:
    rig = rig_of(fails(ProviderRefusedConnection()), completes(), clock=clock)
    await rig.run()
    told = only(rig)
    assert told.candidates == ("alpha/m", "beta/m")
    assert [(one.deployment, one.outcome) for one in told.attempts] == [
        ("alpha/m", "provider_unreachable"),
        ("beta/m", "ok"),
    ]


async def test_a_fallback_is_told_with_its_cause(clock: FakeClock) -> None:
    model = make_model(make_deployment("alpha"), fallbacks={"error": ("spare",)})
    rig = Rig(
        fails(ProviderRefusedConnection()),
        completes(),
        clock=clock,
        accounts=BOUNDED,
        models=[model, make_model(make_deployment("beta"), name="spare")],
    )
    await rig.run()
    assert notes(rig) == [("fell_back", "spare", "error")]
    assert only(rig).candidates == ("beta/m",)


async def test_a_breaker_that_is_open_is_told(clock: FakeClock) -> None:
    rig = rig_of(completes(), clock=clock)
    first = rig.gateway.catalog.snapshot().models["m"].deployments[0]
    for _ in range(50):
        rig.gateway.board.failed(first, "provider_error")
    await rig.run()
    assert ("skipped", "alpha/m", "breaker_open") in notes(rig)


async def test_who_is_left_out_is_told_with_the_reason(clock: FakeClock) -> None:
    theirs = make_deployment("theirs", provider=make_provider("theirs", tenant_id=OTHER_TENANT))
    strange = make_deployment("strange", provider=make_provider("strange", wire="anthropic"))
    low, high = (
        make_deployment(level, provider=make_provider(level, security=level)) for level in ("low", "high")
    )
    rig = rig_of(completes(), clock=clock, model=make_model(theirs, low, high, strange))
    await rig.run(sensitivity="confidential")
    left_out = {(where, why) for what, where, why in notes(rig) if what == "left_out"}
    assert {("theirs/m", "of_another_tenant"), ("low/m", "not_secure_enough")} <= left_out
    assert only(rig).candidates == ("high/m",)


async def test_where_nobody_is_secure_enough_all_are_named(clock: FakeClock) -> None:
    low = make_deployment("low", provider=make_provider("low", security="low"))
    rig = rig_of(completes(), clock=clock, model=make_model(low))
    with pytest.raises(NoSecureProvider):
        await rig.run(sensitivity="confidential")
    assert (only(rig).status, only(rig).code) == (403, "no_secure_provider")
    assert notes(rig) == [("left_out", "low/m", "not_secure_enough")]


async def test_a_refusal_names_the_account_and_when_to_come_back(clock: FakeClock) -> None:
    rig = Rig(completes(), clock=clock, accounts=[make_account("nano", 0)])
    with pytest.raises(BudgetExceeded):
        await rig.run()
    told = only(rig)
    assert (told.status, told.code, told.attempts, rig.entries) == (429, "budget_exceeded", (), [])
    ((what, where, why),) = told.notes
    assert (what, where) == ("refused", "money of tenant 'acme'")
    assert why.startswith("retry after ")


async def test_of_a_person_nothing_is_told_but_that_it_is_one() -> None:
    told = make_account("requests", window="minute")
    assert told.told == "requests per minute of tenant 'acme'"
    person = type(told)(
        id="p", scope="end_user", name="alice@example.com", unit="tokens", limit=1, window="day"
    )
    assert person.told == "tokens per day of end user"


async def test_who_is_refused_before_the_accounts_are_known_is_told_too(clock: FakeClock) -> None:
    rig = Rig(completes(), clock=clock, accounts=BOUNDED)
    name = "nobody's" * 1_000
    with pytest.raises(UnknownModel):
        await rig.run(make_ask(model=name))
    told = only(rig)
    assert (told.status, told.code, told.model) == (404, "model_not_found", "")
    assert told.model_asked == name[:LONGEST_NAME]


async def test_strangers_leave_nothing(clock: FakeClock) -> None:
    rig = Rig(completes(), clock=clock, accounts=BOUNDED)
    with pytest.raises(GatewayError):
        await rig.run(credential="not a key")
    assert len(rig.gateway.recent) == 0


async def test_who_left_is_told_without_a_status(clock: FakeClock) -> None:
    rig = rig_of(hangs(), clock=clock)
    running = asyncio.create_task(rig.run())
    await idle()
    running.cancel()
    await asyncio.wait([running])
    assert (only(rig).status, only(rig).code) == (None, "caller_left")


async def test_where_a_call_waited_and_how_long_is_told(clock: FakeClock) -> None:
    done = asyncio.Event()
    accounts = (make_account("concurrency", 1, "none"),)
    rig = Rig(waits(done, completes()), completes(), clock=clock, accounts=accounts, policy=PATIENT)
    first = asyncio.create_task(rig.run(request_id="first"))
    await idle()
    second = asyncio.create_task(rig.run())
    await idle()
    clock.advance(2.5)
    done.set()
    await first
    outcome = await second
    told = only(rig)
    assert notes(rig) == [("waited", "concurrency of tenant 'acme'", "2500 ms")]
    assert (told.waited_ms, told.position, known(rig, "first")) == (2500, 1, [])
    assert (outcome.served.waited_ms, outcome.served.position) == (2500, 1)


async def test_who_waited_in_vain_is_told_how_long(clock: FakeClock) -> None:
    accounts = (make_account("concurrency", 1, "none"),)
    rig = Rig(hangs(), clock=clock, accounts=accounts, policy=PATIENT)
    first = asyncio.create_task(rig.run(request_id="first"))
    await idle()
    second = asyncio.create_task(rig.run())
    await idle()
    clock.advance(31)
    with pytest.raises(ConcurrencyLimited) as refused:
        await second
    assert refused.value.outcome is not None
    served = refused.value.outcome.served
    assert (served.waited_ms, served.position, served.provider) == (31_000, 1, "")
    assert [what for what, _, _ in notes(rig)] == ["waited", "refused"]
    first.cancel()
    await asyncio.wait([first])


async def test_a_deployment_that_is_full_is_told_with_its_limit(clock: FakeClock) -> None:
    done = asyncio.Event()
    full = make_deployment("alpha", priority=0, max_parallel=1)
    model = make_model(full, make_deployment("beta", priority=1))
    rig = rig_of(waits(done, completes()), completes(), clock=clock, model=model)
    first = asyncio.create_task(rig.run(request_id="first"))
    await idle()
    await rig.run()
    assert ("full", "alpha/m", "deployment: parallel") in notes(rig)
    done.set()
    await first


async def test_a_key_that_rests_is_named_and_its_secret_is_not(clock: FakeClock) -> None:
    keys = tuple(
        ProviderKey(id=uuid7(), name=name, secret=Secret("made-up-secret")) for name in ("one", "two")
    )
    deployment = make_deployment("alpha", provider=make_provider("alpha", keys=keys))
    rig = Rig(
        fails(ProviderOverloaded()),
        completes(),
        clock=clock,
        accounts=BOUNDED,
        models=[make_model(deployment)],
    )
    await rig.run()
    assert notes(rig) == [("key_rests", "alpha/one", "provider_rate_limited")]
    assert "made-up-secret" not in repr(known(rig))


async def test_a_key_that_is_used_for_something_else_is_told(clock: FakeClock) -> None:
    rig = Rig(completes(), clock=clock, accounts=BOUNDED)
    await rig.run(make_ask("one"), request_id="first", idempotency_key="k")
    with pytest.raises(IdempotencyConflict):
        await rig.run(make_ask("another"), idempotency_key="k")
    assert (only(rig).status, only(rig).code) == (409, "idempotency_conflict")
    assert notes(rig) == [("claimed", "idempotency_key", "conflict")]
    await rig.run(make_ask("one"), request_id="again", idempotency_key="k")
    (again,) = known(rig, "again")
    assert (again.status, again.code, again.notes) == (200, "", (("claimed", "idempotency_key", "answered"),))


async def test_a_call_whose_answer_is_cut_to_its_budget_is_told(clock: FakeClock) -> None:
    rig = Rig(
        completes(),
        clock=clock,
        accounts=[make_account("nano", 200_000)],
        models=[make_model(max_output=100_000)],
        policy=Policy(over_budget="clamp"),
        effort=Effort(attempts=1),
    )
    await rig.run()
    ((what, where, why),) = notes(rig)
    assert (what, where) == ("clamped", "money of tenant 'acme'")
    assert why.endswith(" tokens")
