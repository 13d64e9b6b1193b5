"""A coding agent whose ANTHROPIC_BASE_URL is the gateway: what it sends in a session, in order."""

from typing import Any

import anthropic
import pytest
from anthropic.types.beta import BetaMessageParam, BetaTextBlockParam, BetaToolParam, BetaToolResultBlockParam

from tests.api.conftest import Calling
from tests.support.anthropic_scripts import COUNTED, METERS, events, streams
from tests.support.caller import Caller, fresh
from tests.support.provider_stub import ProviderStub
from tests.support.raw_http import exchange, request_bytes

BETAS = [
    "claude-code-20250219",
    "interleaved-thinking-2025-05-14",
    "fine-grained-tool-streaming-2025-05-14",
    "context-management-2025-06-27",
]
SYSTEM: list[BetaTextBlockParam] = [
    {"type": "text", "text": "You work on code.", "cache_control": {"type": "ephemeral"}},
    {"type": "text", "text": "The folder is /srv/app.", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
]
TOOLS: list[BetaToolParam] = [
    {
        "name": name,
        "description": f"{name}s a file",
        "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
    }
    for name in ("Read", "Edit")
]
READ = {"type": "tool_use", "id": "toolu_read", "name": "Read", "input": {"path": "a.py"}}
EDIT = {"type": "tool_use", "id": "toolu_edit", "name": "Edit", "input": {"path": "a.py"}}
THOUGHT = {"type": "thinking", "thinking": "Look first.", "signature": "c2lnbmVk"}
DONE = {"type": "text", "text": "It is mended."}


@pytest.fixture
def caller(calling: Calling) -> Caller:
    return calling("agent")


def agents(caller: Caller) -> anthropic.Anthropic:
    return anthropic.Anthropic(
        base_url=caller.gateway.url,
        auth_token=caller.key,
        max_retries=0,
        timeout=15,
        default_headers={"User-Agent": "coding-agent/2.1", "X-App": "cli"},
    )


def ask(client: anthropic.Anthropic, model: str, messages: list[BetaMessageParam], request: str) -> Any:
    """The next message, streamed, as agents ask for it: by the beta door, whose address has `?beta=true`."""
    with client.beta.messages.stream(
        model=model,
        max_tokens=32_000,
        system=SYSTEM,
        messages=messages,
        tools=TOOLS,
        thinking={"type": "enabled", "budget_tokens": 10_000},
        metadata={"user_id": "user_1_session_2"},
        betas=BETAS,
        extra_headers={"X-Request-ID": request},
    ) as stream:
        return stream.get_final_message()


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_the_base_address_answers_something(caller: Caller, method: str) -> None:
    answer = exchange(caller.gateway.port, request_bytes(method, "/"), method)
    assert answer.status < 500


def test_a_session(caller: Caller, provider: ProviderStub) -> None:
    name, request = fresh("session"), fresh("session")
    provider.script(name, *(streams(events(THOUGHT, one)) for one in (READ, EDIT, DONE)))
    model = f"claude/{name}"
    messages: list[BetaMessageParam] = [{"role": "user", "content": [{"type": "text", "text": "mend a.py"}]}]
    with agents(caller) as client:
        assert client.models.retrieve(model).id == model
        used: list[Any] = []
        while True:
            answer = ask(client, model, messages, f"{request}-{len(used)}")
            messages.append({"role": "assistant", "content": answer.content})
            if answer.stop_reason != "tool_use":
                break
            used.append(answer.content[-1])
            result: BetaToolResultBlockParam = {
                "type": "tool_result",
                "tool_use_id": used[-1].id,
                "content": "def a(): ...",
            }
            messages.append({"role": "user", "content": [result]})
    assert [(tool.name, tool.input) for tool in used] == [
        ("Read", {"path": "a.py"}),
        ("Edit", {"path": "a.py"}),
    ]
    assert (answer.stop_reason, answer.content[-1].text) == ("end_turn", DONE["text"])
    for turn in range(3):
        row = caller.entry(f"{request}-{turn}")
        assert (row.status, row.meters) == ("settled", METERS)
    *_, last = provider.heard(name)
    assert len(provider.heard(name)) == 3
    assert last.path == "/claude/v1/messages"
    assert (last.asked["system"], last.asked["tools"]) == (SYSTEM, TOOLS)
    thought = last.asked["messages"][1]["content"][0]
    assert (thought["type"], thought["signature"]) == ("thinking", THOUGHT["signature"])
    assert last.headers["anthropic-beta"].split(",") == BETAS


def test_a_prompt_is_counted_on_the_way(caller: Caller) -> None:
    with agents(caller) as client:
        counted = client.beta.messages.count_tokens(
            model="claude/counted",
            system=SYSTEM,
            messages=[{"role": "user", "content": "mend a.py"}],
            tools=TOOLS,
            betas=[*BETAS, "token-counting-2024-11-01"],
        )
    assert counted.input_tokens == COUNTED
