"""Every door that costs, whole and as a stream: how it is asked, and how it says what went wrong."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.support import anthropic_scripts, socket_client
from tests.support.plain_doors import PlainDoor
from tests.support.provider_kinds import completion_events, response_events, typed
from tests.support.provider_scripts import DONE, PIECES, delta, event
from tests.support.small_configurations import CALL_NANO

_BOUNDARY = "----a-boundary-of-ours"
_MEDIA = {False: "application/json", True: f"multipart/form-data; boundary={_BOUNDARY}"}

Told = dict[str, Any]
ReadCode = Callable[[Told, str], str]
"""The code in an envelope, which must be whole and tell the request's id."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A door, whole or as a stream."""

    path: str
    asked: Mapping[str, Any]
    code: ReadCode
    nano: int
    """What an honest answer costs; a door of nothing is free whatever becomes of it."""
    host: str = "stub"
    """Which provider is asked."""
    form: bool = False
    begun: Sequence[bytes] = ()
    """How a provider begins a stream, up to something that reaches the caller."""
    end: bytes = b""
    """What stands in a stream that is whole, and in no other."""
    error_line: bytes = b""
    """What an error within a stream begins with, before its data."""
    late_code: ReadCode | None = None
    """Where an error within a stream has another envelope."""

    def __str__(self) -> str:
        return f"{self.path}-{self.host}-{'stream' if self.streams else 'plain'}"

    @property
    def streams(self) -> bool:
        """Whether a stream is asked for."""
        return bool(self.begun)

    def request(self, model: str) -> tuple[bytes, str]:
        """A small request, and what it is."""
        asked = {"model": model, **self.asked}
        return (_form(asked) if self.form else json.dumps(asked).encode()), _MEDIA[self.form]

    def late_error(self, body: bytes, request: str) -> str:
        """The code in the event that ends a stream which broke: no end marker stands in it."""
        assert self.end not in body, body
        *before, last, rest = body.split(b"\n\n")
        assert before, "nothing came before the error"
        assert rest == b"", body
        assert last.startswith(self.error_line + b"data: "), last
        told = json.loads(last.removeprefix(self.error_line + b"data: "))
        return (self.late_code or self.code)(told, request)


def frame_code(told: Told, request: str) -> str:
    """A frame on a socket that says what went wrong."""
    assert (told["type"], told["request_id"]) == ("error", request)
    assert told["error"]["message"]
    return str(told["error"]["code"])


def openai_code(told: Told, request: str) -> str:
    """OpenAI's envelope."""
    error = told.pop("error")
    assert told == {"request_id": request}
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    return str(error["code"])


def response_code(told: Told, request: str) -> str:
    """An error within a stream of a response: its event says beside the envelope what stands in it."""
    beside = {name: told.pop(name) for name in ("type", "code", "message", "param")}
    assert beside == told["error"] | {"type": "error"}
    return openai_code(told, request)


def anthropic_code(told: Told, request: str) -> str:
    """Anthropic's envelope."""
    error = told.pop("error")
    assert told == {"type": "error", "request_id": request}
    assert set(error) == {"type", "message", "details"}
    assert error["message"]
    return str(error["details"]["error_code"])


def _plain_code(dialect: str) -> ReadCode:
    def code(told: Told, request: str) -> str:
        error = PlainDoor(path="", dialect=dialect).opened(told)
        assert error["request_id"] == request
        return str(error["code"])

    return code


def _form(fields: Mapping[str, Any]) -> bytes:
    head = f'--{_BOUNDARY}\r\ncontent-disposition: form-data; name="%s"%s\r\n\r\n'
    parts = [(head % (name, "") + f"{value}\r\n").encode() for name, value in fields.items()]
    file = (head % ("file", '; filename="a.wav"')).encode() + b"RIFF\x00\xff\r\n"
    return b"".join([*parts, file, f"--{_BOUNDARY}--\r\n".encode()])


CHAT: Mapping[str, Any] = {"messages": [{"role": "user", "content": "hello"}]}
PROMPT: Mapping[str, Any] = {"prompt": "hello"}
STREAM: Mapping[str, Any] = {"stream": True}

_TEXT = tuple(event(delta(piece)) for piece in PIECES[:2])
_RESPONSE_END = b'"type":"response.completed"'
_GATEWAY, _MODELS, _QUERY, _CHAT = map(_plain_code, ("gateway_v1", "models_v1", "query", "chat"))

_MESSAGE_NANO = 25 * 1_000 + 40 * 100 + 10 * 1_250 + 20 * 2_000 + 15 * 2_000
_IMAGE_NANO, _SECONDS_NANO = 40_000_000, 7 * 100_000
_PROMPT_NANO, _JUDGED_NANO = 11 * 1_000, 1_000

