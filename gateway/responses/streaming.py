"""A streamed chat as the events of a response, in OpenAI's order, each with its number."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from gateway.call import Ask, Event, Usage
from gateway.chat_stream import ChatStream
from gateway.errors import ProviderError, ProviderMalformed
from gateway.responses.telling import (
    Function,
    ToolCall,
    call_item,
    completed,
    message_item,
    new_id,
    refusal_part,
    response_of,
    text_part,
)
from gateway.sse import Frames, event_data

_DONE = b"[DONE]"
_encode = msgspec.json.Encoder().encode


class _Function(Struct, frozen=True):
    name: str | None = None
    arguments: str | None = None


class _Called(Struct, frozen=True):
    index: int = 0
    id: str | None = None
    function: _Function = _Function()


class _Delta(Struct, frozen=True):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_Called] | None = None


class _Choice(Struct, frozen=True):
    delta: _Delta = _Delta()
    finish_reason: str | None = None


class _Chunk(Struct, frozen=True):
    choices: list[_Choice] | None = None
    created: int = 0
    model: str = ""


_chunk = msgspec.json.Decoder(_Chunk)


class Said:
    """A message that is being said: its text, or its refusal."""

    def __init__(self, *, refuses: bool) -> None:
        self.kind = "refusal" if refuses else "output_text"
        self.member = "refusal" if refuses else "text"
        self.id = new_id("msg")
        self.pieces: list[str] = []

    def part(self) -> dict[str, Any]:
        """What has been said."""
        text = "".join(self.pieces)
        return refusal_part(text) if self.member == "refusal" else text_part(text)

    def item(self, status: str) -> dict[str, Any]:
        """The item; nothing is in it before it is over."""
        return message_item(self.id, status, [] if status == "in_progress" else [self.part()])


class Calling:
    """A function that is being called."""

    def __init__(self, index: int, call_id: str, name: str) -> None:
        self.id = new_id("fc")
        self.index = index
        self.call_id = call_id
        self.name = name
        self.pieces: list[str] = []

    def item(self, status: str) -> dict[str, Any]:
        """The item; its arguments are told when they are whole."""
        arguments = "" if status == "in_progress" else "".join(self.pieces)
        function = Function(name=self.name, arguments=arguments)
        return call_item(self.id, status, ToolCall(id=self.call_id, function=function))


class ResponseStream:
    """Follows a chat's stream, and tells it as a response; all that follows the last delta is the tail."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._chat = ChatStream(hides_usage=False)
        self._frames = Frames()
        self._failure: ProviderError | None = None
        self._number = 0
        self._told: list[bytes] = []
        self._response: dict[str, Any] = {}
        self._output: list[dict[str, Any]] = []
        self._open: Said | Calling | None = None
        self._finish_reason: str | None = None
        self.tail = b""

    @property
    def meaningful(self) -> bool:
        """Something came that commits the answer."""
        return self._chat.meaningful

    @property
    def finished(self) -> bool:
        """The end marker came."""
        return self._chat.finished

    @property
    def failure(self) -> ProviderError | None:
        """What went wrong."""
        return self._failure or self._chat.failure

    @property
    def usage(self) -> Usage | None:
        """What was counted."""
        return self._chat.usage

    @property
    def service_tier(self) -> str:
        """The class of service that was given."""
        return self._chat.service_tier

    @property
    def delivered(self) -> list[str]:
        """The texts that went through."""
        return self._chat.delivered

    def feed(self, chunk: bytes) -> Event | None:
        """What of this chunk goes on to the caller."""
        was_over = self.finished
        passed = self._chat.feed(chunk)
        if passed is not None:
            for event in self._frames.feed(passed.data):
                self._follow(event_data(event))
        told = self._taken()
        if self.finished and not was_over:
            self._end()
            self.tail = self._taken()
        return Event(told) if told else None

    def _taken(self) -> bytes:
        told = b"".join(self._told)
        self._told.clear()
        return told

    def _follow(self, data: bytes | None) -> None:
        if data is None or data == _DONE or self._failure is not None:
            return
        try:
            chunk = _chunk.decode(data)
        except (msgspec.DecodeError, RecursionError):
            self._failure = ProviderMalformed()
            return
        self._begin(chunk)
        for choice in (chunk.choices or ())[:1]:
            self._finish_reason = choice.finish_reason or self._finish_reason
            if choice.delta.content:
                self._say(choice.delta.content, refuses=False)
            if choice.delta.refusal:
                self._say(choice.delta.refusal, refuses=True)
            for called in choice.delta.tool_calls or ():
                self._call(called)

    def _begin(self, chunk: _Chunk) -> None:
        if self._response:
            return
        identifier = new_id("resp")
        self._response = response_of(self._ask, identifier, created=chunk.created, model=chunk.model)
        self._tell("response.created", response=self._response)
        self._tell("response.in_progress", response=self._response)

    def _say(self, text: str, *, refuses: bool) -> None:
        said = self._open
        kind = "refusal" if refuses else "output_text"
        if not isinstance(said, Said) or said.kind != kind:
            self._close()
            said = self._open = Said(refuses=refuses)
            self._tell_item("response.output_item.added", item=said.item("in_progress"))
            self._tell_part("response.content_part.added", said, part=said.part())
        said.pieces.append(text)
        self._tell_part(f"response.{said.kind}.delta", said, delta=text, **_no_logprobs(said))

    def _call(self, called: _Called) -> None:
        calling = self._open
        if not isinstance(calling, Calling) or calling.index != called.index:
            self._close()
            calling = self._open = Calling(called.index, called.id or "", called.function.name or "")
            self._tell_item("response.output_item.added", item=calling.item("in_progress"))
        if called.function.arguments:
            calling.pieces.append(called.function.arguments)
            kind = "response.function_call_arguments.delta"
            self._tell_item(kind, item_id=calling.id, delta=called.function.arguments)

    def _close(self) -> None:
        """The item that is open is over."""
        item = self._open
        if item is None:
            return
        if isinstance(item, Said):
            text = "".join(item.pieces)
            done = {item.member: text, **_no_logprobs(item)}
            self._tell_part(f"response.{item.kind}.done", item, **done)
            self._tell_part("response.content_part.done", item, part=item.part())
        else:
            arguments = "".join(item.pieces)
            kind = "response.function_call_arguments.done"
            self._tell_item(kind, item_id=item.id, name=item.name, arguments=arguments)
        whole = item.item("completed")
        self._tell_item("response.output_item.done", item=whole)
        self._output.append(whole)
        self._open = None

    def _end(self) -> None:
        self._begin(_Chunk())
        self._close()
        response = completed(
            self._response,
            self._output,
            finish_reason=self._finish_reason,
            usage=self.usage,
            service_tier=self.service_tier,
        )
        self._tell(f"response.{response['status']}", response=response)

    def _tell_part(self, kind: str, said: Said, **members: Any) -> None:
        self._tell_item(kind, item_id=said.id, content_index=0, **members)

    def _tell_item(self, kind: str, **members: Any) -> None:
        self._tell(kind, output_index=len(self._output), **members)

    def _tell(self, kind: str, **members: Any) -> None:
        data = _encode({"type": kind, "sequence_number": self._number, **members})
        self._told.append(b"event: %b\ndata: %b\n\n" % (kind.encode(), data))
        self._number += 1


def _no_logprobs(said: Said) -> Mapping[str, Any]:
    return {"logprobs": []} if said.kind == "output_text" else {}
