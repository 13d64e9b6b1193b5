"""Anthropic's Messages asked of a provider that OpenAI's format reaches: one more translation on top."""

from collections import deque
from collections.abc import Coroutine, Generator, Mapping
from typing import Any
from uuid import uuid4

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from gateway.call import Ask, Event, Reply, Usage
from gateway.catalog import Deployment
from gateway.errors import ProviderError, Untranslatable
from gateway.exchange import Request
from gateway.members import read_members
from gateway.sse import Frames, event_data
from gateway.translation.asked import no_place
from gateway.translation.chat import ChatTranslation, read_object
from gateway.translation.counts import as_anthropic
from gateway.translation.library import part
from gateway.translation.mistakes import reading, writing
from gateway.translation.over import Reader, Under

_MEMBERS = frozenset(
    {
        "max_tokens",
        "messages",
        "metadata",
        "model",
        "output_config",
        "output_format",
        "service_tier",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
    }
)
"""What Anthropic's format asks for that others know too; the rest is its own and cannot be had elsewhere."""
_NEW_MAXIMUM = "https://api.openai.com/"
"""Where `max_tokens` is the old name, which newer models refuse."""
_THOUGHTS = ("thinking_blocks", "reasoning_content")
_DONE = b"[DONE]"
_encode = msgspec.json.Encoder().encode


class MessagesTranslation:
    """One attempt, over the wire that takes OpenAI's format to the provider."""

    def __init__(self, under: Under) -> None:
        self.most_output: int | None = None
        self._under = under
        self._ask: Ask | None = None
        self._names: dict[str, str] = {}
        self._model = ""

    def build_request(self, ask: Ask, deployment: Deployment) -> Request:
        """The provider's request."""
        self._model = ask.model
        with writing():
            asked = self._asked(ask, deployment)
            body = _encode(asked)
        self._ask = replace(
            ask,
            kind="chat",
            format="openai",
            operation="",
            body=body,
            members=read_members(body),
            wants_usage=False,
            headers={},
        )
        return self._under.build_request(self._ask, deployment)

    def read_reply(self, ask: Ask, headers: Mapping[str, str], body: bytes) -> Reply:
        """A whole answer, in Anthropic's format."""
        reply = self._under.read_reply(self._ask or ask, headers, body)
        with reading():
            response = part("ModelResponse")(**{"usage": {}, **read_object(reply.body)})
            said = part("MessagesAdapter")().translate_completion_output_params(
                response, tool_name_mapping=self._names
            )
            counts = _encode(_counts(reply.usage))
            told = {**said, "id": _id(), "model": self._model, "usage": Raw(counts)}
            return replace(
                reply, body=_encode(told), content_type="application/json", headers={}, counts=counts
            )

    def read_failure(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """An answer that is an error."""
        return self._under.read_failure(status, headers, body)

    def open_stream(self, ask: Ask) -> "StreamReader":
        """A reader for one streamed answer."""
        return StreamReader(self._under.open_stream(self._ask or ask), model=self._model, names=self._names)

    def _asked(self, ask: Ask, deployment: Deployment) -> dict[str, Any]:
        given = {name: msgspec.json.decode(raw) for name, raw in ask.members.items()}
        given = {name: value for name, value in given.items() if value is not None}
        _refuse_own(given)
        alone = (given.get("tool_choice") or {}).get("disable_parallel_tool_use")
        asked, self._names = part("MessagesAdapter")().translate_completion_input_params_with_tool_mapping(
            given, custom_llm_provider="openai"
        )
        if alone:
            asked["parallel_tool_calls"] = False
        if asked.get("service_tier") == "standard_only":
            asked["service_tier"] = "default"
        if not isinstance(self._under, ChatTranslation):
            _for_openai(asked, deployment)
        return dict(asked)


def _refuse_own(given: Mapping[str, Any]) -> None:
    for name in given:
        if name not in _MEMBERS:
            raise no_place(name)
    for tool in given.get("tools", ()):
        if tool.get("type", "custom") != "custom":
            raise Untranslatable("Tools that Anthropic itself runs are not to be had here.", param="tools")


def _for_openai(asked: dict[str, Any], deployment: Deployment) -> None:
    """Hosts of OpenAI's format take no thoughts back, and OpenAI itself has renamed the maximum."""
    for message in asked["messages"]:
        for name in _THOUGHTS:
            message.pop(name, None)
    if deployment.provider.base_url.startswith(_NEW_MAXIMUM):
        asked["max_completion_tokens"] = asked.pop("max_tokens")


class StreamReader:
    """Says a stream of OpenAI's chunks again in Anthropic's events; it ends when the stream below ends."""

    def __init__(self, under: Reader, *, model: str, names: dict[str, str]) -> None:
        self.meaningful = False
        self.finished = False
        self.failure: ProviderError | None = None
        self.usage: Usage | None = None
        self.service_tier = ""
        self.tail = b""
        self.delivered = under.delivered
        self._under = under
        self._frames = Frames()
        self._source = _Source()
        self._wrapper = part("MessagesStream")(
            completion_stream=self._source, model=model, tool_name_mapping=names
        )
        self._wrapper._message_id = _id()
        self._waiting: Coroutine[Any, Any, Any] | None = None

    def feed(self, chunk: bytes) -> Event | None:
        """What of these bytes goes on to the caller."""
        under = self._under
        event = under.feed(chunk)
        self.usage, self.service_tier = under.usage, under.service_tier
        said: list[bytes] = []
        try:
            if event is not None:
                said += self._said_again(event.data)
            if under.finished and not self.finished:
                self.finished = True
                self._source.ended = True
                said += self._events()
                self.tail = said.pop()
        except ProviderError as error:
            self.failure = error
        self.failure = self.failure or under.failure
        self.meaningful = under.meaningful and bool(said or self.meaningful)
        return Event(b"".join(said)) if said else None

    def _said_again(self, data: bytes) -> list[bytes]:
        with reading():
            for told in map(event_data, self._frames.feed(data)):
                if told and told != _DONE:
                    self._source.waiting.append(part("ModelResponseStream")(**read_object(told)))
        return self._events()

    def _events(self) -> list[bytes]:
        """What there is to say of what came; litellm's generator is driven by hand as far as it gets."""
        events: list[bytes] = []
        with reading():
            while True:
                step = self._waiting or self._wrapper.__anext__()
                self._waiting = None
                try:
                    step.send(None)
                except StopIteration as said:
                    events.append(self._event(said.value))
                except StopAsyncIteration:
                    return events
                else:
                    self._waiting = step
                    return events

    def _event(self, told: dict[str, Any]) -> bytes:
        if told["type"] == "message_delta":
            told = {**told, "delta": {"stop_sequence": None, **told["delta"]}, "usage": _counts(self.usage)}
        return b"event: %b\ndata: %b\n\n" % (told["type"].encode(), _encode(told))


class _Source:
    """The chunks that litellm's generator asks for, as far as they have come."""

    def __init__(self) -> None:
        self.waiting: deque[Any] = deque()
        self.ended = False

    def __aiter__(self) -> "_Source":
        return self

    async def __anext__(self) -> Any:
        while not self.waiting:
            if self.ended:
                raise StopAsyncIteration
            await _More()
        return self.waiting.popleft()


class _More:
    """Waits until it is driven again."""

    def __await__(self) -> Generator[None, None, None]:
        yield


def _counts(usage: Usage | None) -> dict[str, int]:
    return as_anthropic(usage or Usage())


def _id() -> str:
    return f"msg_{uuid4().hex}"
