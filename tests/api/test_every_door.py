"""Whatever costs is held and settled: every address of the project does that, or is known to cost nothing."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from api.doors import DOORS, PREFIXES, Inference
from tests.api.conftest import Calling
from tests.support.caller import Caller, fresh
from tests.support.waiting import eventually

COST_NOTHING = {
    "/admin/reset-limits",
    "/cache/clear",
    "/cache/status",
    "/api/v1/gateway/providers",
    "/api/v1/gateway/rate-limits",
    "/api/v1/health",
    "/api/v1/health/detailed",
    "/api/v1/models",
    "/api/v1/models/",
    "/api/v1/usage",
    "/api/v1/usage/stats",
    "/health",
    "/health/detailed",
    "/health/ready",
    "/providers",
    "/rate-limit/status",
    "/v1/models",
    "/v1/models/",
    "/v1/responses/",
}
DJANGO_COSTS_NOTHING = ("admin/", "api/v1/manage", "api/schema/", "api/docs/")
"""People at work in the admin, programs that configure, readers of the document: none asks a model."""

TRY = "api/try/"
NO_DOOR = {TRY}
"""The list of what there is to try, and what is not there."""

CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "hello"}]}
MESSAGE: dict[str, Any] = {"model": "claude/door", "max_tokens": 20, **CHAT}
ASKED: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": {"prompt": "hello"},
    "/v1/embeddings": {"input": "hello"},
    "/v1/responses": {"model": "native/door", "input": "hello"},
    "/v1/moderations": {"input": "hello"},
    "/v1/images/generations": {"prompt": "a cat"},
    "/v1/audio/speech": {"input": "hello", "voice": "alloy"},
    "/v1/rerank": {"query": "hello", "documents": ["hello"]},
    "/v1/messages": MESSAGE,
    "/api/v1/gateway/generate": {"prompt": "hello"},
    "/api/v1/gateway/generate/stream": {"prompt": "hello"},
    "/api/v1/gateway/embeddings": {"texts": ["hello"]},
    "/api/v1/generate": {"prompt": "hello"},
    "/query": {"prompt": "hello"},
    "/chat": {"prompt": "hello"},
    "/stream": {"prompt": "hello"},
    "/embeddings": {"text": "hello"},
}
"""What is asked at each door that costs."""

ASKED_ELSEWHERE = {"/v1/audio/transcriptions", "/v1/messages/count_tokens"}
"""Doors that take a form, or settle at nothing: tests of their own show that."""


def test_every_address_of_the_lane_is_settled_or_costs_nothing() -> None:
    unknown = {
        path
        for path, door in {**DOORS, **PREFIXES}.items()
        if not isinstance(door, Inference) and path not in COST_NOTHING
    }
    assert unknown == set()


def test_what_costs_nothing_is_there_and_is_no_inference() -> None:
    doors = {**DOORS, **PREFIXES}
    assert {path for path in COST_NOTHING if isinstance(doors[path], Inference)} == set()


def test_every_door_that_costs_is_tried() -> None:
    costly = {path for path, door in {**DOORS, **PREFIXES}.items() if isinstance(door, Inference)}
    assert costly == set(ASKED) | ASKED_ELSEWHERE


def test_every_address_of_django_costs_nothing_or_leads_to_a_door_of_the_lane() -> None:
    addresses = list(django_addresses(get_resolver().url_patterns))
    assert addresses
    costly = {one for one in addresses if not one.startswith(DJANGO_COSTS_NOTHING)}
    doors = {f"{TRY}{path.removeprefix('/')}" for path, door in DOORS.items() if isinstance(door, Inference)}
    assert costly == doors | NO_DOOR  # `tests/api/test_try.py` holds that each is one entry


@pytest.mark.parametrize("path", ASKED)
def test_a_door_that_costs_is_one_entry_and_leaves_no_hold(calling: Calling, path: str) -> None:
    caller: Caller = calling("plain")
    request = fresh("door")
    body = json.dumps({"model": "stub/door", **ASKED[path]}).encode()
    answer = caller.post(body, request, path)
    assert answer.status == 200, answer.body
    row = caller.entry(request)
    assert row.status == "settled"
    assert row.charge_nano > 0
    assert eventually(caller.books_agree)


def django_addresses(patterns: list[URLPattern | URLResolver], before: str = "") -> Iterator[str]:
    """Every address that Django's resolver knows."""
    for one in patterns:
        address = before + str(one.pattern).removeprefix("^")
        if isinstance(one, URLResolver):
            yield from django_addresses(one.url_patterns, address)
        else:
            yield address
