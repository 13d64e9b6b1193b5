"""A request for a response as a chat: what means the same is told, and what has no words is refused."""

import json
from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.responses.asking import chat_body
from tests.support.engine import ask_of


def chat(**members: Any) -> dict[str, Any]:
    body = json.dumps({"model": "m", "input": "x", **members}).encode()
    told: dict[str, Any] = json.loads(chat_body(ask_of(body, operation="response"), "n", counts=True))
    return told


def test_calls_and_their_results_are_told_in_turn() -> None:
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "rain?"}]},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "wait"}]},
        {"type": "function_call", "call_id": "a", "name": "weather", "arguments": "{}"},
        {"type": "function_call", "call_id": "b", "name": "time", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "sunny"},
        {"type": "function_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "noon"}]},
    ]
    called = [
        {"id": name, "type": "function", "function": {"name": function, "arguments": "{}"}}
        for name, function in (("a", "weather"), ("b", "time"))
    ]
    assert chat(input=items)["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "rain?"}]},
        {"role": "assistant", "content": "wait", "tool_calls": called},
        {"role": "tool", "tool_call_id": "a", "content": "sunny"},
        {"role": "tool", "tool_call_id": "b", "content": "noon"},
    ]


def test_pictures_files_and_sounds_are_told() -> None:
    parts = [
        {"type": "input_image", "image_url": "https://a.example/b.png", "detail": "low"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:x"},
        {"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}},
    ]
    assert chat(input=[{"role": "user", "content": parts}])["messages"][0]["content"] == [
        {"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "low"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:x"}},
        {"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}},
    ]


def test_null_means_nothing() -> None:
    nothing = dict.fromkeys(("instructions", "tools", "tool_choice", "text", "reasoning", "temperature"))
    assert chat(**nothing) == {"model": "n", "messages": [{"role": "user", "content": "x"}]}


def test_a_plain_or_a_free_object_is_a_format() -> None:
    assert "response_format" not in chat(text={"format": {"type": "text"}})
    told = chat(text={"format": {"type": "json_object"}, "verbosity": "low"})
    assert (told["response_format"], told["verbosity"]) == ({"type": "json_object"}, "low")


@pytest.mark.parametrize(
    "members",
    [
        {"tools": [{"type": "web_search", "max_uses": 1}]},
        {"tools": ["weather"]},
        {"tools": 7},
        {"tools": [{"type": "function", "name": "f"}], "tool_choice": {"type": "file_search"}},
        {"text": "json"},
        {"text": {"format": []}, "reasoning": 5},
        {"reasoning": "low"},
        {"input": [{"type": "computer_call"}]},
        {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]}]},
        {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]}]},
        {"input": [{"role": "user", "content": [{"type": "video"}]}]},
        {"input": [{"role": "user", "content": ["text"]}]},
        {"input": [{"role": "user", "content": 7}]},
        {"input": 7},
        {"input": [{"role": "user", "content": [{"type": ["input_text"]}]}]},
        {"input": [{"role": "assistant", "content": 7}]},
    ],
    ids=str,
)
def test_what_has_no_words_in_a_chat_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        chat(**members)


def test_a_request_nested_too_deeply_is_refused() -> None:
    deep = b"[" * 5_000 + b"]" * 5_000
    ask = ask_of(b'{"model":"m","input":"x"}')
    with pytest.raises(InvalidRequest):
        chat_body(
            type(ask)(
                dialect="openai",
                kind="chat",
                format="openai",
                model="m",
                members={},
                body=b'{"input":"x","metadata":%b}' % deep,
            ),
            "n",
            counts=True,
        )
