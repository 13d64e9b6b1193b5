"""A provider of our own that needs no key: it answers with the last thing it was told, in OpenAI's format.

Its answers depend on the request alone, so that examples, tests and first minutes are the same everywhere.
"""

import hashlib
from array import array
from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from gateway.echoes import find_echo
from gateway.exchange import Request
from gateway.sse import encode_event

_DIMENSIONS = 16
_BYTES_A_TOKEN = 4
_SAMPLES: dict[str, Any] = {"integer": 1, "number": 1.5, "boolean": True, "array": [], "object": {}}
_CREATED = 1_700_000_000


class _Property(msgspec.Struct):
    type: str = "string"


class _Parameters(msgspec.Struct):
    properties: dict[str, _Property] = {}
    required: list[str] | None = None


class _Function(msgspec.Struct, frozen=True):
    name: str = ""
    parameters: _Parameters | None = None


class _Tool(msgspec.Struct):
    function: _Function = _Function()


class _ChatRequest(msgspec.Struct):
    model: str
    messages: list[dict[str, Any]] = []
    stream: bool | None = False
    stream_options: dict[str, Any] | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    tools: list[_Tool] | None = None
    tool_choice: Any = None
    n: int | None = 1


class _EmbeddingRequest(msgspec.Struct):
    model: str
    input: Any = ""
    dimensions: int | None = None
    encoding_format: str | None = "float"


_chat = msgspec.json.Decoder(_ChatRequest)
_embedding = msgspec.json.Decoder(_EmbeddingRequest)
_encode = msgspec.json.Encoder().encode


def answer(request: Request) -> tuple[int, dict[str, str], Sequence[bytes]]:
    """Status, headers and body pieces of the answer to a request in OpenAI's format."""
    try:
        if (other := find_echo(request)) is not None:
            return other(request)
        if request.url.endswith("/embeddings"):
            return 200, {"content-type": "application/json"}, [_embed(_embedding.decode(request.body))]
        asked = _chat.decode(request.body)
    except msgspec.DecodeError as error:
        told = {"error": {"message": str(error), "type": "invalid_request_error"}}
        return 400, {"content-type": "application/json"}, [_encode(told)]
    if asked.stream:
        return 200, {"content-type": "text/event-stream"}, list(_stream(asked))
    return 200, {"content-type": "application/json"}, [_complete(asked)]


def _complete(asked: _ChatRequest) -> bytes:
    message, reason = _message(asked)
    choices = [{"index": index, "message": message, "finish_reason": reason} for index in range(asked.n or 1)]
    return _encode({**_head(asked, "chat.completion"), "choices": choices, "usage": _usage(asked)})


def _stream(asked: _ChatRequest) -> Iterator[bytes]:
    head = _head(asked, "chat.completion.chunk")
    message, reason = _message(asked)
    if "tool_calls" in message:
        deltas: list[dict[str, Any]] = [{"tool_calls": [{"index": 0, **message["tool_calls"][0]}]}]
    else:
        deltas = [{"content": piece} for piece in _pieces(message["content"])]
    for delta in [{"role": "assistant", "content": ""}, *deltas]:
        yield _chunk(head, [{"index": 0, "delta": delta, "finish_reason": None}])
    yield _chunk(head, [{"index": 0, "delta": {}, "finish_reason": reason}])
    if (asked.stream_options or {}).get("include_usage"):
        yield encode_event(_encode({**head, "choices": [], "usage": _usage(asked)}))
    yield encode_event(b"[DONE]")


def _chunk(head: dict[str, Any], choices: list[dict[str, Any]]) -> bytes:
    return encode_event(_encode({**head, "choices": choices}))


def _head(asked: _ChatRequest, kind: str) -> dict[str, Any]:
    digest = hashlib.sha256(_encode(asked.messages)).hexdigest()
    return {"id": f"chatcmpl-{digest[:24]}", "object": kind, "created": _CREATED, "model": asked.model}


def _message(asked: _ChatRequest) -> tuple[dict[str, Any], str]:
    last = asked.messages[-1] if asked.messages else {}
    if asked.tools and asked.tool_choice != "none" and last.get("role") != "tool":
        function = asked.tools[0].function
        called = {"name": function.name, "arguments": _arguments(function.parameters or _Parameters())}
        tool = {"id": "call_echo", "type": "function", "function": called}
        return {"role": "assistant", "content": None, "tool_calls": [tool]}, "tool_calls"
    words = list(_pieces(_text(last.get("content"))))
    limit = asked.max_completion_tokens or asked.max_tokens
    if limit is not None and len(words) > limit:
        return {"role": "assistant", "content": "".join(words[:limit])}, "length"
    return {"role": "assistant", "content": "".join(words)}, "stop"


def _arguments(parameters: _Parameters) -> str:
    wanted = parameters.properties if parameters.required is None else parameters.required
    kinds = {name: parameters.properties.get(name, _Property()).type for name in wanted}
    return _encode({name: _SAMPLES.get(kind, "echo") for name, kind in kinds.items()}).decode()


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return " ".join(part["text"] for part in parts if isinstance(part.get("text"), str))


def _pieces(text: str) -> Iterator[str]:
    first, *others = text.split(" ")
    yield first
    yield from (f" {word}" for word in others)


def _usage(asked: _ChatRequest) -> dict[str, int]:
    prompt = sum(_tokens(_text(message.get("content"))) for message in asked.messages)
    message, _ = _message(asked)
    completion = (asked.n or 1) * _tokens(message["content"] or _encode(message).decode())
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def _tokens(told: Any) -> int:
    """Of a text, of tokens, or of a token that stands alone."""
    if isinstance(told, str):
        return -(-len(told.encode("utf-8", "replace")) // _BYTES_A_TOKEN)
    return len(told) if isinstance(told, list) else 1


def _embed(asked: _EmbeddingRequest) -> bytes:
    texts = asked.input if isinstance(asked.input, list) else [asked.input]
    if texts and isinstance(texts[0], int):
        texts = [texts]
    vectors = [_vector(text, asked.dimensions or _DIMENSIONS) for text in texts]
    data = [
        {"object": "embedding", "index": index, "embedding": _rendered(vector, asked.encoding_format)}
        for index, vector in enumerate(vectors)
    ]
    tokens = sum(map(_tokens, texts))
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return _encode({"object": "list", "data": data, "model": asked.model, "usage": usage})


def _vector(text: Any, dimensions: int) -> list[float]:
    seed = _encode(text)
    numbers = hashlib.shake_256(seed).digest(2 * min(max(dimensions, 1), 4096))
    raw = [int.from_bytes(numbers[at : at + 2], "big") / 32768 - 1 for at in range(0, len(numbers), 2)]
    length = sum(number * number for number in raw) ** 0.5 or 1.0
    return [number / length for number in raw]


def _rendered(vector: list[float], encoding: str | None) -> list[float] | str:
    if encoding != "base64":
        return vector
    return b64encode(array("f", vector).tobytes()).decode()
