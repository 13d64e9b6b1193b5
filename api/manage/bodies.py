"""Bodies are JSON, whatever their type says, read strictly; answers too, unless a browser asks for pages."""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import IO, Any

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from gateway.errors import InvalidRequest, TooLarge, UnsupportedMedia

BODY_AT_MOST = 1024 * 1024
_UNSTORABLE = "The request body has a character that no text may have."


class StrictJSONParser(BaseParser):
    """JSON in which no member stands twice, fractions are exact and texts can be stored."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The body's object."""
        if (media_type or "").startswith("multipart/"):
            raise UnsupportedMedia
        body: bytes = stream.read(BODY_AT_MOST + 1)
        if len(body) > BODY_AT_MOST:
            raise TooLarge
        return body_read(body)


def body_read(body: bytes) -> dict[str, Any]:
    """The object that a body says; an empty body says nothing."""
    if not body.strip():
        return {}
    try:
        value = json.loads(
            body.decode(), parse_float=Decimal, parse_constant=_constant, object_pairs_hook=_members
        )
        _storable(value)
    except RecursionError:
        raise InvalidRequest("The request body is nested too deeply.") from None
    except ValueError as error:
        raise InvalidRequest(f"The request body is not valid JSON: {_reason(error)}.") from None
    if not isinstance(value, dict):
        raise InvalidRequest("The request body must be a JSON object.")
    return value


def _reason(error: ValueError) -> str:
    """What was wrong and where, without a word of the body itself."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else "a number has too many digits"


def _constant(name: str) -> None:
    raise InvalidRequest("The request body is not valid JSON: a number is not finite.")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InvalidRequest("The request body names a member twice.")
    return members


def _storable(value: Any) -> None:
    """Refuse what PostgreSQL keeps in no text: zero characters and halves of surrogate pairs."""
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= mark <= "\udfff" for mark in value):
            raise InvalidRequest(_UNSTORABLE)
    elif isinstance(value, dict):
        for name, inner in value.items():
            _storable(name)
            _storable(inner)
    elif isinstance(value, list):
        for inner in value:
            _storable(inner)


class Negotiation(BaseContentNegotiation):
    """Pages for browsers, JSON for everybody else, whatever else they accept."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        """The one there is."""
        return next(iter(parsers))

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """By `?format=` first, by the Accept header second."""
        known = {renderer.format: renderer for renderer in renderers}
        asked = request.query_params.get("format")
        wants_page = asked == "api" if asked else "text/html" in request.headers.get("Accept", "")
        renderer = known["api"] if wants_page else known["json"]
        return renderer, renderer.media_type
