"""What a call came to, as its entry."""

import asyncio

import pytest
from msgspec.structs import replace

from gateway.catalog import Model
from gateway.errors import ProviderTimeout
from gateway.pricing import Price, PriceCard, make_sheet
from gateway.principal import Policy
from tests.support.clock import BEGIN, FakeClock
from tests.support.engine import (
    BOUNDED,
    Rig,
    make_account,
    make_ask,
    make_card,
    make_deployment,
    make_model,
)
from tests.support.script import (
    DONE,
    ROLE,
    USAGE,
    Listener,
    answers,
    chunk,
    completes,
    fails,
    streams,
)

HELLO = chunk(content="Hello, Alice!")
NEW_PRICE_MS = round((BEGIN + 10) * 1000)


def _dearer_soon() -> list[Model]:
    old: PriceCard = replace(make_card("old"), valid_until_ms=NEW_PRICE_MS)
    new = replace(make_card("new", input=9_000_000, output=9_000_000), valid_from_ms=NEW_PRICE_MS)
    return [make_model(make_deployment(cards=(old, new)))]


async def test_a_call_costs_what_it_did_when_it_was_admitted(clock: FakeClock) -> None:
    pause = asyncio.Event()
    rig = Rig(streams(ROLE, HELLO, pause, USAGE, DONE), clock=clock, accounts=BOUNDED, models=_dearer_soon())
    running = asyncio.create_task(rig.stream(Listener()))
    await clock.turn(20)
    pause.set()
    await running
    assert (rig.entry.price_version, rig.entry.charge_nano) == ("old", 20_000)


async def test_a_later_call_costs_the_new_price(clock: FakeClock) -> None:
    clock.advance(20)
    rig = Rig(streams(ROLE, HELLO, USAGE, DONE), clock=clock, accounts=BOUNDED, models=_dearer_soon())
    await rig.stream(Listener())
    assert (rig.entry.price_version, rig.entry.charge_nano) == ("new", 15 * 9_000)


async def test_what_a_provider_does_not_count_is_counted_here_and_marked(clock: FakeClock) -> None:
    rig = Rig(streams(ROLE, HELLO, DONE), clock=clock, accounts=BOUNDED)
    await rig.stream(Listener())
    assert rig.entry.estimated
    assert rig.entry.meters.input == 1
    assert rig.entry.meters.output == 4
    rig.assert_balanced()


async def test_an_answer_without_usage_is_estimated_too(clock: FakeClock) -> None:
    rig = Rig(answers(b'{"choices":[{"message":{"content":"hi"}}]}'), clock=clock, accounts=BOUNDED)
    await rig.run()
    assert (rig.entry.status, rig.entry.estimated, rig.entry.meters.input) == ("settled", True, 1)
    rig.assert_balanced()


async def test_only_allowed_tags_are_kept(clock: FakeClock) -> None:
    rig = Rig(streams(ROLE, HELLO, USAGE, DONE), clock=clock, policy=Policy(tags=("feature",)))
    await rig.stream(Listener(), tags={"feature": "search", "secret": "x"})
    assert rig.entry.tags == {"feature": "search"}


async def test_times_are_told(clock: FakeClock) -> None:
    pauses = [asyncio.Event(), asyncio.Event()]
    rig = Rig(streams(ROLE, pauses[0], HELLO, pauses[1], USAGE, DONE), clock=clock)
    running = asyncio.create_task(rig.stream(Listener()))
    for pause in pauses:
        await clock.turn(2)
        pause.set()
    await running
    assert (rig.entry.ttft_ms, rig.entry.latency_ms) == (2_000, 4_000)
    assert rig.entry.attempts[0].milliseconds == 4_000
    assert rig.entry.overhead_us == 0


async def test_an_estimate_does_not_read_a_picture_as_text(clock: FakeClock) -> None:
    url = "data:image/png;base64," + "iVBORw0KGgo" * 20_000
    parts = [{"type": "text", "text": "what is it?"}, {"type": "image_url", "image_url": {"url": url}}]
    models = [make_model(context_window=8_000)]
    rig = Rig(answers(b'{"choices":[{"message":{"content":"hi"}}]}'), clock=clock, models=models)
    await rig.run(make_ask(messages=[{"role": "user", "content": parts}]))
    assert rig.entry.meters.input <= 8_000


def _tiered() -> list[Model]:
    normal = {"input": Price(pico=1_000_000, row=1), "output": Price(pico=2_000_000, row=2)}
    dear = {"input": Price(pico=3_000_000, row=3), "output": Price(pico=6_000_000, row=4)}
    sheets = (make_sheet(dear, service_tier="priority"), make_sheet(normal))
    return [make_model(make_deployment(cards=(PriceCard(version="tiers", sheets=sheets),)))]


@pytest.mark.parametrize(
    ("tier", "nano"), [("priority", 10 * 3_000 + 5 * 6_000), ("default", 20_000), (None, 20_000)]
)
async def test_the_class_of_service_that_was_given_is_the_one_that_is_charged(
    tier: str | None, nano: int, clock: FakeClock
) -> None:
    said = b'"service_tier":null' if tier is None else b'"service_tier":"%b"' % tier.encode()
    usage = b'"usage":{"prompt_tokens":10,"completion_tokens":5}'
    plain = Rig(answers(b'{"choices":[{}],%b,%b}' % (said, usage)), clock=clock, models=_tiered())
    await plain.run()
    last = b'data: {"choices":[],%b,%b}\n\n' % (said, usage)
    streamed = Rig(streams(ROLE, HELLO, last, DONE), clock=clock, models=_tiered())
    await streamed.stream(Listener())
    assert [plain.entry.charge_nano, streamed.entry.charge_nano] == [nano, nano]


async def test_a_cost_that_no_ledger_could_hold_leaves_the_bound_standing(clock: FakeClock) -> None:
    models = [make_model(make_deployment(cards=(make_card(input=1 << 62, output=0),)))]
    absurd = answers(b'{"choices":[{}],"usage":{"prompt_tokens":1000000000,"completion_tokens":1}}')
    rig = Rig(
        absurd, clock=clock, models=models, accounts=[make_account("nano", limit=1 << 53), *BOUNDED[1:]]
    )
    await rig.run()
    assert (rig.entry.status, rig.entry.estimated) == ("unsettled", True)
    assert rig.entry.charge_nano == 1 << 53
    rig.assert_balanced()


async def test_attempts_that_nobody_saw_take_tokens_too(clock: FakeClock) -> None:
    quota = make_account("tokens", limit=10_000, window="minute")
    models = [make_model(make_deployment("alpha"), make_deployment("beta"))]
    rig = Rig(fails(ProviderTimeout()), completes(), clock=clock, models=models, accounts=[quota])
    await rig.run()
    (counter,) = [one for one in rig.books.tally.counters.values() if one.share.unit == "tokens"]
    bound = len(make_ask().body) + 16 + 100
    assert counter.spent == bound + 15
