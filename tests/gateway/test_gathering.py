"""Embeddings that come together become one call of the provider, and each pays its own part of it."""

import asyncio
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.call import Ask, Outcome, Usage
from gateway.errors import ProviderCut, ProviderOverloaded
from gateway.exchange import Request
from gateway.gathering import _shares
from gateway.memory import CannedAnswer
from gateway.ports import Answer
from gateway.retry import Effort
from tests.support.clock import FakeClock, idle
from tests.support.engine import BOUNDED, Rig, ask_of, make_account, make_model
from tests.support.script import Act, fails

MANY = (make_account("nano"), make_account("requests", 10_000), make_account("concurrency", 5_000, "none"))


def embeds(*, prompt_tokens: int | None = None, backwards: bool = False) -> Act:
    """The provider embeds each text as its length, and counts a token for each character."""

    async def act(request: Request) -> Answer:
        given = msgspec.json.decode(request.body)["input"]
        texts = [given] if isinstance(given, str) else given
        data = [
            {"object": "embedding", "index": index, "embedding": [float(len(text)), 0.5]}
            for index, text in enumerate(texts)
        ]
        counted = sum(map(len, texts)) if prompt_tokens is None else prompt_tokens
        body = {
            "object": "list",
            "data": data[::-1] if backwards else data,
            "model": "theirs",
            "usage": {"prompt_tokens": counted, "total_tokens": counted},
        }
        return CannedAnswer(200, {"content-type": "application/json"}, [msgspec.json.encode(body)])

    return act


def embedding(text: str | list[str] | list[list[int]], **members: object) -> Ask:
    body = msgspec.json.encode({"model": "m", "input": text, **members})
    return ask_of(body, kind="embedding")


def rig_of(*acts: Act, clock: FakeClock, size: int = 8, many: bool = False) -> Rig:
    model = make_model(kind="embedding", batch_size=size, batch_seconds=0.005)
    accounts = MANY if many else BOUNDED
    return Rig(*acts, clock=clock, accounts=accounts, models=[model], effort=Effort(attempts=1))


def vectors(outcome: Outcome) -> list[list[float]]:
    data = msgspec.json.decode(outcome.reply.body)["data"]
    assert [one["index"] for one in data] == list(range(len(data)))
    return [one["embedding"] for one in data]


async def _ask_all(rig: Rig, clock: FakeClock, *asks: Ask) -> list[Outcome]:
    calls = [asyncio.create_task(rig.run(ask)) for ask in asks]
    await idle()
    clock.advance(0.006)
    return await asyncio.gather(*calls)


@pytest.mark.parametrize("backwards", [False, True])
async def test_calls_that_come_together_travel_together(clock: FakeClock, backwards: bool) -> None:
    rig = rig_of(embeds(backwards=backwards), clock=clock)
    asks = [embedding("a"), embedding(["bb", "ccc"]), embedding("dddd")]
    one, two, three = await _ask_all(rig, clock, *asks)
    assert len(rig.script.requests) == 1
    assert [vectors(one), vectors(two), vectors(three)] == [
        [[1.0, 0.5]],
        [[2.0, 0.5], [3.0, 0.5]],
        [[4.0, 0.5]],
    ]
    assert [entry.meters.input for entry in rig.entries] == [1, 5, 4]
    assert msgspec.json.decode(two.reply.body)["usage"] == {"prompt_tokens": 5, "total_tokens": 5}
    told = [reasons.notes for reasons in rig.gateway.recent.find("req-1")]
    assert told == [(("gathered", "calls", "3"),)] * 3
    rig.assert_balanced()


async def test_whoever_is_alone_sends_its_own_bytes(clock: FakeClock) -> None:
    rig = rig_of(embeds(), clock=clock)
    ask = embedding("alone", encoding_format="float")
    (outcome,) = await _ask_all(rig, clock, ask)
    assert rig.script.requests[0].body == ask.body
    assert vectors(outcome) == [[5.0, 0.5]]


async def test_company_is_full_at_its_size_and_waits_no_longer(clock: FakeClock) -> None:
    rig = rig_of(embeds(), clock=clock, size=10, many=True)
    outcomes = await asyncio.gather(*(rig.run(embedding("x" * (turn % 7 + 1))) for turn in range(1_000)))
    assert len(rig.script.requests) == 100
    assert clock.monotonic() == FakeClock().monotonic()
    assert [vectors(outcome)[0][0] for outcome in outcomes] == [turn % 7 + 1 for turn in range(1_000)]
    assert sum(entry.meters.input for entry in rig.entries) == sum(turn % 7 + 1 for turn in range(1_000))
    rig.assert_balanced()


