"""How each dialect says what went wrong: its own envelope, with every code that a status may have."""

from collections.abc import Iterator
from typing import Any

import msgspec

from api.dialect import Dialect
from api.doors import Inference
from api.schema.samples import FORM
from api.schema.shapes import Schema, Shapes
from gateway.errors import FailedValidation, GatewayError, InvalidRequest, RevisionMoved

_REQUEST = "0190c2a1-0000-7000-8000-000000000000"
_NOT_AT_A_DOOR = frozenset({405})
"""What an address that is asked rightly does not answer."""

_PAUSED = frozenset({429, 503})


def error_responses(shapes: Shapes, dialect: Dialect, door: Any) -> dict[str, Schema]:
    """Responses by status; their schema and their examples are what the dialect renders."""
    family = dialect.NAME
    samples = [_rendered(dialect, error) for error in (GatewayError(), InvalidRequest(param="model"))]
    schema = shapes.of_sample(f"{family}.Error", samples)
    bad_input = _bad_input(door)
    found: dict[int, list[GatewayError]] = {}
    for leaf in _leaves():
        if leaf.status not in _NOT_AT_A_DOOR and (leaf.status != FailedValidation.status or bad_input == 422):
            found.setdefault(leaf.status, []).append(leaf)
    told = {str(status): _response(dialect, schema, found[status]) for status in sorted(found)}
    shapes.responses |= {f"{family}.{status}": response for status, response in told.items()}
    return {status: {"$ref": f"#/components/responses/{family}.{status}"} for status in told}


def _response(dialect: Dialect, schema: Schema, leaves: list[GatewayError]) -> Schema:
    told: Schema = {
        "description": " ".join(f"`{leaf.code}`: {leaf.message}" for leaf in leaves),
        "headers": {"X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"}},
        "content": {
            "application/json": {
                "schema": schema,
                "examples": {leaf.code: {"value": _rendered(dialect, leaf)} for leaf in leaves},
            }
        },
    }
    if leaves[0].status in _PAUSED:
        told["headers"]["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
    return told


def _rendered(dialect: Dialect, error: GatewayError) -> Any:
    return msgspec.json.decode(dialect.render_error(error, _REQUEST))


def _leaves() -> Iterator[GatewayError]:
    """Everything that the engine may say, once each."""
    seen: dict[str, GatewayError] = {}
    for kind in _kinds(GatewayError):
        if kind.__module__.startswith("gateway."):
            seen.setdefault(kind.code, kind(0) if issubclass(kind, RevisionMoved) else kind())
    yield from seen.values()


def _kinds(root: type[GatewayError]) -> Iterator[type[GatewayError]]:
    yield root
    for kind in root.__subclasses__():
        yield from _kinds(kind)


def _bad_input(door: Any) -> int:
    """The status that a door has for a value of the wrong kind: its own function says so."""
    if isinstance(door, Inference):
        try:
            door.parse(b'{"model": 7}', {b"content-type": FORM.encode()})
        except GatewayError as error:
            return error.status
    return FailedValidation.status
