"""What a browser adds to a form is for this gateway alone."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser

from gateway.errors import GatewayError
from gateway.forms import boundary_of, read_form, text_of

TOKEN_FIELD = "csrfmiddlewaretoken"  # noqa: S105 - the name of a field
_FORM = "multipart/form-data"


class TokenParser(BaseParser):
    """Reads nothing but a form's token: the rest is for the door to read, and to judge."""

    media_type = "*/*"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, str]:
        """The token, if there is one."""
        media = media_type or ""
        if not media.lower().startswith(_FORM):
            return {}
        body: bytes = stream.read()
        try:
            fields = read_form(body, media)
            return {field.name: text_of(body, field) for field in fields if field.name == TOKEN_FIELD}
        except GatewayError:
            return {}  # no form, so no token either


def without_field(body: bytes, media: str, name: str) -> bytes:
    """The form without a field; a body that is no such form stays for the door to judge."""
    if name.encode() not in body or not media.lower().startswith(_FORM):
        return body
    delimiter = b"--" + boundary_of(media)
    for field in reversed(read_form(body, media)):
        if field.name == name:
            begin = body.rindex(delimiter, 0, field.start)
            body = body[:begin] + body[field.end + 2 :]
    return body
