"""What the built-in provider says to all but chats and embeddings, each answer by its request alone."""

import hashlib
import re
import struct
import zlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from gateway.exchange import Request
from gateway.forms import Field, read_form, text_of
from gateway.sse import encode_event

Answered = tuple[int, dict[str, str], list[bytes]]

_CREATED = 1_700_000_000
_HERTZ = 8_000
_SECONDS_A_WORD = 0.25
_LONGEST_SECONDS = 30.0
_WORD = re.compile(r"\w+")
_FLAGGED = "violence"
_JSON = {"content-type": "application/json"}

_encode = msgspec.json.Encoder().encode


class _Completion(Struct):
    model: str
    prompt: Any = ""
    n: int | None = 1
    max_tokens: int | None = None
    stream: bool | None = False
    stream_options: dict[str, Any] | None = None


class _Image(Struct):
    prompt: str = ""
    n: int | None = 1
    stream: bool | None = False


class _Speech(Struct):
    input: str = ""
    stream_format: str | None = None


class _Rerank(Struct):
    query: str = ""
    documents: list[Any] = []
    top_n: int | None = None
    return_documents: bool | None = False


class _Moderation(Struct):
    model: str = ""
    input: Any = ""


_completion = msgspec.json.Decoder(_Completion).decode
_image = msgspec.json.Decoder(_Image).decode
_speech = msgspec.json.Decoder(_Speech).decode
_rerank = msgspec.json.Decoder(_Rerank).decode
_moderation = msgspec.json.Decoder(_Moderation).decode


def find_echo(request: Request) -> Callable[[Request], Answered] | None:
    """What answers a request, if it is for none of a chat's kind."""
    if request.url.endswith("/chat/completions"):
        return None
    return next((answer for path, answer in _ECHOES.items() if request.url.endswith(path)), None)


def _go_on(request: Request) -> Answered:
    """The prompt once more, or so many words of it."""
    asked = _completion(request.body)
    prompts = asked.prompt if isinstance(asked.prompt, list) else [asked.prompt]
    if all(isinstance(one, int) for one in prompts):
        prompts = [prompts]
    prompts = [[one] if isinstance(one, int) else one for one in prompts]
    said = [_said_again(prompt, asked.max_tokens) for prompt in prompts for _ in range(asked.n or 1)]
    told, spoken = sum(map(_length, prompts)), sum(len(words) for words, _ in said)
    usage = {"prompt_tokens": told, "completion_tokens": spoken, "total_tokens": told + spoken}
    head = {"id": "cmpl-echo", "object": "text_completion", "created": _CREATED, "model": asked.model}
    if not asked.stream:
        choices = [_choice(place, "".join(words), reason) for place, (words, reason) in enumerate(said)]
        return 200, _JSON, [_encode({**head, "choices": choices, "usage": usage})]
    pieces = [
        [_choice(place, word, None) for word in words] + [_choice(place, "", reason)]
        for place, (words, reason) in enumerate(said)
    ]
    events = [encode_event(_encode({**head, "choices": [one]})) for choice in pieces for one in choice]
    if (asked.stream_options or {}).get("include_usage"):
        events.append(encode_event(_encode({**head, "choices": [], "usage": usage})))
    return 200, {"content-type": "text/event-stream"}, [*events, encode_event(b"[DONE]")]


def _said_again(prompt: Any, limit: int | None) -> tuple[list[str], str]:
    words = re.findall(r"\S+\s*", prompt if isinstance(prompt, str) else " ".join(map(str, prompt)))
    return (words[:limit], "length") if limit and len(words) > limit else (words, "stop")


def _length(prompt: Any) -> int:
    return len(prompt.split() if isinstance(prompt, str) else prompt)


def _choice(index: int, text: str, reason: str | None) -> dict[str, Any]:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": reason}


def _draw(request: Request) -> Answered:
    """Pictures of a single pixel, in a colour of the prompt's own."""
    asked = _image(request.body)
    if asked.stream:
        drawn = b64encode(_png(asked.prompt, 0)).decode()
        done = {"type": "image_generation.completed", "created_at": _CREATED, "b64_json": drawn}
        return _events([{**done, "usage": _usage(max(len(asked.prompt.split()), 1), 1)}])
    count = min(max(asked.n or 1, 1), 128)
    pictures = [{"b64_json": b64encode(_png(asked.prompt, index)).decode()} for index in range(count)]
    return 200, _JSON, [_encode({"created": _CREATED, "data": pictures})]


def _png(prompt: str, index: int) -> bytes:
    colour = hashlib.sha256(f"{index} {prompt}".encode("utf-8", "replace")).digest()[:3]
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0),
        b"IDAT": zlib.compress(b"\0" + colour),
        b"IEND": b"",
    }
    told = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks.items()
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(told)


