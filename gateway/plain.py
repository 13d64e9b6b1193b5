"""Chats for those who speak of a prompt and a text: asked in OpenAI's format, and read back from it."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from gateway.call import Ask, CacheWish, Event, Outcome, Usage
from gateway.errors import FailedValidation, InvalidRequest, ProviderMalformed
from gateway.members import read_members
from gateway.sse import Frames, event_data

FORMAT = "openai"
NO_OPTIONS: Mapping[str, Any] = {}
NO_WISH = CacheWish()
_DONE = b"[DONE]"
_NANO = 1_000_000_000
_Asked = TypeVar("_Asked")
_encode = msgspec.json.Encoder().encode


class Counts(Struct, frozen=True, kw_only=True, gc=False):
    """What was counted, in OpenAI's words."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class Said(Struct, frozen=True, kw_only=True, gc=False):
    """What came back."""

    text: str = ""
    finish_reason: str | None = None
    counts: Counts | None = None


class _Message(Struct):
    content: str | None = None


class _Choice(Struct):
    message: _Message | None = None
    delta: _Message | None = None
    finish_reason: str | None = None


class _Told(Struct):
    choices: list[_Choice] | None = None
    usage: Raw = Raw()


class _Vector(Struct):
    embedding: Raw
    index: int = 0


class _Embedded(Struct):
    data: list[_Vector]


_told = msgspec.json.Decoder(_Told)
_counts = msgspec.json.Decoder(Counts, strict=False)
_embedded = msgspec.json.Decoder(_Embedded)


def read_asked(decoder: msgspec.json.Decoder[_Asked], body: bytes) -> _Asked:
    """The fields of a body: 400 for what is no JSON object, 422 for an object with a wrong value."""
    read_members(body)
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        told, _, path = str(error).partition(" - at `$.")
        name = path.rstrip("`")
        raise FailedValidation(f"{told}: `{name}`." if name else f"{told}.", param=name or None) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequest("The request body is not valid JSON, or nested too deeply.") from error


def chat_ask(
    dialect: str,
    prompt: str,
    *,
    model: str = "",
    system: str = "",
    stream: bool = False,
    provider: str = "",
    end_user: str = "",
    conversation: str = "",
    cache: CacheWish = NO_WISH,
    **options: Any,
) -> Ask:
    """A chat of one prompt; options that are None are left to the model."""
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": prompt})
    ask = messages_ask(dialect, messages, model=model, stream=stream, options=options)
    return msgspec.structs.replace(
        ask, provider=provider, end_user=end_user, conversation=conversation, cache=cache
    )


def messages_ask(
    dialect: str,
    messages: list[dict[str, Any]],
    *,
    model: str = "",
    stream: bool = False,
    options: Mapping[str, Any],
) -> Ask:
    """A chat; streams are asked for their usage, which these dialects tell in their last event."""
    asked: dict[str, Any] = {"model": model, "messages": messages}
    asked |= {name: value for name, value in options.items() if value is not None}
    if stream:
        asked |= {"stream": True}
    body = _encode(asked)
    return Ask(
        dialect=dialect,
        kind="chat",
        format=FORMAT,
        model=model,
        body=body,
        members=read_members(body),
        stream=stream,
        max_output=asked.get("max_tokens"),
        choices=asked.get("n") or 1,
    )


def embeddings_ask(
    dialect: str,
    texts: str | Sequence[object],
    *,
    model: str = "",
    provider: str = "",
    end_user: str = "",
    options: Mapping[str, Any] = NO_OPTIONS,
) -> Ask:
    """Vectors of one text, or of several; options that are None are left to the model."""
    asked = {name: value for name, value in options.items() if value is not None}
    body = _encode({"model": model, "input": texts, **asked})
    return Ask(
        dialect=dialect,
        kind="embedding",
        format=FORMAT,
        model=model,
        body=body,
        members=read_members(body),
        provider=provider,
        end_user=end_user,
    )


def read_text(body: bytes) -> Said:
    """The first choice of a whole answer."""
    try:
        told = _told.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProviderMalformed from error
    choice = told.choices[0] if told.choices else _Choice()
    text = choice.message.content if choice.message else None
    return Said(text=text or "", finish_reason=choice.finish_reason, counts=_read_counts(told.usage))


def read_vectors(body: bytes) -> list[Raw]:
    """The vectors of a whole answer, each in the bytes it came in, in the order of their texts."""
    try:
        vectors = _embedded.decode(body).data
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProviderMalformed from error
    return [one.embedding for one in sorted(vectors, key=lambda one: one.index)]


def counts_of(counts: Counts | None, meters: Usage) -> Counts:
    """The provider's counts; where it did not count, those of the ledger."""
    if counts is not None:
        return counts
    prompt, total = meters.prompt_tokens, meters.tokens
    return Counts(prompt_tokens=prompt, completion_tokens=total - prompt, total_tokens=total)


def dollars_of(outcome: Outcome) -> float:
    """What a call is charged."""
    return outcome.charge_nano / _NANO


def is_cached(outcome: Outcome) -> bool:
    """Whether no provider was asked."""
    return outcome.served.cache in ("hit", "shared")


def _read_counts(usage: Raw) -> Counts | None:
    """What a provider counted; odd figures are for the meters to understand."""
    try:
        return _counts.decode(usage) if bytes(usage).lstrip().startswith(b"{") else None
    except msgspec.DecodeError:
        return None


class TextReader:
    """Reads the text out of a stream's events, piece by piece, and remembers how it ended."""

    def __init__(self) -> None:
        self.finish_reason: str | None = None
        self.counts: Counts | None = None
        self._frames = Frames()

    def read(self, event: Event) -> str:
        """The text of what came."""
        return "".join([self._text(data) for data in map(event_data, self._frames.feed(event.data)) if data])

    def _text(self, data: bytes) -> str:
        if data == _DONE:
            return ""
        try:
            told = _told.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProviderMalformed from error
        self.counts = _read_counts(told.usage) or self.counts
        if not told.choices:
            return ""
        choice = told.choices[0]
        self.finish_reason = choice.finish_reason or self.finish_reason
        return (choice.delta.content if choice.delta else None) or ""
