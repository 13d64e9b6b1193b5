"""Every example of the document works at the built-in provider, and is answered as the document says."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from api.doors import DOORS, PREFIXES, Inference, Telling
from api.schema.document import document_json
from api.schema.samples import FORM, TRANSCRIPTION
from tests.api.conftest import Serving
from tests.api.test_try import CONFIGURATION
from tests.support.caller import Caller, fresh
from tests.support.gateway_server import GatewayServer
from tests.support.raw_http import exchange, request_bytes

DOCUMENT: dict[str, Any] = json.loads(document_json())
INFERENCE = [path for path, door in DOORS.items() if isinstance(door, Inference)]
TELLING = [path for path, door in DOORS.items() if isinstance(door, Telling) and door.method == "GET"]
ABSENT_IN_STREAMS = {"X-Gateway-Cost-USD", "X-Gateway-Overhead-Ms"}
WRONG: dict[str, bytes] = {path: b'{"model": 7}' for path in INFERENCE if not DOORS[path].form}  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def gateway(serving: Serving) -> Iterator[GatewayServer]:
    with serving(CONFIGURATION) as server:
        yield server


@pytest.fixture
def acme(gateway: GatewayServer) -> Caller:
    return Caller(gateway, "acme", "acme-key-0000000001")


def operation_of(path: str) -> dict[str, Any]:
    item: dict[str, Any] = DOCUMENT["paths"][path]
    operation: dict[str, Any] = item.get("post") or item["get"]
    return operation


def check(schema: dict[str, Any], body: bytes) -> None:
    """The body is what the schema says."""
    validator = Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    assert [error.message for error in validator.iter_errors(json.loads(body))] == []


@pytest.mark.parametrize("path", INFERENCE)
def test_an_example_works_and_is_answered_as_it_is_said(acme: Caller, path: str) -> None:
    operation, request = operation_of(path), fresh("example")
    content = operation["requestBody"]["content"]
    if "multipart/form-data" in content:
        answer = acme.post(TRANSCRIPTION, request, path, content_type=FORM)
    else:
        asked = content["application/json"]
        body = json.dumps(asked["examples"]["example"]["value"]).encode()
        check(asked["schema"], body)
        answer = acme.post(body, request, path)
    assert answer.status == 200, answer.body
    media = (answer.header("content-type") or "").partition(";")[0]
    told = operation["responses"]["200"]["content"]
    (name,) = [one for one in told if one in (media, f"{media.partition('/')[0]}/*")]
    if name == "application/json":
        check(told[name]["schema"], answer.body)
    absent = {name for name in operation["responses"]["200"]["headers"] if answer.header(name) is None}
    assert absent == (ABSENT_IN_STREAMS if name == "text/event-stream" else set())
    assert acme.entry(request).status == "settled"


@pytest.mark.parametrize("path", TELLING)
def test_what_is_told_is_as_it_is_said(acme: Caller, path: str) -> None:
    answer = exchange(acme.gateway.port, request_bytes("GET", path, acme.headers(), b""))
    assert answer.status == 200, answer.body
    check(operation_of(path)["responses"]["200"]["content"]["application/json"]["schema"], answer.body)


@pytest.mark.parametrize("path", WRONG)
def test_a_wrong_body_is_answered_as_it_is_said(acme: Caller, path: str) -> None:
    answer = acme.post(WRONG[path], fresh("wrong"), path)
    response = operation_of(path)["responses"][str(answer.status)]
    content = DOCUMENT["components"]["responses"][response["$ref"].rpartition("/")[2]]["content"]
    check(content["application/json"]["schema"], answer.body)
    validator = Draft202012Validator(
        {
            **operation_of(path)["requestBody"]["content"]["application/json"]["schema"],
            "components": DOCUMENT["components"],
        }
    )
    assert list(validator.iter_errors(json.loads(WRONG[path])))


def test_a_named_model_is_told_as_it_is_said(acme: Caller) -> None:
    for prefix in ("/v1/models/", "/api/v1/models/"):
        assert prefix in PREFIXES
        answer = exchange(acme.gateway.port, request_bytes("GET", f"{prefix}echo", acme.headers(), b""))
        path = f"{prefix}{{name}}"
        check(operation_of(path)["responses"]["200"]["content"]["application/json"]["schema"], answer.body)
