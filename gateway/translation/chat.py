"""A chat in OpenAI's format with a provider of another: request, answer and stream."""

from collections.abc import Iterator, Mapping
from time import time
from typing import Any
from uuid import uuid4

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from gateway.call import Ask, Event, Reply, Usage
from gateway.catalog import Deployment
from gateway.errors import ProviderError, ProviderMalformed
from gateway.exchange import Request
from gateway.failures import failure_of
from gateway.sse import encode_event
from gateway.texts import texts_in
from gateway.translation.counts import as_openai
from gateway.translation.library import part
from gateway.translation.mistakes import reading, writing
from gateway.translation.over import Reader, Under
from gateway.translation.tongue import Listener, Tongue
from gateway.translation.tongues import tongue_for

_JSON = "application/json"
_encode = msgspec.json.Encoder().encode
_any = msgspec.json.Decoder()


def sent(deployment: Deployment, url: str, headers: Mapping[str, str], body: bytes) -> Request:
    """The request as the transport takes it; what the provider's row says goes above what is usual."""
    provider = deployment.provider
    own = {name.lower(): value for name, value in headers.items()}
    usual = {**own, "content-type": _JSON, "accept-encoding": "identity"}
    return Request(
        url=url,
        headers={**usual, **provider.headers},
        body=body,
        connect_timeout=provider.timeouts.connect,
    )


def read_object(body: bytes) -> dict[str, Any]:
    """A provider's answer."""
    try:
        told = _any.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ProviderMalformed from error
    if not isinstance(told, dict):
        raise ProviderMalformed
    return told


