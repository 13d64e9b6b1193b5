"""JSON objects handled member by member, so that what nobody edits stays byte for byte."""

from collections.abc import Mapping

import msgspec

from gateway.call import Members
from gateway.errors import InvalidRequest


class _Name:
    """A member's name that equals nothing else, so that a name standing twice is seen."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


_SHORT = 1024
"""Bodies up to this length are written again to be compared: longer ones cost less with names kept apart."""

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_apart = msgspec.json.Decoder(dict[_Name, msgspec.Raw], dec_hook=lambda _, text: _Name(text)).decode
_encode = msgspec.json.Encoder().encode


def read_members(body: bytes) -> Members:
    """Decode an object one level deep; a member that stands twice is refused.

    Otherwise one of the two would be authorised and priced, and the provider might use the other.
    """
    try:
        str(body, "utf-8")
        members = _decode(body) if len(body) <= _SHORT else None
        if members is not None and _is_all(members, body):
            return members
        pairs = _decode_apart(body)
    except UnicodeDecodeError as error:
        raise InvalidRequest("The request body is not valid UTF-8.") from error
    except msgspec.ValidationError as error:
        raise InvalidRequest("The request body must be a JSON object.") from error
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"The request body is not valid JSON: {error}.") from error
    except RecursionError as error:
        raise InvalidRequest("The request body is nested too deeply.") from error
    members = {name.text: value for name, value in pairs.items()}
    if len(members) != len(pairs):
        raise InvalidRequest("The request body names a member twice.")
    return members


def _is_all(members: Members, body: bytes) -> bool:
    """Whether a body says no more than its members do, but for spaces.

    Names are written in the shortest way there is, and values byte for byte; so a member that stood twice,
    or a name with escapes, makes the body longer than what is written again.
    """
    again = _encode(members)
    return again == body or len(again) - again.count(b" ") == len(body) - body.count(b" ")


def join_members(members: Mapping[str, msgspec.Raw | bytes]) -> bytes:
    """Put an object together again from its members' bytes."""
    return b"{%b}" % b",".join([b"%b:%b" % (_encode(name), value) for name, value in members.items()])


def is_given(value: msgspec.Raw) -> bool:
    """Whether a member is there, and not null."""
    return memoryview(value).nbytes > 0 and bytes(value) != b"null"
