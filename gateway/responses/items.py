"""Items of responses: what stands in front of an input, and what is kept of an answer."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from gateway.call import Ask, Members, Reply
from gateway.members import join_members
from gateway.sse import Frames, event_data


class Kept(Struct, frozen=True, array_like=True, gc=False):
    """A response as its caller got it, and the items that go in front of the next input."""

    tenant: UUID
    name: str
    response: bytes
    items: bytes


class _Response(Struct):
    id: str
    output: list[Raw] = []


class _Ended(Struct):
    response: Raw


class _Item(Struct):
    type: str | None = None
    encrypted_content: str | None = None


read_items = msgspec.json.Decoder(list[Raw]).decode
_item = msgspec.json.Decoder(_Item).decode
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_response = msgspec.json.Decoder(_Response).decode
_ended = msgspec.json.Decoder(_Ended).decode
_encode = msgspec.json.Encoder().encode


def with_items(ask: Ask, before: Sequence[Raw]) -> Ask:
    """An ask that holds in itself what it goes on from."""
    members: Members = {name: value for name, value in ask.members.items() if name != "previous_response_id"}
    members["input"] = _array([*before, *input_items(ask.members)])
    return replace(ask, members=members, body=join_members(members))


def without_references(members: Members) -> Members:
    """A request whose items all stand for themselves, and name nothing that their host alone keeps."""
    told = filter(None, map(repeatable, read_items(members["input"])))
    return {**members, "input": _array([*told])}


def input_items(members: Members) -> list[Raw]:
    """An input as items; a text is what the user says."""
    given = members.get("input", Raw(b"[]"))
    if bytes(given).startswith(b'"'):
        return [Raw(b'{"role":"user","content":%b}' % given)]
    return read_items(given)


def kept_of(ask: Ask, reply: Reply, tenant: UUID) -> Kept:
    """What is kept of an answer."""
    told = _last_response(reply.body) if ask.stream else reply.body
    response = _response(told)
    said = filter(None, map(repeatable, response.output))
    items = bytes(_array([*input_items(ask.members), *said]))
    return Kept(tenant=tenant, name=response.id, response=told, items=items)


def _last_response(stream: bytes) -> bytes:
    """The response in the event that ends a stream."""
    last = [data for event in Frames().feed(stream + b"\n\n") if (data := event_data(event))][-1:]
    return bytes(_ended(last[0] if last else b"").response)


def repeatable(item: Raw) -> Raw | None:
    """An item of an answer as the next request says it: without the id by which its host alone knows it."""
    known = _item(item)
    if known.type == "reasoning" and known.encrypted_content is None:
        return None
    members: dict[str, Any] = _members(item)
    members.pop("id", None)
    return Raw(join_members(members))


def _array(items: Sequence[Raw]) -> Raw:
    return Raw(b"[%b]" % b",".join([bytes(item) for item in items]))
