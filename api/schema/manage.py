"""The management API's part of the document, read from its addresses and serializers."""

import re
from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern

from api.manage.entries import PARAMETERS, EntriesView
from api.manage.envelope import ROOT, error_body
from api.manage.requests import EXAMPLE, Explanation, RequestsView
from api.manage.urls import urlpatterns
from api.manage.views import RowsView
from api.schema.shapes import Schema, Shapes, reference, summary_of
from gateway.errors import FailedValidation, InvalidRequest

_SECURITY: list[dict[str, list[str]]] = [
    {"bearer": []},
    {"x-api-key": []},
    {"api-key": []},
    {"session": [], "csrf": []},
]
_REFERENCE = re.compile(r"<(?:\w+:)?(\w+)>")
_WORDS = {
    "list": "Rows, page by page",
    "create": "Make a row",
    "retrieve": "One row",
    "place": "Make the row of this name, or change it",
    "change": "Change a row",
    "remove": "Delete a row",
}
_WRITES = frozenset({"create", "place", "change", "rotate", "revoke", "end", "breaker"})
_PARTIAL = frozenset({"place", "change"})
"""What bodies leave out stays as it is, or is in the address."""

_SHOWN_ONCE = {("keys", "create"), ("keys", "rotate")}
_PAGING = ("after", "limit")
_FIELD: Schema = {"type": "string"}
_WRONG: Schema = {
    "type": "object",
    "description": "What is wrong with which field; of one within another by a path such as `a[0].b`.",
    "additionalProperties": {"type": "array", "items": _FIELD},
}


def manage_paths(shapes: Shapes) -> dict[str, Any]:
    """Every address below the root of management."""
    samples = [error_body(InvalidRequest(), ""), error_body(FailedValidation(param="name"), "")]
    shapes.of_sample("manage.Error", samples)
    shapes.components["manage.Error"]["properties"]["error"]["properties"]["fields"] = _WRONG
    paths: dict[str, Any] = {f"{ROOT}/": {"get": _root()}}
    for pattern, view in _patterns():
        route = str(pattern.pattern)
        address = f"{ROOT}/{_REFERENCE.sub(lambda found: f'{{{found[1]}}}', route)}"
        paths[address] = {
            method: _operation(shapes, view, route, action)
            for method, action in pattern.callback.actions.items()  # type: ignore[attr-defined]
            if method != "head"  # which the framework adds with the first request
        }
    return paths


def _patterns() -> Iterator[tuple[URLPattern, type[RowsView]]]:
    for pattern in urlpatterns:
        view = getattr(pattern.callback, "cls", None)
        if isinstance(view, type) and issubclass(view, RowsView):
            yield pattern, view


def _operation(shapes: Shapes, view: type[RowsView], route: str, action: str) -> Schema:
    asked: Any = view()
    asked.action = action
    kind = asked.get_serializer_class()
    told: Schema = {
        "tags": [f"manage {view.noun}"],
        "operationId": f"manage_{view.noun}_{action}".replace("-", "_"),
        "summary": _WORDS.get(action) or summary_of(getattr(view, action)),
        "description": view.__doc__ or "",
        "security": _SECURITY,
        "parameters": _parameters(view, route, action),
        "responses": _responses(shapes, view, action),
    }
    if action in _WRITES:
        partial = action in _PARTIAL
        name = f"manage.{_name(kind)}.{'change' if partial else 'write'}"
        schema = shapes.of_body(name, kind(), partial=partial)
        needed = "required" in shapes.components[name]
        told["requestBody"] = {"required": needed, "content": {"application/json": {"schema": schema}}}
    return told


def _responses(shapes: Shapes, view: type[RowsView], action: str) -> dict[str, Schema]:
    kind: Any = view.serializer_class
    if issubclass(view, RequestsView):
        row = shapes.of_type("manage", Explanation)
    else:
        row = shapes.of_serializer(f"manage.{_name(kind)}", kind())
    if (view.noun, action) in _SHOWN_ONCE:
        row = {"allOf": [row, {"properties": {"secret": _FIELD}, "required": ["secret"]}]}
    page = {
        "type": "object",
        "properties": {"data": {"type": "array", "items": row}, "next": {"type": ["string", "null"]}},
        "required": ["data", "next"],
    }
    content: Schema = {"application/json": {"schema": page if action == "list" else row}}
    if issubclass(view, RequestsView):
        content["application/json"]["example"] = EXAMPLE
    done: Schema = {"description": "Done.", "content": content}
    if action == "remove":
        done = {"description": "It is gone."}
    wrong = {"application/json": {"schema": reference("manage.Error")}}
    return {_good(action): done, "default": {"description": "What is wrong.", "content": wrong}}


def _good(action: str) -> str:
    return {"remove": "204", "list": "200", "retrieve": "200"}.get(action, "2XX")


def _parameters(view: type[RowsView], route: str, action: str) -> list[Schema]:
    told: list[Schema] = [{"$ref": "#/components/parameters/X-Tenant-ID"}]
    told += [
        {"name": name, "in": "path", "required": True, "schema": _FIELD} for name in _REFERENCE.findall(route)
    ]
    if action == "list":
        names = (*view.filters, *view.texts, *(PARAMETERS if view is EntriesView else ()), *_PAGING)
        told += [{"name": name, "in": "query", "schema": _FIELD} for name in names]
    return told


def _root() -> Schema:
    answer = {"description": "Addresses and rights.", "content": {"application/json": {}}}
    return {
        "tags": ["manage"],
        "operationId": "manage_root",
        "summary": "What there is to manage, and what you may do with it",
        "security": _SECURITY,
        "responses": {"200": answer},
    }


def _name(serializer: type[Any]) -> str:
    return serializer.__name__.removesuffix("Serializer")