def _speak(request: Request) -> Answered:
    """A quarter of a second of silence for each word, as a WAV file."""
    asked = _speech(request.body)
    words = max(len(asked.input.split()), 1)
    samples = int(min(words * _SECONDS_A_WORD, _LONGEST_SECONDS) * _HERTZ)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, _HERTZ, _HERTZ, 1, 8)
    data = struct.pack("<4sI", b"data", samples) + b"\x80" * samples
    wave = b"WAVE" + form + data
    sound = struct.pack("<4sI", b"RIFF", len(wave)) + wave
    if asked.stream_format == "sse":
        delta = {"type": "speech.audio.delta", "audio": b64encode(sound).decode()}
        return _events([delta, {"type": "speech.audio.done", "usage": _usage(words, words)}])
    return 200, {"content-type": "audio/wav"}, [sound]


def _write_down(request: Request) -> Answered:
    """The name and the size of what was sent."""
    fields = {field.name: field for field in read_form(request.body, request.headers["content-type"])}
    file = fields["file"]
    text = f"{file.filename or 'file'}: {file.end - file.start} bytes"
    wanted = _field(request.body, fields.get("response_format"))
    if _field(request.body, fields.get("stream")).lower() in ("true", "1"):
        return _written_events(text)
    if wanted in _WRITTEN:
        return 200, {"content-type": "text/plain; charset=utf-8"}, [(_WRITTEN[wanted] % text).encode()]
    told: dict[str, Any] = {"text": text, "usage": {"type": "duration", "seconds": 1}}
    if wanted == "verbose_json":
        segments = [{"id": 0, "start": 0.0, "end": 1.0, "text": text}]
        told = {"task": "transcribe", "language": "english", "duration": 1.0, "segments": segments} | told
    return 200, _JSON, [_encode(told)]


_WRITTEN: Mapping[str, str] = {
    "text": "%s\n",
    "srt": "1\n00:00:00,000 --> 00:00:01,000\n%s\n\n",
    "vtt": "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n%s\n\n",
}


def _field(body: bytes, field: Field | None) -> str:
    return "" if field is None else text_of(body, field)


def _written_events(text: str) -> Answered:
    usage = {"type": "tokens", **_usage(10, 5)}
    events: list[dict[str, Any]] = [
        {"type": "transcript.text.delta", "delta": piece} for piece in re.findall(r"\S+\s*", text)
    ]
    events.append({"type": "transcript.text.done", "text": text, "usage": usage})
    return _events(events)


def _usage(asked: int, said: int) -> dict[str, int]:
    return {"input_tokens": asked, "output_tokens": said, "total_tokens": asked + said}


def _events(told: list[dict[str, Any]]) -> Answered:
    return 200, {"content-type": "text/event-stream"}, [encode_event(_encode(event)) for event in told]


def _put_in_order(request: Request) -> Answered:
    """A document is worth the part of the question's words that it has."""
    asked = _rerank(request.body)
    question = set(_words(asked.query))
    texts = [str(one.get("text", "") if isinstance(one, dict) else one) for one in asked.documents]
    results = [
        {"index": index, "relevance_score": len(question & set(_words(text))) / max(len(question), 1)}
        | ({"document": {"text": text}} if asked.return_documents else {})
        for index, text in enumerate(texts)
    ]
    results.sort(key=lambda one: (-float(str(one["relevance_score"])), one["index"]))
    tokens = sum(len(_words(text)) for text in texts) + len(question)
    usage = {"total_tokens": tokens}
    return 200, _JSON, [_encode({"id": "rerank-echo", "results": results[: asked.top_n], "usage": usage})]


def _judge(request: Request) -> Answered:
    """A text is flagged if it says the one word that is looked for."""
    asked = _moderation(request.body)
    given = asked.input if isinstance(asked.input, list) else [asked.input]
    flags = [_FLAGGED in str(one).lower() for one in given]
    results = [
        {
            "flagged": flag,
            "categories": {_FLAGGED: flag},
            "category_scores": {_FLAGGED: float(flag)},
            "category_applied_input_types": {_FLAGGED: ["text"]},
        }
        for flag in flags
    ]
    return 200, _JSON, [_encode({"id": "modr-echo", "model": asked.model, "results": results})]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


_ECHOES: Mapping[str, Callable[[Request], Answered]] = {
    "/completions": _go_on,
    "/images/generations": _draw,
    "/audio/speech": _speak,
    "/audio/transcriptions": _write_down,
    "/rerank": _put_in_order,
    "/moderations": _judge,
}
