"""Providers are asked to keep what prompts begin with, if the tenant wants it and the caller said nothing."""

from typing import Any

import msgspec
import pytest

from gateway.call import Ask
from gateway.hints import hinted
from gateway.principal import Policy
from tests.support.engine import ask_of, make_deployment, make_principal, make_provider

MARK = {"type": "ephemeral"}
ALICE = make_principal(policy=Policy(prompt_cache="auto"))


def asked(format_name: str = "openai", **members: Any) -> Ask:
    return ask_of(msgspec.json.encode({"model": "m", **members}), format=format_name)


def sent(ask: Ask, *, wire: str = "anthropic", url: str = "https://api.openai.com/v1") -> dict[str, Any]:
    deployment = make_deployment(provider=make_provider(wire=wire, base_url=url))
    told: dict[str, Any] = msgspec.json.decode(hinted(ask, deployment, ALICE, lambda: b"beginning").body)
    return told


def test_the_system_and_the_last_message_are_marked() -> None:
    turns = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]
    told = sent(
        asked("anthropic", system="Be kind.", messages=[*turns, {"role": "user", "content": "three"}])
    )
    assert told["system"] == [{"type": "text", "text": "Be kind.", "cache_control": MARK}]
    assert told["messages"][:2] == turns
    assert told["messages"][2]["content"] == [{"type": "text", "text": "three", "cache_control": MARK}]


@pytest.mark.parametrize(("seconds", "life"), [(300, {}), (301, {"ttl": "1h"}), (3600, {"ttl": "1h"})])
def test_what_is_to_last_is_marked_so(seconds: int, life: dict[str, str]) -> None:
    policy = Policy(prompt_cache="auto", prompt_cache_seconds=seconds)
    ask = asked("anthropic", messages=[{"role": "user", "content": "hi"}])
    deployment = make_deployment(provider=make_provider(wire="anthropic"))
    told = msgspec.json.decode(hinted(ask, deployment, make_principal(policy=policy), lambda: b"").body)
    assert told["messages"][0]["content"][0]["cache_control"] == MARK | life


def test_only_the_last_block_is_marked() -> None:
    blocks: list[dict[str, Any]] = [{"type": "text", "text": "a"}, {"type": "image", "source": {"url": "u"}}]
    told = sent(asked("anthropic", messages=[{"role": "user", "content": blocks}]))
    assert told["messages"][0]["content"] == [blocks[0], blocks[1] | {"cache_control": MARK}]


def test_a_system_message_of_openai_is_marked_for_anthropic() -> None:
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hi"}]
    contents = [message["content"] for message in sent(asked(messages=messages))["messages"]]
    assert [content[-1]["cache_control"] for content in contents] == [MARK, MARK]


UNTOUCHED: dict[str, Ask] = {
    "caller's own marks": asked(
        "anthropic", system=[{"type": "text", "text": "x", "cache_control": MARK}], messages=[]
    ),
    "nothing to mark": asked("anthropic", messages=[{"role": "user", "content": ""}]),
    "thinking last": asked(
        "anthropic", messages=[{"role": "assistant", "content": [{"type": "thinking", "thinking": "-"}]}]
    ),
    "no messages": asked("anthropic", prompt="hi"),
    "messages that are none": asked("anthropic", messages="hi"),
    "odd messages": asked("anthropic", messages=[7]),
}


@pytest.mark.parametrize("name", UNTOUCHED)
def test_what_cannot_be_marked_says_the_same(name: str) -> None:
    ask = UNTOUCHED[name]
    assert sent(ask) == msgspec.json.decode(ask.body)


def test_openai_finds_a_conversation_again_by_a_key() -> None:
    ask = asked(messages=[{"role": "user", "content": "hi"}])
    told = sent(ask, wire="openai")
    assert told.pop("prompt_cache_key") == sent(ask, wire="openai")["prompt_cache_key"]
    assert told == msgspec.json.decode(ask.body)


def test_another_tenant_has_another_key() -> None:
    ask = asked(messages=[])
    deployment = make_deployment(provider=make_provider(base_url="https://api.openai.com/v1"))
    bob = make_principal(policy=Policy(prompt_cache="auto"), tenant_id=make_provider().id)
    keys = [hinted(ask, deployment, one, lambda: b"x").members["prompt_cache_key"] for one in (ALICE, bob)]
    assert keys[0] != keys[1]


@pytest.mark.parametrize(
    ("ask", "wire", "url"),
    [
        (asked(messages=[], prompt_cache_key="mine"), "openai", "https://api.openai.com/v1"),
        (asked(messages=[]), "openai", "https://notopenai.com/v1"),
        (asked(messages=[]), "openai", "http://vllm.internal:8000/v1"),
        (asked(messages=[]), "litellm", ""),
    ],
)
def test_hosts_that_do_not_know_the_key_are_not_told_one(ask: Ask, wire: str, url: str) -> None:
    deployment = make_deployment(provider=make_provider(wire=wire, base_url=url))
    assert hinted(ask, deployment, ALICE, lambda: b"beginning") is ask


def test_nothing_is_asked_for_unless_the_policy_says_so() -> None:
    ask = asked("anthropic", system="Be kind.", messages=[{"role": "user", "content": "hi"}])
    deployment = make_deployment(provider=make_provider(wire="anthropic"))
    assert hinted(ask, deployment, make_principal(), lambda: b"beginning") is ask
