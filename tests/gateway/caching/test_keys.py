"""What answers are found by: all that makes them what they are, and nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.caching.keys import Key, is_deterministic, key_of
from gateway.call import Ask
from tests.support.engine import OTHER_TENANT, TENANT, ask_of, make_ask

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = st.dictionaries(
    st.text(min_size=1, max_size=6).filter(lambda name: name not in ("model", "user", "metadata", "stream")),
    JSON,
    max_size=4,
)


def key(ask: Ask, **more: Any) -> Key:
    told: dict[str, Any] = {"tenant": TENANT, "model": "m"}
    found = key_of(ask, **told | more)
    assert found is not None
    return found


def turned(value: Any) -> Any:
    """The same, its members in the other order at every depth."""
    if isinstance(value, dict):
        return {name: turned(value[name]) for name in reversed(value)}
    return [turned(one) for one in value] if isinstance(value, list) else value


@given(MEMBERS)
def test_order_space_and_escapes_make_no_other_key(members: dict[str, Any]) -> None:
    plain = ask_of(json.dumps(members, ensure_ascii=False).encode("utf-8", "replace"))
    loose = ask_of(json.dumps(turned(members), indent=2).encode())
    assert key(plain) == key(loose)


@given(st.text(max_size=20), st.text(max_size=20))
def test_another_text_is_another_key(one: str, other: str) -> None:
    same = one == other
    assert (key(make_ask(one)).exact == key(make_ask(other)).exact) is same


@given(MEMBERS, MEMBERS)
def test_other_members_are_another_key(one: dict[str, Any], other: dict[str, Any]) -> None:
    asks = [ask_of(json.dumps(members).encode()) for members in (one, other)]
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (key(asks[0]).exact == key(asks[1]).exact) is same


@pytest.mark.parametrize(
    "beside", [{"user": "alice"}, {"metadata": {"user_id": "alice"}}, {"model": "other"}]
)
def test_who_asks_and_by_which_name_makes_no_other_key(beside: dict[str, Any]) -> None:
    named = ask_of(json.dumps({"messages": [], **beside}).encode())
    assert key(named) == key(ask_of(b'{"messages":[]}'))


@pytest.mark.parametrize(
    "changed",
    [
        {"format": "anthropic"},
        {"operation": "completion"},
        {"provider": "alpha"},
        {"stream": True},
        {"stream": True, "wants_usage": False},
        {"headers": {"anthropic-beta": "x"}},
    ],
    ids=str,
)
def test_what_is_no_member_counts_too(changed: dict[str, Any]) -> None:
    asks = [make_ask(), replace(make_ask(), **changed), replace(make_ask(), stream=True, format="other")]
    assert len({key(ask).exact for ask in asks}) == len(asks)


def test_tenants_and_models_are_apart() -> None:
    ask = make_ask()
    assert len({key(ask).exact, key(ask, tenant=OTHER_TENANT).exact, key(ask, model="n").exact}) == 3


def test_a_dialect_makes_no_other_key() -> None:
    assert key(replace(make_ask(), dialect="query")) == key(make_ask())


def test_prompts_of_one_space_differ_in_the_last_text_alone() -> None:
    first, second = [key(make_ask(text), by_meaning=True) for text in ("red", "crimson")]
    assert (first.text, second.text) == ("red", "crimson")
    assert first.space == second.space != ""
    warmer = key(make_ask("red", temperature=1), by_meaning=True)
    system = [{"role": "system", "content": "Shout."}, {"role": "user", "content": "red"}]
    told = key(make_ask(messages=system), by_meaning=True)
    elsewhere = key(make_ask("red"), tenant=OTHER_TENANT, by_meaning=True)
    assert len({first.space, warmer.space, told.space, elsewhere.space}) == 4


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "assistant", "content": "hello"}],
        [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.example/"}}]}],
        [{"role": "user", "content": None}],
        ["hello"],
        [],
    ],
    ids=str,
)
def test_what_is_no_text_of_a_user_has_no_meaning(messages: list[Any]) -> None:
    found = key(make_ask(messages=messages), by_meaning=True)
    assert (found.text, found.space) == ("", "")


def test_a_text_in_a_part_of_its_own_is_one() -> None:
    parts = [{"type": "text", "text": "hello"}]
    assert key(make_ask(messages=[{"role": "user", "content": parts}]), by_meaning=True).text == "hello"


@pytest.mark.parametrize("body", [b'{"a": 1e999}', b'{"a": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", b"[1]"])
def test_what_cannot_be_told_apart_for_sure_has_no_key(body: bytes) -> None:
    assert key_of(replace(make_ask(), body=body), tenant=TENANT, model="m") is None


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"temperature": 0}, True),
        ({"temperature": 0.0}, True),
        ({"temperature": 0.1}, False),
        ({"temperature": None}, False),
        ({"temperature": "0"}, False),
        ({"temperature": False}, False),
        ({}, False),
    ],
    ids=str,
)
def test_a_chat_is_deterministic_at_temperature_0(asked: dict[str, Any], expected: bool) -> None:
    assert is_deterministic(make_ask(**asked)) is expected


def test_several_choices_are_to_differ() -> None:
    assert not is_deterministic(replace(make_ask(temperature=0), choices=2))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("embedding", True), ("moderation", True), ("rerank", True), ("speech", False), ("image", False)],
)
def test_kinds_that_answer_alike(kind: Any, expected: bool) -> None:
    assert is_deterministic(replace(make_ask(), kind=kind)) is expected
