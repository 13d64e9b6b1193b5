"""The whole document: OpenAPI 3.1 of every door, made from the doors themselves."""

from functools import cache
from typing import Any

import msgspec
import yaml
from django.conf import settings

from api.schema.lane import lane_paths
from api.schema.manage import manage_paths
from api.schema.shapes import Schema, Shapes, summary_of
from api.schema.sheets import lane_doors

VERSION = "3.1.1"
OPERATIONS = {"get", "put", "post", "patch", "delete"}

_ABOUT = """\
One gateway in front of many models. Every door below works with the same keys, limits, budgets and ledger;
they differ in words only. Members of a request that are not listed here are passed on by the doors of the
dialects `openai` and `anthropic`, and ignored by the others.

The doors below `/api/try/` are the same doors for people who are signed in: no key is needed, a tenant of
theirs pays.

## The WebSocket

`/ws/v1/generate` takes many requests at a time over one connection. The key is a header, or the subprotocols
`gateway` and the key. Frames are JSON text; each has the `id` of its request.

What you send:

- `{"id": "1", "type": "generate", "model": "echo", "prompt": "Say hello."}`, or with `messages`
- `{"id": "1", "type": "cancel"}`

What comes back:

- `{"id": "1", "type": "delta", "text": "…"}` for each piece of the text
- `{"id": "1", "type": "done", "usage": {…}, "cost": 0.0001, "finish_reason": "stop"}` at the end
- `{"id": "1", "type": "cancelled"}` in its place, once you cancelled it
- `{"id": "1", "type": "error", "error": {"code": "…", "message": "…"}}` in its place, if it went wrong
"""
_TEXT: Schema = {"type": "string"}
_WISHES = {
    "X-Tenant-ID": "The tenant that this is done for: needed with a platform key.",
    "X-Gateway-Project": "The tenant's project that pays.",
    "X-Gateway-Tags": "What the entry is marked with: `team=search, feature=answer`.",
    "X-Gateway-Timeout": "Seconds that the call may take.",
    "X-Gateway-Cache": "`no-cache` asks anew, `no-store` also keeps nothing, `ttl=60` wants an answer kept.",
    "X-Gateway-Priority": "From -1000 to 1000: among your tenant's calls that wait, higher ones go first.",
    "X-Gateway-Sensitivity": "`public`, `internal` or `confidential`: which providers may see it.",
    "Idempotency-Key": "Made once: the same call with the same key gets the first one's answer.",
    "X-Request-ID": "Your own id of the request, told in the answer and in the ledger.",
    "anthropic-version": "Such as `2023-06-01`.",
    "anthropic-beta": "Names parted by commas; those that change what a call may cost are left out.",
}
_TOLD = {
    "X-Request-ID": "The id of the request.",
    "X-Gateway-Provider": "Who answered.",
    "X-Gateway-Model": "The model that answered.",
    "X-Gateway-Cache": "`hit`, `miss`, `bypass` or `shared`.",
    "X-Gateway-Cost-USD": "What the call is charged; absent in a stream.",
    "X-Gateway-Overhead-Ms": "Milliseconds that were the gateway's own.",
    "X-Gateway-Queue-Position": "How far back the call stood in a line; there only if it waited.",
    "X-Gateway-Queue-Wait-Ms": "Milliseconds that it waited there.",
    "Retry-After": "Seconds until another try makes sense.",
}
_SCHEMES: Schema = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key of the gateway."},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "The same key."},
    "api-key": {"type": "apiKey", "in": "header", "name": "api-key", "description": "The same key."},
    "session": {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": "Sign in at /admin/."},
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": "X-CSRFToken",
        "description": "The value of the cookie `csrftoken`; this page sends it by itself.",
    },
}


@cache
def document_json() -> bytes:
    """As JSON."""
    return msgspec.json.encode(document())


@cache
def document_yaml() -> bytes:
    """As YAML."""
    plain = msgspec.json.decode(document_json())
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=110).encode()


def document() -> dict[str, Any]:
    """The document."""
    shapes = Shapes()
    paths = lane_paths(shapes) | manage_paths(shapes)
    return {
        "openapi": VERSION,
        "info": {"title": "LLM gateway", "version": settings.VERSION, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "tags": _tags(paths),
        "paths": paths,
        "components": {
            "schemas": dict(sorted(shapes.components.items())),
            "responses": dict(sorted(shapes.responses.items())),
            "parameters": _parameters(),
            "headers": {name: {"description": told, "schema": _TEXT} for name, told in _TOLD.items()},
            "securitySchemes": _SCHEMES,
        },
    }


def _tags(paths: dict[str, Any]) -> list[Schema]:
    """Dialects first, in their own words; then what people try and manage."""
    families = {door.dialect.NAME: summary_of(door.dialect) for door in lane_doors().values()}
    told = families | {"try": "The inference doors again, for people who are signed in"}
    named = [tag for item in paths.values() for one in OPERATIONS & item.keys() for tag in item[one]["tags"]]
    return [{"name": name, "description": told.get(name, "")} for name in dict.fromkeys((*told, *named))]


def _parameters() -> Schema:
    headers = {
        name: {"name": name, "in": "header", "description": told, "schema": _TEXT}
        for name, told in _WISHES.items()
    }
    tenant = "The tenant that pays, where it could be one of several."
    return headers | {"tenant": {"name": "tenant", "in": "query", "description": tenant, "schema": _TEXT}}
