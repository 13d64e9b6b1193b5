"""What OpenAI's clients may ask in JSON beside chats and embeddings: one parse function for each door."""

from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from api.asgi import Headers
from gateway.call import Ask, Kind, Members
from gateway.errors import InvalidRequest
from gateway.members import read_members

NAME = "openai"
FORMAT = "openai"

Count = Annotated[int, Meta(ge=1, le=1 << 31)]
Text = Annotated[str, Meta(min_length=1)]
Few = Annotated[int, Meta(ge=1, le=128)]

_MOST_CHOICES = 1 << 20
_Tokens = Annotated[list[int], Meta(min_length=1)]
_Prompts = Annotated[list[str | int | _Tokens], Meta(min_length=1)]

_Asked = TypeVar("_Asked")


class StreamOptions(Struct):
    """How a stream is told."""

    include_usage: bool | None = None


class Completion(Struct):
    """What a prompt is gone on from with."""

    prompt: str | _Prompts
    model: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Meta(ge=0, le=1 << 31)] | None = None
    n: Few | None = None
    best_of: Few | None = None
    user: str | None = None


class Moderation(Struct):
    """What is to be judged."""

    input: Text | Annotated[list[str | dict[str, msgspec.Raw]], Meta(min_length=1)]
    model: str | None = None


class Image(Struct):
    """What pictures are asked with."""

    prompt: Text
    model: str | None = None
    n: Few | None = None
    stream: bool | None = None
    partial_images: Annotated[int, Meta(ge=0, le=16)] | None = None
    user: str | None = None


class Speech(Struct):
    """What is to be spoken."""

    input: Text
    model: str | None = None
    stream_format: Literal["audio", "sse"] | None = None
    user: str | None = None


class Rerank(Struct):
    """What is to be put in order."""

    query: Text
    documents: Annotated[list[str | dict[str, msgspec.Raw]], Meta(min_length=1)]
    model: str | None = None
    top_n: Count | None = None
    user: str | None = None


_completion = msgspec.json.Decoder(Completion)
_moderation = msgspec.json.Decoder(Moderation)
_image = msgspec.json.Decoder(Image)
_speech = msgspec.json.Decoder(Speech)
_rerank = msgspec.json.Decoder(Rerank)


def parse_completion(body: bytes, _: Headers) -> Ask:
    """A completion of one prompt or several; each has answers of its own, and all that are made count."""
    members = read_members(body)
    asked = validated(_completion, body)
    choices = max(asked.n or 1, asked.best_of or 1) * _prompts(asked.prompt)
    if choices > _MOST_CHOICES:
        raise InvalidRequest("That many prompts and answers are too many for one call.", param="prompt")
    return Ask(
        dialect=NAME,
        kind="chat",
        format=FORMAT,
        operation="completion",
        model=asked.model or "",
        body=body,
        members=members,
        stream=bool(asked.stream),
        wants_usage=wants_usage(asked.stream, asked.stream_options),
        end_user=asked.user or "",
        max_output=asked.max_tokens or None,
        choices=choices,
    )


def parse_moderation(body: bytes, _: Headers) -> Ask:
    """Texts or pictures to be judged."""
    members = read_members(body)
    asked = validated(_moderation, body)
    return _ask("moderation", body, members, asked.model)


def parse_image(body: bytes, _: Headers) -> Ask:
    """Pictures from a prompt; those on the way to a picture cost as much as pictures."""
    members = read_members(body)
    asked = validated(_image, body)
    pictures = asked.n or 1
    if asked.stream and pictures > 1:
        raise InvalidRequest("Only one picture can be streamed.", param="n")
    return Ask(
        dialect=NAME,
        kind="image",
        format=FORMAT,
        model=asked.model or "",
        body=body,
        members=members,
        stream=bool(asked.stream),
        end_user=asked.user or "",
        choices=pictures + (asked.partial_images or 0),
    )


def parse_speech(body: bytes, _: Headers) -> Ask:
    """A text to be spoken; as events only where they are asked for."""
    members = read_members(body)
    asked = validated(_speech, body)
    return _ask(
        "speech", body, members, asked.model, stream=asked.stream_format == "sse", user=asked.user or ""
    )


def parse_rerank(body: bytes, _: Headers) -> Ask:
    """Documents to be put in order by a question."""
    members = read_members(body)
    asked = validated(_rerank, body)
    return _ask("rerank", body, members, asked.model, user=asked.user or "")


def wants_usage(stream: bool | None, options: StreamOptions | None) -> bool:
    """Whether the caller is to see the counts; in a stream only those see them who ask."""
    return not stream or bool(options is not None and options.include_usage)


def validated(decoder: msgspec.json.Decoder[_Asked], body: bytes) -> _Asked:
    """What a decoder makes of a body, or an error that names the member that is wrong."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        told, _, path = str(error).partition(" - at `$.")
        raise InvalidRequest(f"{told}." if path else str(error), param=path.rstrip("`") or None) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequest("The request body is not valid JSON, or nested too deeply.") from error


def _ask(
    kind: Kind, body: bytes, members: Members, model: str | None, *, stream: bool = False, user: str = ""
) -> Ask:
    return Ask(
        dialect=NAME,
        kind=kind,
        format=FORMAT,
        model=model or "",
        body=body,
        members=members,
        stream=stream,
        end_user=user,
    )


def _prompts(prompt: str | list[str | int | list[int]]) -> int:
    """How many prompts there are: a list of numbers is one, in tokens."""
    return 1 if isinstance(prompt, str) or all(isinstance(one, int) for one in prompt) else len(prompt)