async def test_only_what_is_alike_travels_together(clock: FakeClock) -> None:
    rig = rig_of(embeds(), clock=clock)
    asks = [embedding("a"), embedding("b", dimensions=8), embedding("c", user="alice"), embedding([[1, 2]])]
    await _ask_all(rig, clock, *asks, embedding("d", dimensions=8))
    assert len(rig.script.requests) == 4


async def test_tokens_for_a_model_of_one_text_at_a_time_wait_for_nobody(clock: FakeClock) -> None:
    rig = rig_of(embeds(), clock=clock, size=1)
    await asyncio.gather(rig.run(embedding("a")), rig.run(embedding("b")))
    assert len(rig.script.requests) == 2


async def test_where_the_common_call_fails_each_is_made_alone(clock: FakeClock) -> None:
    rig = rig_of(fails(ProviderOverloaded()), embeds(), clock=clock)
    one, two = await _ask_all(rig, clock, embedding("a"), embedding("bb"))
    assert len(rig.script.requests) == 3
    assert [vectors(one), vectors(two)] == [[[1.0, 0.5]], [[2.0, 0.5]]]
    assert [[try_.outcome for try_ in entry.attempts] for entry in rig.entries] == [
        ["provider_rate_limited", "ok"]
    ] * 2
    rig.assert_balanced()


async def test_an_answer_that_nobody_saw_counts_at_the_bound_of_each(clock: FakeClock) -> None:
    rig = rig_of(fails(ProviderCut()), embeds(), clock=clock)
    await _ask_all(rig, clock, embedding("a"), embedding("bbbbbbbb"))
    for entry in rig.entries:
        assert [line.meter for line in entry.lines] == ["input", "bound"]
        assert entry.estimated
    assert rig.entries[0].lines[1].cost_nano < rig.entries[1].lines[1].cost_nano
    rig.assert_balanced()


async def test_whoever_leaves_before_the_call_owes_nothing(clock: FakeClock) -> None:
    rig = rig_of(embeds(), clock=clock)
    leaving = asyncio.create_task(rig.run(embedding("gone")))
    await idle()
    staying = asyncio.create_task(rig.run(embedding("stays")))
    await idle()
    leaving.cancel()
    await idle()
    clock.advance(0.006)
    assert vectors(await staying) == [[5.0, 0.5]]
    with suppress(asyncio.CancelledError):
        await leaving
    assert sorted((entry.status, entry.meters.input) for entry in rig.entries) == [
        ("failed", 0),
        ("settled", 5),
    ]
    rig.assert_balanced()


async def test_whoever_leaves_during_the_call_pays_its_part(clock: FakeClock) -> None:
    held = asyncio.Event()

    async def act(request: Request) -> Answer:
        await held.wait()
        return await embeds()(request)

    rig = rig_of(act, clock=clock)
    calls = [asyncio.create_task(rig.run(embedding(text))) for text in ("gone", "stays")]
    await idle()
    clock.advance(0.006)
    await idle()
    calls[0].cancel()
    await idle()
    held.set()
    assert vectors(await calls[1]) == [[5.0, 0.5]]
    with pytest.raises(asyncio.CancelledError):
        await calls[0]
    assert sorted(entry.meters.input for entry in rig.entries) == [4, 5]
    rig.assert_balanced()


async def test_when_all_leave_the_provider_is_left_too(clock: FakeClock) -> None:
    rig = rig_of(lambda _: asyncio.get_running_loop().create_future(), clock=clock)
    calls = [asyncio.create_task(rig.run(embedding(text))) for text in ("one", "two")]
    await idle()
    clock.advance(0.006)
    await idle()
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert [entry.status for entry in rig.entries] == ["unsettled", "unsettled"]
    rig.assert_balanced()


@given(st.integers(0, 10**9), st.lists(st.integers(1, 10**6), min_size=1, max_size=50))
def test_parts_sum_to_the_whole_and_are_in_proportion(total: int, weights: list[int]) -> None:
    shares = _shares(Usage(input=total), weights)
    parts = [share.input for share in shares if share is not None]
    assert sum(parts) == total
    assert all(
        abs(part - total * weight / sum(weights)) < 1 for part, weight in zip(parts, weights, strict=True)
    )