_OPENAI = Row(path="/v1/chat/completions", asked=CHAT, code=openai_code, nano=CALL_NANO)
_COMPLETION = replace(_OPENAI, path="/v1/completions", asked=PROMPT)
_RESPONSE = replace(_OPENAI, path="/v1/responses", asked={"input": "hello"})
_IMAGE = replace(_OPENAI, path="/v1/images/generations", asked=PROMPT, nano=_IMAGE_NANO)
_SPOKEN = {"input": "hello", "voice": "alloy"}
_SPEECH = replace(_OPENAI, path="/v1/audio/speech", asked=_SPOKEN, nano=_SECONDS_NANO)
_HEARD = replace(_OPENAI, path="/v1/audio/transcriptions", asked={}, nano=_SECONDS_NANO, form=True)
_MESSAGE = Row(
    path="/v1/messages",
    asked={**CHAT, "max_tokens": 20},
    code=anthropic_code,
    nano=_MESSAGE_NANO,
    host="claude",
)
_PROMPTED = Row(path="/api/v1/gateway/generate", asked=PROMPT, code=_GATEWAY, nano=CALL_NANO)
_MODEL = replace(_PROMPTED, path="/api/v1/generate", code=_MODELS)
_VECTORS = replace(
    _PROMPTED, path="/api/v1/gateway/embeddings", asked={"texts": ["hello"]}, nano=_PROMPT_NANO
)

_TOLD_IN_TEXT: dict[str, Any] = {"begun": _TEXT, "end": DONE}
_RESPONDED: dict[str, Any] = {"error_line": b"event: error\n", "late_code": response_code}

ROWS = (
    _OPENAI,
    replace(_OPENAI, asked={**CHAT, **STREAM}, **_TOLD_IN_TEXT),
    _COMPLETION,
    replace(_COMPLETION, asked={**PROMPT, **STREAM}, begun=completion_events(counts=False)[:2], end=DONE),
    replace(_OPENAI, path="/v1/embeddings", asked={"input": "hello"}, nano=_PROMPT_NANO),
    _RESPONSE,
    replace(_RESPONSE, asked={**_RESPONSE.asked, **STREAM}, begun=_TEXT, end=_RESPONSE_END, **_RESPONDED),
    replace(_RESPONSE, host="native"),
    replace(
        _RESPONSE,
        host="native",
        asked={**_RESPONSE.asked, **STREAM},
        begun=response_events()[:4],
        end=b'"type": "response.completed"',
        **_RESPONDED,
    ),
    replace(_OPENAI, path="/v1/moderations", asked={"input": "hello"}, nano=_JUDGED_NANO),
    _IMAGE,
    replace(
        _IMAGE,
        asked={**PROMPT, **STREAM},
        nano=CALL_NANO,
        begun=[typed({"type": "image_generation.partial_image", "b64_json": "eA=="})],
        end=b"image_generation.completed",
    ),
    _SPEECH,
    replace(
        _SPEECH,
        asked={**_SPOKEN, "stream_format": "sse"},
        nano=CALL_NANO,
        begun=[typed({"type": "speech.audio.delta", "audio": "eA=="})],
        end=b"speech.audio.done",
    ),
    _HEARD,
    replace(
        _HEARD,
        asked={"stream": "true"},
        nano=CALL_NANO,
        begun=[typed({"type": "transcript.text.delta", "delta": piece}) for piece in PIECES[:2]],
        end=b"transcript.text.done",
    ),
    replace(
        _OPENAI,
        path="/v1/rerank",
        asked={"query": "hello", "documents": ["hello"]},
        nano=_PROMPT_NANO,
    ),
    _MESSAGE,
    replace(
        _MESSAGE,
        asked={**_MESSAGE.asked, **STREAM},
        begun=anthropic_scripts.events(anthropic_scripts.HELLO)[:5],
        end=b"message_stop",
        error_line=b"event: error\n",
    ),
    replace(_MESSAGE, path="/v1/messages/count_tokens", asked=CHAT, nano=0),
    _PROMPTED,
    replace(_PROMPTED, asked={**PROMPT, **STREAM}, **_TOLD_IN_TEXT),
    replace(_PROMPTED, path="/api/v1/gateway/generate/stream", **_TOLD_IN_TEXT),
    _VECTORS,
    _MODEL,
    replace(_MODEL, asked={**PROMPT, **STREAM}, **_TOLD_IN_TEXT),
    replace(_PROMPTED, path="/query", code=_QUERY),
    replace(_PROMPTED, path="/chat", code=_CHAT),
    replace(_PROMPTED, path="/stream", code=_QUERY, **_TOLD_IN_TEXT),
    replace(_VECTORS, path="/embeddings", asked={"text": "hello"}, code=_QUERY),
)
"""What each door is asked; by hand, so that a new door is thought about."""

_SOCKET = replace(_PROMPTED, path=socket_client.PATH, asked={**PROMPT, "stream": False}, code=frame_code)
SOCKET_ROWS = (_SOCKET, replace(_SOCKET, asked=PROMPT, **_TOLD_IN_TEXT))
"""The same, as requests on a WebSocket."""
