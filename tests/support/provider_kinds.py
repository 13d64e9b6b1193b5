"""What the provider stub answers honestly to all kinds of calls, and how its typed streams go on."""

import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from tests.support.anthropic_scripts import answer_as_either
from tests.support.provider_scripts import (
    CHUNKED_END,
    COMPLETION_TOKENS,
    DONE,
    PIECES,
    PROMPT_TOKENS,
    USAGE,
    chunked,
    event,
    replies,
    stream_head,
)
from tests.support.provider_stub import Heard, Script, Turn

SOUND = b"ID3\x00not really music"
PICTURE = b"\x89PNG\r\n\x1a\nnot really a picture"
RESPONSE_USAGE = {
    "input_tokens": PROMPT_TOKENS,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": COMPLETION_TOKENS,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
}


async def answer_any(turn: Turn) -> None:
    """Answer whatever was asked, whatever its kind."""
    path = turn.heard.path
    stream = turn.heard.member("stream")
    if path.endswith("/responses"):
        script = response_streams() if stream else replies(response())
    elif path.endswith("/chat/completions"):
        script = answer_as_either
    elif path.endswith("/completions"):
        script = completion_streams(turn.heard) if stream else replies(_whole_completion())
    else:
        script = next(
            (made(turn.heard) for end, made in _BY_PATH.items() if path.endswith(end)), answer_as_either
        )
    await script(turn)


def response(identifier: str = "resp_1", text: str = "".join(PIECES), **members: Any) -> bytes:
    """A whole response."""
    return json.dumps(_response(identifier, text) | members).encode()


def response_events(identifier: str = "resp_1", pieces: Sequence[str] = PIECES) -> list[bytes]:
    """A streamed response, event by event."""
    begun = _response(identifier, "") | {"status": "in_progress", "output": [], "usage": None}
    told: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": {"type": "message", "id": "msg_1"}},
        *({"type": "response.output_text.delta", "item_id": "msg_1", "delta": piece} for piece in pieces),
        {"type": "response.output_text.done", "item_id": "msg_1", "text": "".join(pieces)},
        {"type": "response.completed", "response": _response(identifier, "".join(pieces))},
    ]
    return [typed(one | {"sequence_number": number}) for number, one in enumerate(told)]


def typed(told: dict[str, Any]) -> bytes:
    """An event that says what it is."""
    return b"event: %b\n" % told["type"].encode() + event(json.dumps(told).encode())


def events_then(events: Sequence[bytes], *, cut: bool = False, gated: bool = False) -> Script:
    """A stream of these events; then its end, or a cut."""

    async def script(turn: Turn) -> None:
        turn.write(stream_head())
        for one in events:
            if gated:
                await turn.gate.passed()
            turn.write(chunked(one))
        if cut:
            turn.cut()
        else:
            turn.complete(CHUNKED_END, prompt_tokens=PROMPT_TOKENS, completion_tokens=COMPLETION_TOKENS)

    return script


def response_streams() -> Script:
    """A streamed response to its end."""
    return events_then(response_events())


def completion_events(*, counts: bool) -> list[bytes]:
    """A streamed completion."""
    told: list[dict[str, Any]] = [{"choices": [_text(piece, None)]} for piece in PIECES]
    told.append({"choices": [_text("", "stop")]})
    told += [{"choices": [], "usage": USAGE}] if counts else []
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "upstream"}
    return [*(event(json.dumps(head | one).encode()) for one in told), DONE]


def completion_streams(heard: Heard) -> Script:
    """A streamed completion to its end, counted where that was asked."""
    options = heard.member("stream_options") or {}
    return events_then(completion_events(counts=bool(options.get("include_usage"))))


def _text(text: str, reason: str | None) -> dict[str, Any]:
    return {"index": 0, "text": text, "logprobs": None, "finish_reason": reason}


def _whole_completion() -> bytes:
    told = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "upstream", "usage": USAGE}
    return json.dumps(told | {"choices": [_text("".join(PIECES), "stop")]}).encode()


def _response(identifier: str, text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [part]}
    return {
        "id": identifier,
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": "upstream",
        "output": [item],
        "usage": RESPONSE_USAGE,
    }


def _speech(heard: Heard) -> Script:
    if heard.member("stream_format") == "sse":
        done: dict[str, Any] = {"type": "speech.audio.done", "usage": _counted()}
        audio: dict[str, Any] = {"type": "speech.audio.delta", "audio": b64encode(SOUND).decode()}
        return events_then([typed(audio), typed(done)])
    return replies(SOUND, headers=[("content-type", "audio/aac")])


def _transcription(heard: Heard) -> Script:
    if heard.member("stream") == "true":
        pieces: list[dict[str, Any]] = [{"type": "transcript.text.delta", "delta": one} for one in PIECES]
        done: dict[str, Any] = {"type": "transcript.text.done", "text": "".join(PIECES), "usage": _counted()}
        return events_then([typed(one) for one in (*pieces, done)])
    wanted = heard.member("response_format") or "json"
    if wanted in ("text", "srt", "vtt"):
        return replies(b"Hello wide world\n", headers=[("content-type", "text/plain; charset=utf-8")])
    told: dict[str, Any] = {"text": "Hello wide world", "usage": {"type": "duration", "seconds": 7}}
    verbose = {"task": "transcribe", "language": "english", "duration": 6.5, "segments": []}
    return replies(json.dumps(told | (verbose if wanted == "verbose_json" else {})).encode())


def _counted() -> dict[str, int]:
    total = PROMPT_TOKENS + COMPLETION_TOKENS
    return {"input_tokens": PROMPT_TOKENS, "output_tokens": COMPLETION_TOKENS, "total_tokens": total}


def _image(heard: Heard) -> Script:
    picture = {"b64_json": b64encode(PICTURE).decode()}
    if heard.member("stream"):
        done = {"type": "image_generation.completed", "usage": _counted()} | picture
        return events_then([typed({"type": "image_generation.partial_image"} | picture), typed(done)])
    pictures = [picture] * (heard.member("n") or 1)
    return replies(json.dumps({"created": 1, "data": pictures}).encode())


def _moderation(_: Heard) -> Script:
    result = {"flagged": True, "categories": {"violence": True}, "category_scores": {"violence": 0.9}}
    return replies(json.dumps({"id": "modr-1", "model": "upstream", "results": [result]}).encode())


def _rerank(_: Heard) -> Script:
    results = [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]
    told = {"id": "rerank-1", "results": results, "usage": {"total_tokens": PROMPT_TOKENS}}
    return replies(json.dumps(told).encode())


_BY_PATH = {
    "/audio/speech": _speech,
    "/audio/transcriptions": _transcription,
    "/images/generations": _image,
    "/moderations": _moderation,
    "/rerank": _rerank,
}
