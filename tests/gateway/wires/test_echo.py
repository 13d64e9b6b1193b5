"""The built-in provider answers from the request alone, in OpenAI's format."""

from base64 import b64decode
from typing import Any

import msgspec
import pytest

from gateway.call import Kind
from gateway.chat_stream import ChatStream
from gateway.exchange import Request
from gateway.typed_stream import TypedStream
from gateway.wires.echo import answer
from gateway.wires.openai import read_reply
from tests.support.engine import (
    make_ask,
)

RECORDING = (
    b'--end\r\nContent-Disposition: form-data; name="response_format"\r\n\r\n%b\r\n'
    b'--end\r\nContent-Disposition: form-data; name="file"; filename="hello.wav"\r\n\r\nabc\r\n--end--\r\n'
)


def _ask(path: str = "/chat/completions", **members: Any) -> tuple[int, bytes]:
    body = msgspec.json.encode({"model": "echo", **members})
    status, _, pieces = answer(Request(url=f"echo:{path}", headers={}, body=body))
    return status, b"".join(pieces)


def _say(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def test_it_says_what_it_was_told_and_counts() -> None:
    status, body = _ask(messages=_say("hello there"))
    reply = read_reply(make_ask(), {}, body)
    assert status == 200
    assert b'"content":"hello there"' in body
    assert reply.usage is not None
    assert (reply.usage.input, reply.usage.output) == (3, 3)


def test_it_streams_the_same_words() -> None:
    _, body = _ask(messages=_say("one two three"), stream=True, stream_options={"include_usage": True})
    reader = ChatStream(hides_usage=False)
    reader.feed(body)
    assert "".join(reader.delivered) == "one two three"
    assert reader.finished
    assert reader.usage is not None


def test_it_is_the_same_every_time() -> None:
    assert _ask(messages=_say("x"), n=2) == _ask(messages=_say("x"), n=2)


def test_it_stops_at_the_asked_length() -> None:
    _, body = _ask(messages=_say("one two three"), max_tokens=2)
    assert b'"content":"one two"' in body
    assert b'"finish_reason":"length"' in body


def test_it_calls_the_first_tool() -> None:
    parameters = {
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city"],
    }
    tools = [{"function": {"name": "weather", "parameters": parameters}}]
    _, body = _ask(messages=_say("rain?"), tools=tools)
    called = msgspec.json.decode(body)["choices"][0]["message"]["tool_calls"][0]["function"]
    assert called == {"name": "weather", "arguments": '{"city":"echo"}'}
    assert b"tool_calls" not in _ask(messages=_say("rain?"), tools=tools, tool_choice="none")[1]


@pytest.mark.parametrize(
    ("asked", "count"),
    [("one", 1), (["one", "two"], 2), ([1, 2, 3], 1), ([[1], [2]], 2), (["one", 2, [3]], 3)],
)
def test_it_embeds_texts_and_tokens(asked: Any, count: int) -> None:
    _, body = _ask("/embeddings", input=asked, dimensions=8)
    vectors = [one["embedding"] for one in msgspec.json.decode(body)["data"]]
    assert [len(vector) for vector in vectors] == [8] * count
    assert sum(number**2 for number in vectors[0]) == pytest.approx(1)


def test_it_goes_on_from_texts_and_tokens_alike() -> None:
    _, body = _ask("/completions", prompt=["one two", 3, [4, 5]])
    told = msgspec.json.decode(body)
    assert [choice["text"] for choice in told["choices"]] == ["one two", "3", "4 5"]
    assert told["usage"]["prompt_tokens"] == 5
    told = msgspec.json.decode(_ask("/completions", prompt=[1, 2, 3])[1])
    assert [choice["text"] for choice in told["choices"]] == ["1 2 3"]
    told = msgspec.json.decode(_ask("/completions", prompt="one two three", max_tokens=2)[1])
    assert [(one["text"], one["finish_reason"]) for one in told["choices"]] == [("one two ", "length")]


def test_it_flags_one_word_and_puts_documents_in_the_order_of_the_question() -> None:
    _, body = _ask("/moderations", input=["be kind", "no Violence here"])
    assert [one["flagged"] for one in msgspec.json.decode(body)["results"]] == [False, True]
    _, body = _ask(
        "/rerank", query="a red apple", documents=["blue", {"text": "a red apple"}, "red"], top_n=2
    )
    results = msgspec.json.decode(body)["results"]
    assert [(one["index"], one["relevance_score"]) for one in results] == [(1, 1.0), (2, 1 / 3)]


def test_it_draws_each_picture_of_a_prompt_in_another_colour() -> None:
    drawn = [one["b64_json"] for one in msgspec.json.decode(_ask("/images/generations", n=2)[1])["data"]]
    assert len(set(drawn)) == 2
    assert all(b64decode(one).startswith(b"\x89PNG") for one in drawn)


@pytest.mark.parametrize(
    ("wanted", "began"),
    [
        ("json", b'{"text":"hello.wav: 3 bytes"'),
        ("verbose_json", b'{"task":"transcribe"'),
        ("text", b"hello.wav: 3 bytes\n"),
        ("srt", b"1\n00:00:00,000"),
        ("vtt", b"WEBVTT\n\n"),
    ],
)
def test_it_writes_down_in_the_format_that_is_asked_for(wanted: str, began: bytes) -> None:
    headers = {"content-type": "multipart/form-data; boundary=end"}
    request = Request(url="echo:/audio/transcriptions", headers=headers, body=RECORDING % wanted.encode())
    status, _, pieces = answer(request)
    assert status == 200
    assert b"".join(pieces).startswith(began)


@pytest.mark.parametrize(
    ("path", "kind", "members"),
    [
        ("/images/generations", "image", {"prompt": "a cat", "stream": True}),
        ("/audio/speech", "speech", {"input": "two words", "stream_format": "sse"}),
    ],
)
def test_it_streams_pictures_and_sounds_and_counts(path: str, kind: Kind, members: dict[str, Any]) -> None:
    _, body = _ask(path, **members)
    reader = TypedStream(kind)
    reader.feed(body)
    assert reader.finished
    assert reader.usage is not None
    assert reader.usage.input == 2


def test_it_embeds_in_base64_too() -> None:
    _, body = _ask("/embeddings", input="x", dimensions=8, encoding_format="base64")
    assert len(b64decode(msgspec.json.decode(body)["data"][0]["embedding"])) == 32


def test_what_it_does_not_understand_it_rejects() -> None:
    assert _ask(messages="hello")[0] == 400
