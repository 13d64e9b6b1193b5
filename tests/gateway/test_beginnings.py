"""Turns of one conversation are known by how it begins, whatever else changes between them."""

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from gateway.beginnings import beginning_of
from gateway.call import Ask
from gateway.errors import InvalidRequest
from tests.support.engine import ask_of, make_ask

SYSTEM = {"role": "system", "content": "You are brief."}
PICTURE = {"type": "image_url", "image_url": {"url": "https://alice.example/cat.png"}}
FIRST = {"role": "user", "content": "Who was Ada?"}
LATER = [{"role": "assistant", "content": "A mathematician."}, {"role": "user", "content": "When?"}]


def _beginning(**members: Any) -> bytes:
    return beginning_of(ask_of(msgspec.json.encode({"model": "m", **members})))


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ({"messages": [SYSTEM, FIRST]}, {"messages": [SYSTEM, FIRST, *LATER]}),
        ({"messages": [FIRST]}, {"messages": [FIRST, *LATER], "temperature": 1}),
        (
            {"system": "Be brief.", "messages": [FIRST]},
            {"system": "Be brief.", "messages": [FIRST, *LATER], "max_tokens": 9},
        ),
        (
            {"instructions": "Be brief.", "input": [FIRST]},
            {"instructions": "Be brief.", "input": [FIRST, *LATER]},
        ),
        (
            {"messages": [FIRST]},
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {
                                "type": "text",
                                "text": "Who was Ada?",
                                "cache_control": {"type": "ephemeral", "ttl": "1h"},
                            }
                        ],
                    },
                    *LATER,
                ]
            },
        ),
        (
            {"messages": [{"role": "user", "content": [PICTURE | {"cache_control": {"type": "ephemeral"}}]}]},
            {"messages": [{"role": "user", "content": [PICTURE]}]},
        ),
        ({"prompt": "Ada was " * 50}, {"prompt": "Ada was " * 50 + "a mathematician"}),
    ],
)
def test_later_turns_begin_as_the_first(first: dict[str, Any], later: dict[str, Any]) -> None:
    assert _beginning(**first) == _beginning(**later) != b""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"messages": [SYSTEM, FIRST]}, {"messages": [FIRST]}),
        ({"messages": [SYSTEM, FIRST]}, {"messages": [SYSTEM, LATER[1]]}),
        ({"system": "A", "messages": [FIRST]}, {"system": "B", "messages": [FIRST]}),
        ({"input": "one"}, {"input": "other"}),
        ({"input": ["one"]}, {"input": ["other"]}),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "a"}}]}]},
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "b"}}]}]},
        ),
    ],
)
def test_what_begins_otherwise_is_another_conversation(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert _beginning(**one) != _beginning(**other)


@pytest.mark.parametrize(
    "members",
    [{}, {"messages": []}, {"messages": None}, {"messages": 5}, {"system": "Be brief.", "messages": []}],
)
def test_what_says_nothing_begins_nowhere(members: dict[str, Any]) -> None:
    assert _beginning(**members) == b""


def _from_below(frames: int, ask: Ask) -> bytes:
    return beginning_of(ask) if not frames else _from_below(frames - 1, ask)


def test_the_depths_of_a_request_do_not_hurt() -> None:
    for depth in range(100, 2_000, 20):
        deep = b'{"messages":[{"role":"user","content":%b}]}' % (b"[" * depth + b"]" * depth)
        with suppress(InvalidRequest):
            deepest = ask_of(deep)
    assert _from_below(200, deepest) == b""


_json = some.recursive(
    some.none() | some.booleans() | some.integers(-9, 9) | some.text(max_size=9),
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.dictionaries(some.sampled_from(["role", "content", "text", "type"]), inner, max_size=4)
    ),
)


@given(_json)
def test_whatever_is_sent_has_an_answer(value: Any) -> None:
    assert isinstance(_beginning(messages=value), bytes)


def test_an_ask_begins_as_its_text_says() -> None:
    assert beginning_of(make_ask("hello")) == b"hello"
