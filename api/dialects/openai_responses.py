"""OpenAI's dialect of responses: its requests, and its own words for an error within a stream."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from api import openai_errors
from api.asgi import Headers
from api.openai_bodies import FORMAT, Count, Text, validated
from api.openai_bodies import NAME as NAME
from gateway.call import Ask, Call, Outcome
from gateway.errors import GatewayError, InvalidRequest
from gateway.members import join_members, read_members
from gateway.responses.items import without_references

_REFERENCES = frozenset({"item_reference"})

_encode = msgspec.json.Encoder().encode


class Item(Struct):
    """One piece of what was said before."""

    type: str | None = None
    encrypted_content: str | None = None


class Response(Struct):
    """What a response is asked with; members that are not named here go through as well."""

    input: Text | Annotated[list[Item], Meta(min_length=1)]
    model: str | None = None
    stream: bool | None = None
    store: bool | None = None
    background: bool | None = None
    conversation: Any = None
    previous_response_id: Text | None = None
    max_output_tokens: Count | None = None
    user: str | None = None


_asked = msgspec.json.Decoder(Response)


def parse_response(body: bytes, _: Headers) -> Ask:
    """A response, which is kept unless the caller says not to."""
    given = read_members(body)
    asked = validated(_asked, body)
    _check_own(asked)
    members = without_references(given) if _names_thoughts(asked) else given
    return Ask(
        dialect=NAME,
        kind="chat",
        format=FORMAT,
        operation="response",
        model=asked.model or "",
        body=body if members is given else join_members(members),
        members=members,
        stream=bool(asked.stream),
        end_user=asked.user or "",
        max_output=asked.max_output_tokens,
        previous=asked.previous_response_id or "",
        keeps=asked.store is not False,
    )


def _check_own(asked: Response) -> None:
    """What stands at the provider is that of all tenants alike: only what is kept here can be referred to."""
    if asked.background:
        raise InvalidRequest("Responses are not made in the background.", param="background")
    if asked.conversation is not None:
        raise InvalidRequest("Go on from a response by previous_response_id.", param="conversation")
    if isinstance(asked.input, str):
        return
    for place, item in enumerate(asked.input):
        if item.type in _REFERENCES:
            raise InvalidRequest("Send the item itself, or name the response.", param=f"input[{place}]")


def _names_thoughts(asked: Response) -> bool:
    """Whether there are thoughts that only their host can look up, for whoever has their id."""
    if isinstance(asked.input, str):
        return False
    return any(item.type == "reasoning" and item.encrypted_content is None for item in asked.input)


def render_reply(_: Call, outcome: Outcome) -> bytes:
    """The provider's own bytes."""
    return outcome.reply.body


def open_stream(_: Call) -> None:
    """The provider's own events go through."""


def render_error(error: GatewayError, request_id: str) -> bytes:
    """OpenAI's error envelope."""
    return openai_errors.render_error(error, request_id)


def render_stream_error(error: GatewayError, request_id: str) -> bytes:
    """The event that says so, with the envelope that client libraries look for."""
    told = openai_errors.told(error)
    named = {name: told[name] for name in ("code", "message", "param")}
    data = _encode({"type": "error", **named, "error": told, "request_id": request_id})
    return b"event: error\ndata: %b\n\n" % data


def render_deleted(name: str) -> bytes:
    """A response that is kept no longer."""
    return _encode({"id": name, "object": "response", "deleted": True})
