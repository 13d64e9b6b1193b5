"""The lane's part of the document: an operation for every door, and the inference doors again for people."""

from typing import Any

import msgspec

from api.doors import Door, Inference
from api.openai_forms import FLAGS, FORMATS
from api.schema.errors import error_responses
from api.schema.shapes import Schema, Shapes, summary_of
from api.schema.sheets import Sheet, lane_doors, sheet_of
from api.telling.usage import MOST_ENTRIES
from usage.reports import WINDOWS

TRY = "/api/try"

_KEYS: list[dict[str, list[str]]] = [{"bearer": []}, {"x-api-key": []}, {"api-key": []}]
_SESSION: list[dict[str, list[str]]] = [{"session": [], "csrf": []}]
_WISHES = (
    "X-Tenant-ID",
    "X-Gateway-Project",
    "X-Gateway-Tags",
    "X-Gateway-Timeout",
    "X-Gateway-Cache",
    "X-Gateway-Sensitivity",
    "Idempotency-Key",
    "X-Request-ID",
)
_TOLD = (
    "X-Request-ID",
    "X-Gateway-Provider",
    "X-Gateway-Model",
    "X-Gateway-Cache",
    "X-Gateway-Cost-USD",
    "X-Gateway-Overhead-Ms",
)
_FIELD: Schema = {"type": "string"}
_EMPTY: Schema = {"const": "", "description": "As if it were left out."}
_QUERY: dict[str, Schema] = {
    "window": {"anyOf": [{"enum": list(WINDOWS)}, _EMPTY]},
    "limit": {"anyOf": [{"type": "integer", "minimum": 1, "maximum": MOST_ENTRIES}, _EMPTY]},
    "before": {"anyOf": [{"type": "string", "format": "uuid"}, _EMPTY]},
}
_RECORDING: Schema = {
    "type": "object",
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "model": _FIELD,
        "response_format": {"enum": sorted(FORMATS)},
        "stream": {"enum": list(FLAGS)},
    },
    "required": ["file"],
    "additionalProperties": _FIELD,
}
_EVENTS: Schema = {
    "schema": {"type": "string", "description": "Events of the dialect, one `data:` line each."}
}


def lane_paths(shapes: Shapes) -> dict[str, Any]:
    """Every address of the lane."""
    paths: dict[str, Any] = {}
    for address, door in lane_doors().items():
        path = f"{address}{{name}}" if address.endswith("/") else address
        operations = _operations(shapes, address, door)
        paths[path] = operations
        if path != address:
            paths[path]["parameters"] = [_path_parameter()]
        if isinstance(door, Inference):
            paths[f"{TRY}{address}"] = {"post": _tried(operations["post"])}
    return paths


def _operations(shapes: Shapes, address: str, door: Door) -> dict[str, Any]:
    sheet = sheet_of(address, door)
    return {
        method.lower(): _operation(shapes, address, door, sheet, method) for method in door.method.split(", ")
    }


def _operation(shapes: Shapes, address: str, door: Door, sheet: Sheet, method: str) -> Schema:
    needs_key = isinstance(door, Inference) or door.needs_key
    told: Schema = {
        "tags": [door.dialect.NAME],
        "operationId": _identifier(method, address),
        "summary": _summary(door, method),
        "security": _KEYS if needs_key else [],
        "parameters": _parameters(door, sheet),
        "responses": {"200": _answer(shapes, door, sheet, method)}
        | error_responses(shapes, door.dialect, door),
    }
    body = _body(shapes, door, sheet)
    return told | ({"requestBody": body} if body else {})


def _body(shapes: Shapes, door: Door, sheet: Sheet) -> Schema:
    if isinstance(door, Inference) and door.form:
        example = {"model": "echo-audio", "response_format": "json"}
        content: Schema = {"multipart/form-data": {"schema": _RECORDING, "example": example}}
        return {"required": True, "content": content}
    if sheet.asks is None:
        return {"required": True, "content": {"application/json": {}}} if isinstance(door, Inference) else {}
    schema = shapes.of_type(door.dialect.NAME, sheet.asks)
    example = msgspec.json.decode(sheet.example)
    content = {"application/json": {"schema": schema, "examples": {"example": {"value": example}}}}
    return {"required": isinstance(door, Inference), "content": content}


def _answer(shapes: Shapes, door: Door, sheet: Sheet, method: str) -> Schema:
    content: Schema = {}
    answers = sheet.deleted if method == "DELETE" else sheet.answers
    if answers is bytes:
        content["audio/*"] = {"schema": {"type": "string", "format": "binary"}}
    elif answers is not None:
        content["application/json"] = {"schema": shapes.of_type(door.dialect.NAME, answers)}
    if isinstance(door, Inference) and door.form:
        content["text/plain"] = {"schema": _FIELD}
    if isinstance(door, Inference) and streams(door, sheet):
        content["text/event-stream"] = _EVENTS
    names = _TOLD if isinstance(door, Inference) else _TOLD[:1]
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    return {"description": "The answer.", "headers": headers, "content": content}


def streams(door: Inference, sheet: Sheet) -> bool:
    """Whether answers may be streams: always, where a body asks for it, or where a form does."""
    if door.form or sheet.asks is None or sheet.answers is None:
        return True
    return not {"stream", "stream_format"}.isdisjoint(sheet.asks.__struct_fields__)


def _tried(operation: Schema) -> Schema:
    """The same for people: a session in the place of a key."""
    parameters = [{"$ref": "#/components/parameters/tenant"}, *operation["parameters"]]
    return operation | {
        "tags": ["try"],
        "operationId": f"try_{operation['operationId']}",
        "security": _SESSION,
        "parameters": parameters,
    }


def _parameters(door: Door, sheet: Sheet) -> list[Schema]:
    names = list(_WISHES if isinstance(door, Inference) else (_WISHES[0], _WISHES[-1]))
    if door.dialect.NAME == "anthropic":
        names += ["anthropic-version", "anthropic-beta"]
    headers = [{"$ref": f"#/components/parameters/{name}"} for name in names]
    return headers + [
        {"name": name, "in": "query", "schema": _QUERY.get(name, _FIELD)} for name in sheet.wishes
    ]


def _path_parameter() -> Schema:
    told = "A name or id; it may contain `/` and `:`."
    return {"name": "name", "in": "path", "required": True, "description": told, "schema": _FIELD}


def _summary(door: Door, method: str) -> str:
    if method == "DELETE":
        return "Keep it no longer"
    return summary_of(door.parse if isinstance(door, Inference) else door.tell)


def _identifier(method: str, address: str) -> str:
    words = str.maketrans(dict.fromkeys("/-.", "_"))
    return f"{method.lower()}{address.translate(words)}".rstrip("_") + (
        "_one" if address.endswith("/") else ""
    )