def failure_told(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """An error, also where it is no envelope of its own, as Amazon and Cohere tell it."""
    try:
        told = _any.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        told = None
    if isinstance(told, dict) and "error" not in told:
        body = _encode({"error": {"message": str(told.get("message") or told.get("Message") or "")}})
    return failure_of(status, headers, body)


class ChatTranslation:
    """One attempt at a chat; where a wire of ours knows the provider's counts, they are its to read."""

    def __init__(self, natives: Mapping[str, Under]) -> None:
        self.most_output: int | None = None
        self._natives = natives
        self._tongue: Tongue | None = None

    def build_request(self, ask: Ask, deployment: Deployment) -> Request:
        """The provider's request."""
        with writing():
            tongue = self._tongue = tongue_for(deployment)
            tongue.most_output = self.most_output
            written = tongue.write(ask.members, stream=ask.stream)
            return sent(deployment, written.url, written.headers, written.body)

    def read_reply(self, ask: Ask, headers: Mapping[str, str], body: bytes) -> Reply:
        """A whole answer, in OpenAI's format."""
        tongue = self._spoken
        told = read_object(body)
        native = self._natives.get(tongue.NATIVE)
        counted = None if native is None else native.read_reply(ask, headers, body)
        usage = tongue.usage(told) if counted is None else counted.usage
        with reading():
            response = tongue.read(told, body, headers)
            choices = [_choice(choice) for choice in response.choices]
        counts = b"" if usage is None else _encode(as_openai(usage))
        answer: dict[str, Any] = {
            "id": _id(),
            "object": "chat.completion",
            "created": int(time()),
            "model": tongue.model,
            "choices": choices,
        }
        return Reply(
            status=200,
            content_type=_JSON,
            body=_encode(answer if usage is None else {**answer, "usage": Raw(counts)}),
            usage=usage,
            counts=counts,
            service_tier="" if counted is None else counted.service_tier,
            texts=() if usage is not None else tuple(texts_in(Raw(_encode(choices)))),
            empty=not choices if counted is None else counted.empty,
        )

    def read_failure(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """An answer that is an error."""
        return failure_told(status, headers, body)

    def open_stream(self, ask: Ask) -> "StreamReader":
        """A reader for one streamed answer."""
        with reading():
            tongue = self._spoken
            native = self._natives.get(tongue.NATIVE)
            counting = None if native is None else native.open_stream(ask)
            return StreamReader(tongue, tells_usage=ask.wants_usage, counting=counting)

    @property
    def _spoken(self) -> Tongue:
        if self._tongue is None:
            raise ProviderMalformed("An answer came to a request that nobody wrote.")
        return self._tongue


class StreamReader:
    """Follows a provider's stream and says it again in OpenAI's chunks.

    It ends where the provider says that it ends. The end marker is kept back as `tail`.
    """

    def __init__(self, tongue: Tongue, *, tells_usage: bool, counting: Reader | None) -> None:
        self.meaningful = False
        self.finished = False
        self.failure: ProviderError | None = None
        self.usage: Usage | None = None
        self.service_tier = ""
        self.tail = b""
        self.delivered: list[str] = []
        self._listener: Listener = tongue.listen()
        self._framing = self._listener.framing()
        self._tells_usage = tells_usage
        self._counting = counting
        self._head = {
            "id": _id(),
            "object": "chat.completion.chunk",
            "created": int(time()),
            "model": tongue.model,
        }
        self._begun = False

    def feed(self, chunk: bytes) -> Event | None:
        """What of these bytes goes on to the caller."""
        passed: list[bytes] = []
        if self._counting is not None:
            self._counting.feed(chunk)
        try:
            for told in self._framing.feed(chunk):
                if self.finished or self.failure is not None:
                    break
                passed.extend(self._follow(told))
        except ProviderError as error:
            self.failure = self.failure or error
        self._count()
        return Event(b"".join(passed)) if passed else None

    def _follow(self, told: Mapping[str, Any] | ProviderError | None) -> Iterator[bytes]:
        if isinstance(told, ProviderError):
            raise told
        listener = self._listener
        if told is None:  # nothing, as behind the last bytes
            yield from self._end() if listener.stopped else ()
            return
        failure = listener.failure(told)
        if failure is not None:
            raise failure
        listener.note(told)
        with reading():
            response = listener.parse(told)
            choices = [] if response is None else [_piece(choice) for choice in response.choices]
        yield from self._said([one for one in choices if one["delta"] or one["finish_reason"]])
        if listener.ended:
            yield from self._end()

    def _said(self, choices: list[dict[str, Any]]) -> Iterator[bytes]:
        if not choices:
            return
        if not self._begun:
            self._begun = True
            choices[0]["delta"] = {"role": "assistant", **choices[0]["delta"]}
        for choice in choices:
            self._take(choice)
        yield encode_event(_encode({**self._head, "choices": choices}))

    def _take(self, choice: Mapping[str, Any]) -> None:
        delta = {name: value for name, value in choice["delta"].items() if name != "role"}
        self.meaningful = self.meaningful or bool(delta) or choice["finish_reason"] is not None
        for name in ("content", "reasoning_content"):
            if delta.get(name):
                self.delivered.append(delta[name])
        if "tool_calls" in delta:
            self.delivered.append(_encode(delta["tool_calls"]).decode())

    def _count(self) -> None:
        """Before the model has begun nothing is charged; until it has stopped, its counts are not final."""
        counting, usage = self._counting, self._listener.usage
        if counting is not None:
            if counting.failure is not None:
                self.failure = counting.failure
            self.usage, self.service_tier = counting.usage, counting.service_tier
        elif usage is not None and self.meaningful:
            self.usage = usage if self._listener.stopped else replace(usage, doubtful=True)

    def _end(self) -> Iterator[bytes]:
        self.finished = True
        self._count()
        self.tail = encode_event(b"[DONE]")
        if self._tells_usage and self.usage is not None:
            yield encode_event(_encode({**self._head, "choices": [], "usage": as_openai(self.usage)}))


def _choice(choice: Any) -> dict[str, Any]:
    message = _plain(choice.message.model_dump(exclude_none=True, warnings=False))
    for call in message.get("tool_calls", ()):
        call.pop("index", None)
    return {
        "index": choice.index,
        "message": {"role": "assistant", "content": None, **message},
        "finish_reason": choice.finish_reason,
    }


def _piece(choice: Any) -> dict[str, Any]:
    delta = _plain(choice.delta.model_dump(exclude_none=True, warnings=False))
    reason = choice.finish_reason
    return {
        "index": choice.index,
        "delta": {name: value for name, value in delta.items() if value != "" and name != "role"},
        "finish_reason": part("map_finish_reason")(reason) if reason else None,
    }


def _plain(said: dict[str, Any]) -> dict[str, Any]:
    """Without what litellm adds for its own sake."""
    return {
        name: value
        for name, value in said.items()
        if name != "provider_specific_fields" and value not in ([], {})
    }


def _id() -> str:
    return f"chatcmpl-{uuid4().hex}"
