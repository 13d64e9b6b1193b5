"""How far an ask in Anthropic's format reaches, what is estimated of it, and what is counted here."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw
from msgspec.structs import replace

from gateway.bounds import Bound, Extent, bound_of, input_bound
from gateway.call import Ask, Usage
from gateway.errors import InvalidRequest, ProviderTimeout
from gateway.extents import extent_of
from gateway.metering import anthropic_usage
from gateway.pricing import Terms
from gateway.retry import Effort
from gateway.texts import prompt_in, prompt_texts
from tests.support.anthropic_scripts import PROMPT_USAGE, text_events
from tests.support.anthropic_scripts import event as told
from tests.support.clock import FakeClock
from tests.support.engine import (
    BOUNDED,
    Rig,
    ask_of,
    make_card,
    make_deployment,
    make_model,
    make_provider,
)
from tests.support.script import Act, Listener, answers, fails, streams

MESSAGES = [{"role": "user", "content": "hello"}]
START = told("message_start", message={"usage": PROMPT_USAGE})
WEATHER = {"name": "weather", "input_schema": {"type": "object"}}
EXPLAINED, TOOLSET = 2_048, 16_384


def _ask(**members: Any) -> Ask:
    body = msgspec.json.encode({"model": "m", "max_tokens": 50, "messages": MESSAGES, **members})
    fields = {"dialect": "anthropic", "format": "anthropic", "operation": "message", "max_output": 50}
    return ask_of(body, stream=bool(members.get("stream")), **fields)


def _count() -> Ask:
    return replace(_ask(), kind="count", operation="count_tokens", max_output=None)


def _extent(**members: Any) -> Extent:
    return extent_of(_ask(**members))


def test_system_messages_and_tools_count_as_their_bytes() -> None:
    members: dict[str, Any] = {"system": [{"type": "text", "text": "be brief"}], "tools": [WEATHER]}
    extent = _extent(**members)
    assert extent.prompt == len(_ask(**members).body) + 16
    assert (extent.answer, extent.passes, extent.choices) == (50, 1, 1)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}},
        {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
        {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
        {"type": "document", "source": {"type": "base64", "data": "JVBE"}},
        {"type": "container_upload", "file_id": "file_1"},
        {"type": "tool_result", "content": [{"type": "image", "source": {"type": "base64", "data": ""}}]},
    ],
)
def test_pictures_and_documents_have_no_size_of_their_own(part: dict[str, Any]) -> None:
    for members in ({"messages": [{"role": "user", "content": [part]}]}, {"system": [part]}):
        extent = _extent(**members)
        assert extent.prompt is None
        assert input_bound(extent, make_model(context_window=200_000)) == 200_000
        assert input_bound(extent, make_model()) is None


def test_what_a_container_holds_is_not_seen() -> None:
    assert _extent(container={"id": "c", "skills": []}).prompt is None


@pytest.mark.parametrize(
    ("members", "tokens"),
    [
        ({}, 0),
        ({"tools": []}, 0),
        ({"tools": [WEATHER]}, EXPLAINED),
        ({"tools": [WEATHER, WEATHER, {"type": "custom", **WEATHER}]}, EXPLAINED),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, 2 * EXPLAINED),
        ({"tools": [{"type": "memory_20250818"}, {"type": "text_editor_20250728"}]}, 3 * EXPLAINED),
        ({"tools": [{"type": "browser_toolset_20260801"}]}, EXPLAINED + TOOLSET),
        ({"output_config": {"format": {"type": "json_schema"}}}, EXPLAINED),
        ({"tools": [{"type": "function", "function": {"name": "weather"}}]}, 0),
    ],
)
def test_what_a_provider_says_of_tools_is_held_too(members: dict[str, Any], tokens: int) -> None:
    extent = _extent(**members)
    assert (extent.unwritten, extent.passes) == (tokens, 1)
    assert input_bound(extent, make_model()) == len(_ask(**members).body) + 16 + tokens
    assert input_bound(extent, make_model(vocabulary="v"), {"v": 7}) == 7 + 16 + tokens


@pytest.mark.parametrize(
    ("members", "passes"),
    [
        ({"tools": [{"type": "web_search_20250305", "max_uses": 3}]}, 4),
        ({"tools": [{"type": "web_fetch_20260318", "max_uses": 2}, WEATHER]}, 3),
        ({"tools": [{"type": "web_search_20250305"}]}, None),
        ({"tools": [{"type": "code_execution_20260521"}]}, None),
        ({"tools": [{"type": "tool_search_tool_regex_20251119"}]}, None),
        ({"mcp_servers": [{"type": "url", "url": "https://example.org"}]}, None),
        ({"tools": 7}, None),
    ],
)
def test_what_the_provider_does_itself_is_read_again_as_often_as_is_said(
    members: dict[str, Any], passes: int | None
) -> None:
    assert _extent(**members).passes == passes


@pytest.mark.parametrize(
    ("members", "tier"),
    [
        ({}, None),
        ({"service_tier": "auto"}, None),
        ({"service_tier": "standard_only"}, "standard_only"),
        ({"speed": "fast"}, "fast"),
        ({"speed": "fast", "service_tier": "auto"}, "fast"),
        ({"speed": "standard"}, None),
    ],
)
def test_a_class_of_service_is_named(members: dict[str, Any], tier: str | None) -> None:
    assert _extent(**members).tier == tier


def test_a_count_holds_no_money_whatever_anything_costs() -> None:
    priced, unpriced = make_deployment(cards=(make_card(request=10**9),)), make_deployment(cards=())
    bound = bound_of(extent_of(_count()), (make_model(priced, unpriced),), Terms(), 0)
    assert bound == Bound(input=0, output=0, charge_nano=0, priced=True)


def test_all_that_a_model_reads_is_counted() -> None:
    members = _ask(
        system="be brief",
        tools=[WEATHER],
        messages=[
            {"role": "user", "content": [{"type": "text", "text": "look"}, _picture("image")]},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "c2ln"}]},
            {"role": "user", "content": [_picture("document")]},
        ],
    ).members
    texts = [text for text in prompt_texts(members, prompt_in(members)) if text != "image/png"]
    assert sorted(texts) == sorted(["be brief", msgspec.json.encode([WEATHER]).decode(), "look", "hm"])


def _picture(kind: str) -> dict[str, Any]:
    return {"type": kind, "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}}


def test_thoughts_are_reasoning() -> None:
    counts = {"input_tokens": 9, "output_tokens": 7, "output_tokens_details": {"thinking_tokens": 4}}
    assert anthropic_usage(Raw(msgspec.json.encode(counts))) == Usage(input=9, output=3, reasoning=4)
    absurd = {**counts, "output_tokens_details": {"thinking_tokens": 8}}
    usage = anthropic_usage(Raw(msgspec.json.encode(absurd)))
    assert usage == Usage(input=9, reasoning=7, doubtful=True)


def _rig(*acts: Act, clock: FakeClock, wire: str = "anthropic", **principal: Any) -> Rig:
    card = make_card(input=1_000_000, output=2_000_000, request=10**9)
    deployment = make_deployment(provider=make_provider(wire=wire), cards=(card,))
    models, once = [make_model(deployment)], Effort(attempts=1)
    return Rig(*acts, clock=clock, models=models, accounts=BOUNDED, effort=once, **principal)


async def test_a_stream_that_is_cut_is_charged_for_the_prompt_as_told_and_for_the_words(
    clock: FakeClock,
) -> None:
    rig = _rig(streams(START, *text_events("some words that were said"), ProviderTimeout()), clock=clock)
    with pytest.raises(ProviderTimeout):
        await rig.gateway.run(rig.call(_ask(stream=True)), Listener())
    meters = rig.entry.meters
    assert (meters.input, meters.cache_read, meters.cache_write_1h) == (25, 40, 20)
    assert (meters.output, rig.entry.estimated, meters.doubtful) == (5, True, False)
    rig.assert_balanced()


async def test_a_message_without_counts_is_estimated_with_system_and_tools(clock: FakeClock) -> None:
    said = answers(b'{"content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn"}')
    plain, full = _rig(said, clock=clock), _rig(said, clock=clock)
    await plain.run(_ask())
    await full.run(_ask(system="be very brief", tools=[WEATHER]))
    assert (plain.entry.meters.input, plain.entry.meters.output, plain.entry.estimated) == (1, 1, True)
    assert full.entry.meters.input >= plain.entry.meters.input + 10


async def test_a_count_is_one_request_and_an_entry_of_nothing(clock: FakeClock) -> None:
    rig = _rig(answers(b'{"input_tokens":9}'), clock=clock)
    outcome = await rig.run(_count())
    assert outcome.reply.body == b'{"input_tokens":9}'
    entry = rig.entry
    assert (entry.kind, entry.status, entry.charge_nano, entry.lines) == ("count", "settled", 0, ())
    assert (rig.spent("requests"), rig.spent("nano")) == (1, 0)
    rig.assert_balanced()


async def test_a_count_whose_outcome_is_unknown_costs_nothing(clock: FakeClock) -> None:
    rig = _rig(fails(ProviderTimeout()), clock=clock)
    with pytest.raises(ProviderTimeout):
        await rig.run(_count())
    assert (rig.entry.status, rig.entry.charge_nano) == ("failed", 0)


async def test_without_a_provider_that_counts_it_is_counted_here(clock: FakeClock) -> None:
    rig = _rig(fails(AssertionError()), clock=clock, wire="openai")
    outcome = await rig.run(_count())
    assert msgspec.json.decode(outcome.reply.body) == {"input_tokens": 1}
    assert (outcome.served.provider, outcome.served.cache) == ("gateway", "bypass")
    entry = rig.entry
    assert (entry.status, entry.provider, entry.charge_nano, entry.estimated) == ("settled", "", 0, False)
    assert rig.script.requests == []
    rig.assert_balanced()


async def test_a_message_is_not_counted_but_answered(clock: FakeClock) -> None:
    rig = _rig(answers(b'{"content":[{"type":"text","text":"hi"}]}'), clock=clock)
    assert (await rig.run(_ask())).served.provider == "alpha"


async def test_a_count_without_a_model_is_of_the_one_that_chats_get(clock: FakeClock) -> None:
    rig = _rig(answers(b'{"input_tokens":9}'), clock=clock, default_models={"chat": "m"})
    await rig.run(replace(_count(), model=""))
    assert rig.entry.model == "m"


async def test_a_model_of_another_kind_has_nothing_to_count(clock: FakeClock) -> None:
    rig = Rig(answers(b"{}"), clock=clock, models=[make_model(kind="embedding")])
    with pytest.raises(InvalidRequest):
        await rig.run(_count())
