"""How far an ask reaches: what is read from its body before anybody is asked to do it."""

from typing import Any

import msgspec
import pytest

from gateway.bounds import Extent, bound_of
from gateway.extents import extent_of
from gateway.pricing import Terms
from tests.support.engine import ask_of, make_ask, make_card, make_deployment, make_model

MESSAGES = [{"role": "user", "content": "hello"}]
PICTURE = [{"type": "message", "content": [{"type": "input_image", "file_id": "file-1"}]}]


def _chat(messages: Any = MESSAGES, *, choices: int = 1, **members: Any) -> Extent:
    body = msgspec.json.encode({"model": "m", "messages": messages, **members})
    return extent_of(ask_of(body, choices=choices, max_output=50))


def _asked(kind: str, **members: Any) -> tuple[Extent, int]:
    body = msgspec.json.encode({"model": "m", **members})
    return extent_of(ask_of(body, kind=kind)), len(body) + 16


def test_a_plain_chat_reaches_as_far_as_its_bytes_and_its_maximum() -> None:
    ask = make_ask(max_tokens=50)
    assert extent_of(ask) == Extent(kind="chat", prompt=len(ask.body) + 16, answer=50)


@pytest.mark.parametrize(
    "members",
    [
        {"previous_response_id": "resp_1"},
        {"conversation": "conv_1"},
        {"prompt": {"id": "pmpt_1"}},
        {"input": PICTURE},
        {"input": [{"type": "item_reference", "id": "msg_1"}]},
    ],
)
def test_a_prompt_that_is_not_in_the_request_has_no_size(members: dict[str, Any]) -> None:
    assert _chat(**members).prompt is None


@pytest.mark.parametrize(
    "members",
    [
        {"input": "hello", "prompt": "hello"},
        {"input": [{"role": "user", "content": [{"type": "input_text", "text": "an input_image"}]}]},
        {"prompt": ["{", "}"]},
        {"prompt": [1, 2, 3]},
        dict.fromkeys(
            ("previous_response_id", "tools", "web_search_options", "service_tier", "best_of", "prediction")
        ),
    ],
)
def test_a_prompt_that_is_there_has_one(members: dict[str, Any]) -> None:
    extent = _chat(**members)
    assert extent.prompt is not None
    assert (extent.choices, extent.passes, extent.predicted, extent.tier) == (1, 1, 0, None)
    assert not extent.besides


@pytest.mark.parametrize(("best_of", "choices"), [(5, 5), (2, 3), ("5", None), (2.5, None)])
def test_choices_that_are_made_and_thrown_away_count(best_of: Any, choices: int | None) -> None:
    assert _chat(choices=3, best_of=best_of).choices == choices


def test_words_foretold_and_not_said_are_billed_beyond_the_maximum() -> None:
    foretold = {"type": "content", "content": "x" * 1_000}
    assert _chat(prediction=foretold).predicted == len(msgspec.json.encode(foretold))


@pytest.mark.parametrize(
    ("asked", "tier"),
    [
        ("priority", "priority"),
        ("flex", "flex"),
        ("default", "default"),
        ("auto", None),
        ("", None),
        (7, None),
    ],
)
def test_a_class_of_service_that_is_named_leaves_no_other(asked: Any, tier: str | None) -> None:
    assert _chat(service_tier=asked).tier == tier


def test_functions_of_the_caller_reach_no_further() -> None:
    extent = _chat(tools=[{"type": "function", "function": {"name": "weather"}}])
    assert (extent.passes, extent.besides) == (1, {})


def test_tools_of_the_provider_are_searches_and_more_readings() -> None:
    extent = _chat(web_search_options={"search_context_size": "low"})
    assert (extent.passes, extent.besides) == (2, {"search": 1})
    assert _chat(tools=[{"type": "mcp", "server_url": "https://example.org"}], max_tool_calls=4).passes == 5
    assert _chat(tools=[{"type": "code_interpreter"}]).passes is None


def test_embeddings_and_judgements_answer_without_tokens() -> None:
    extent, size = _asked("embedding", input="hello")
    assert (extent.prompt, extent.choices) == (size, 0)
    extent, size = _asked("moderation", input="hello")
    assert (extent.prompt, extent.choices) == (size, 0)
    assert _asked("moderation", input=[{"type": "image_url", "image_url": {"url": "u"}}])[0].prompt is None


def test_a_question_is_read_with_each_document() -> None:
    extent, size = _asked("rerank", query="why?", documents=["a", "b", "c"])
    assert (extent.prompt, extent.choices) == (size + 3 * len('"why?"'), 0)
    assert _asked("rerank", query="why?", documents="all")[0].prompt is None


def test_putting_in_order_may_be_billed_by_the_search() -> None:
    """Many documents are several searches, and long ones are taken apart."""
    assert _asked("rerank", query="why?", documents=["a", "b", "c"])[0].besides == {"search": 1}
    assert _asked("rerank", query="why?", documents=["a"] * 250)[0].besides == {"search": 3}
    assert _asked("rerank", query="why?", documents=["a" * 256 * 150])[0].besides == {"search": 2}


def test_putting_in_order_costs_what_a_search_does_where_that_has_a_price() -> None:
    extent, size = _asked("rerank", query="why?", documents=["a"])
    by_token, by_search = make_card(input=1_000_000), make_card(search=2_000_000_000)
    for card, nano in ((by_token, (size + len('"why?"')) * 1_000), (by_search, 2_000_000)):
        bound = bound_of(extent, (make_model(make_deployment(cards=(card,))),), Terms(), 0)
        assert (bound.priced, bound.charge_nano) == (True, nano)


def test_pictures_are_counted_and_pictures_to_change_are_not_in_the_bytes() -> None:
    body = b'{"model":"m","prompt":"a cat","n":2}'
    extent = extent_of(ask_of(body, kind="image", choices=2))
    assert (extent.prompt, extent.choices, extent.besides) == (len(body) + 16, 2, {"image": 2})
    assert _asked("image", prompt="a cat", image="base64")[0].prompt is None


def test_speech_lasts_no_longer_than_a_second_a_character() -> None:
    extent, size = _asked("speech", input="hello", voice="alloy")
    assert (extent.prompt, extent.besides) == (size, {"audio_second": len('"hello"')})
    assert extent.answer == 50 * len('"hello"') + 16


def test_an_upload_lasts_no_longer_than_its_bytes_at_the_lowest_rate() -> None:
    body = b'{"file":"' + b"s" * 9_000 + b'","prompt":"Hi, Bob"}'
    extent = extent_of(ask_of(body, kind="transcription"))
    assert extent.besides == {"audio_second": 10}
    assert (extent.prompt, extent.answer) == (10 * 50 + len('"Hi, Bob"') + 16, 10 * 50 + 16)
