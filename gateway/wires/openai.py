"""OpenAI's wire format: what vLLM, Ollama's /v1, DeepSeek, Mistral and most other hosts speak too.

A request that comes in this format goes out byte for byte, but for the members that are ours to
edit; an answer goes back untouched.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway import errors
from gateway.call import Ask, Event, Reply, Usage
from gateway.catalog import Deployment
from gateway.exchange import Request
from gateway.failures import failure_of
from gateway.members import join_members
from gateway.metering import openai_usage
from gateway.sse import Frames, event_data
from gateway.texts import texts_in

FORMAT = "openai"
PATHS: Mapping[str, str] = {"chat": "/chat/completions", "embedding": "/embeddings"}
PASSED_HEADERS = frozenset({"openai-processing-ms", "openai-version", "openai-model"})

_JSON = "application/json"
_DONE = b"[DONE]"
_encode = msgspec.json.Encoder().encode
_options = msgspec.json.Decoder(dict[str, Raw])


class _Body(Struct):
    usage: Raw = Raw()
    service_tier: str | None = None
    choices: list[Raw] | None = None
    data: list[Raw] | None = None


class _Choice(Struct):
    delta: dict[str, Any] | None = None
    text: str | None = None
    finish_reason: str | None = None


class _Chunk(Struct):
    choices: list[_Choice] | None = None
    service_tier: str | None = None
    usage: Raw = Raw()
    error: Raw = Raw()


_body = msgspec.json.Decoder(_Body)
_chunk = msgspec.json.Decoder(_Chunk)


def build_request(ask: Ask, deployment: Deployment) -> Request:
    """The provider's request for an ask that came in this format."""
    provider = deployment.provider
    headers = {"content-type": _JSON, "accept-encoding": "identity", **provider.headers}
    if provider.secret is not None:
        headers["authorization"] = f"Bearer {provider.secret.reveal()}"
    return Request(
        url=provider.base_url + PATHS[ask.kind],
        headers=headers,
        body=_edited_body(ask, deployment),
        connect_timeout=provider.timeouts.connect,
    )


def _edited_body(ask: Ask, deployment: Deployment) -> bytes:
    """The body as it came, but for the members that are ours to edit."""
    asks_usage = ask.stream and deployment.provider.includes_usage and not ask.wants_usage
    if deployment.upstream == ask.model and not asks_usage:
        return ask.body
    members: dict[str, Raw | bytes] = {**ask.members, "model": _encode(deployment.upstream)}
    if asks_usage:
        given = ask.members.get("stream_options")
        options = _options.decode(given) if given is not None and bytes(given) != b"null" else {}
        members["stream_options"] = join_members({**options, "include_usage": b"true"})
    return join_members(members)


def read_reply(ask: Ask, headers: Mapping[str, str], body: bytes) -> Reply:
    """A whole answer, its bytes untouched."""
    try:
        read = _body.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise errors.ProviderMalformed from error
    payload = read.choices if ask.kind == "chat" else read.data
    if payload is None:
        raise errors.ProviderMalformed
    usage = openai_usage(read.usage, ask.kind) if _present(read.usage) else None
    return Reply(
        status=200,
        content_type=headers.get("content-type", _JSON),
        body=body,
        headers={name: value for name, value in headers.items() if name in PASSED_HEADERS},
        usage=usage,
        counts=bytes(read.usage),
        service_tier=read.service_tier or "",
        texts=() if usage is not None or ask.kind != "chat" else _said(payload),
        empty=not payload,
    )


def _said(choices: list[Raw]) -> tuple[str, ...]:
    return tuple(text for choice in choices for text in texts_in(choice))


def read_failure(status: int, headers: Mapping[str, str], body: bytes) -> errors.ProviderError:
    """An answer that is an error."""
    return failure_of(status, headers, body)


def open_stream(ask: Ask) -> "StreamReader":
    """A reader for one streamed answer."""
    return StreamReader(hides_usage=not ask.wants_usage)


class StreamReader:
    """Follows a stream and passes its events on as they came.

    The end marker is kept back as `tail`: it goes out when the ledger has the call. The usage chunk
    is hidden from a caller who did not ask for it.
    """

    def __init__(self, *, hides_usage: bool) -> None:
        self.meaningful = False
        self.finished = False
        self.failure: errors.ProviderError | None = None
        self.usage: Usage | None = None
        self.service_tier = ""
        self.tail = b""
        self.delivered: list[str] = []
        self._frames = Frames()
        self._hides_usage = hides_usage

    def feed(self, chunk: bytes) -> Event | None:
        """What of this chunk goes on to the caller."""
        passed = [event for event in self._frames.feed(chunk) if self._passes(event)]
        return Event(b"".join(passed)) if passed else None

    def _passes(self, event: bytes) -> bool:
        if self.finished or self.failure is not None:
            return False
        data = event_data(event)
        if data is None:
            return True
        if data == _DONE:
            self.finished = True
            self.tail = event
            return False
        return self._follow(data)

    def _follow(self, data: bytes) -> bool:
        try:
            chunk = _chunk.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            self.failure = errors.ProviderMalformed()
            return False
        if _present(chunk.error):
            self.failure = failure_of(500, {}, b'{"error":%b}' % chunk.error)
            return False
        for choice in chunk.choices or ():
            self._take(choice)
        if chunk.service_tier:
            self.service_tier = chunk.service_tier
        if not _present(chunk.usage):
            return True
        self.usage = openai_usage(chunk.usage) or self.usage
        return bool(chunk.choices) or not self._hides_usage

    def _take(self, choice: _Choice) -> None:
        if choice.finish_reason is not None:
            self.meaningful = True
        delta = choice.delta
        text = choice.text if delta is None else delta.get("content") or delta.get("reasoning_content")
        if delta and not text and "tool_calls" in delta:
            text = _encode(delta["tool_calls"]).decode()
        if text and isinstance(text, str):
            self.meaningful = True
            self.delivered.append(text)
        elif delta and not self.meaningful:
            self.meaningful = any(value for name, value in delta.items() if name != "role")


def _present(raw: Raw) -> bool:
    return memoryview(raw).nbytes > 0 and bytes(raw) != b"null"
