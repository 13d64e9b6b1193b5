"""Multipart forms handled field by field, so that what nobody edits stays byte for byte.

A form is understood in one way or refused: where a boundary stands, it must end a part, and a part must
say plainly which field it is. Another reader, such as the provider's, then finds the same fields.
"""

import re

from msgspec import Struct

from gateway.errors import InvalidRequest, TooLarge

MOST_PARTS = 64
LONGEST_HEAD = 2_048
"""Bytes of a part's headers."""

_LONGEST_MEDIA = 300
_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_BOUNDARY = re.compile(
    r"multipart/form-data\s*;(?:.*;)?\s*boundary=(?:\"(?P<quoted>[^\"\\]{1,70})\"|(?P<plain>[^\s\";,]{1,70}))"
    r"\s*(?:;.*)?",
    re.IGNORECASE,
)
_IN_BOUNDARY = re.compile(r"[A-Za-z0-9'()+_,./:=? -]{0,69}[A-Za-z0-9'()+_,./:=?-]")
_HEADER = re.compile(rf"({_WORD}):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_FIELD = re.compile(
    rf"form-data[ \t]*;[ \t]*name=(?:\"([^\"\\]+)\"|({_WORD}))"
    rf"(?:[ \t]*;[ \t]*filename=(?:{_QUOTED}|({_WORD})))?"
    rf"(?:[ \t]*;[ \t]*filename\*=({_WORD}))?",
    re.IGNORECASE,
)
_PLAIN_ENCODINGS = frozenset({"7bit", "8bit", "binary"})


class Field(Struct, frozen=True, kw_only=True, gc=False):
    """A part of a form: where its value stands in the body."""

    name: str
    filename: str | None
    start: int
    end: int


def boundary_of(media: str) -> bytes:
    """What stands between the parts of a form of this type."""
    found = _BOUNDARY.fullmatch(media) if len(media) <= _LONGEST_MEDIA and media.isascii() else None
    boundary = (found["quoted"] or found["plain"]) if found is not None else ""
    if found is None or media.lower().count("boundary=") != 1 or not _IN_BOUNDARY.fullmatch(boundary):
        raise InvalidRequest("The form's content type names no boundary, or an odd one.")
    return boundary.encode("ascii")


def read_form(body: bytes, media: str) -> tuple[Field, ...]:
    """The fields in their order."""
    delimiter = b"--" + boundary_of(media)
    count = body.count(delimiter)
    if count > MOST_PARTS + 1:
        raise TooLarge(f"A form may have {MOST_PARTS} fields.")
    if count < 2 or not body.startswith(delimiter) or not _is_closed(body, delimiter):
        raise InvalidRequest("The form does not begin and end with its boundary.")
    fields = []
    start = len(delimiter)
    for _ in range(count - 1):
        end = body.index(delimiter, start)
        fields.append(_field(body, start, end))
        start = end + len(delimiter)
    return tuple(fields)


def edit_field(body: bytes, field: Field, value: bytes) -> bytes:
    """The form with another value in a field."""
    return body[: field.start] + value + body[field.end :]


def add_field(body: bytes, media: str, name: str, value: bytes) -> bytes:
    """The form with one more field, in front."""
    head = b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n' % (boundary_of(media), name.encode())
    return b"%b%b\r\n%b" % (head, value, body)


def text_of(body: bytes, field: Field) -> str:
    """A field's value as text."""
    try:
        return body[field.start : field.end].decode()
    except UnicodeDecodeError:
        raise InvalidRequest("The field is not valid UTF-8.", param=field.name) from None


def _is_closed(body: bytes, delimiter: bytes) -> bool:
    return body[body.rindex(delimiter) + len(delimiter) :] in (b"--", b"--\r\n")


def _field(body: bytes, start: int, end: int) -> Field:
    """The part between two boundaries, line ends that belong to them included."""
    head_end = body.find(b"\r\n\r\n", start, min(end, start + LONGEST_HEAD))
    if head_end < 0 or body[start : start + 2] != b"\r\n" or body[end - 2 : end] != b"\r\n":
        if end - start > LONGEST_HEAD and head_end < 0:
            raise TooLarge(f"The headers of a field may be {LONGEST_HEAD} bytes long.")
        raise InvalidRequest(
            "A field of the form has no headers, or its boundary is not on a line of its own."
        )
    value = head_end + 4
    if value > end - 2:
        raise InvalidRequest("A field of the form has no end.")
    name, filename = _named(body[start + 2 : head_end])
    return Field(name=name, filename=filename, start=value, end=end - 2)


def _named(head: bytes) -> tuple[str, str | None]:
    try:
        lines = head.decode().split("\r\n")
    except UnicodeDecodeError:
        raise InvalidRequest("The headers of a field are not valid UTF-8.") from None
    headers: dict[str, str] = {}
    for line in lines:
        found = _HEADER.fullmatch(line)
        if found is None or found[1].lower() in headers:
            raise InvalidRequest("A field of the form has a header that is none, or stands twice.")
        headers[found[1].lower()] = found[2].strip()
    if headers.get("content-transfer-encoding", "binary").lower() not in _PLAIN_ENCODINGS:
        raise InvalidRequest("Send the fields of a form without a transfer encoding.")
    named = _FIELD.fullmatch(headers.get("content-disposition", ""))
    if named is None:
        raise InvalidRequest("A field of the form does not say its name, or says more than that.")
    name = named[1] or named[2]
    filenames = [one for one in named.groups()[2:] if one is not None]
    return name, filenames[0] if filenames else None
