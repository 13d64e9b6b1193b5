"""The document of all doors is OpenAPI 3.1, has every door, and says of each what is so."""

import json
from functools import cache
from typing import Any

import pytest
import yaml
from django.test import Client
from openapi_spec_validator import validate

from api.doors import DOORS, PREFIXES, Inference
from api.manage.urls import urlpatterns
from api.schema.document import document_json
from api.schema.sheets import NOTHING_SAID, SHEETS, sheet_of
from tests import factories

SCHEMA, DOCS = "/api/schema/", "/api/docs/"
PASSING = {"openai", "anthropic"}


@cache
def document() -> dict[str, Any]:
    told: dict[str, Any] = json.loads(document_json())
    return told


def post_of(path: str) -> dict[str, Any]:
    operation: dict[str, Any] = document()["paths"][path]["post"]
    return operation


def resolved(part: Any) -> Any:
    """What a reference leads to."""
    while "$ref" in part:
        found: Any = document()
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = found
    return part


def references(part: Any) -> set[str]:
    if isinstance(part, list):
        return set().union(*map(references, part))
    if not isinstance(part, dict):
        return set()
    own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
    return own.union(*map(references, part.values()))


def test_it_is_openapi_3_1() -> None:
    assert document()["openapi"].startswith("3.1.")
    validate(document())


def test_it_has_every_door_of_the_lane() -> None:
    for address, door in {**DOORS, **PREFIXES}.items():
        path = f"{address}{{name}}" if address.endswith("/") else address
        methods = {method.lower() for method in door.method.split(", ")}
        assert methods == document()["paths"][path].keys() - {"parameters"}, address


def test_it_has_every_inference_door_again_for_people() -> None:
    tried = {path for path in document()["paths"] if path.startswith("/api/try/")}
    assert tried == {f"/api/try{path}" for path, door in DOORS.items() if isinstance(door, Inference)}
    assert post_of("/api/try/query")["security"] == [{"session": [], "csrf": []}]


def test_it_has_every_address_of_management() -> None:
    known = {path for path in document()["paths"] if path.startswith("/api/v1/manage/")}
    assert len(known) == len(urlpatterns) - 1  # all but the one for what is not there
    body = resolved(post_of("/api/v1/manage/models")["requestBody"]["content"]["application/json"]["schema"])
    assert body["additionalProperties"] is False
    assert (body["properties"]["name"]["type"], body["properties"]["name"]["maxLength"]) == ("string", 200)
    assert body["properties"]["deployments"]["items"] == {
        "$ref": "#/components/schemas/manage.file.Deployment"
    }
    assert "created_at" not in body["properties"]


def test_the_socket_is_described() -> None:
    assert "/ws/v1/generate" in document()["info"]["description"]


def test_every_inference_door_says_what_it_takes_and_gives() -> None:
    doors = [path for path, door in DOORS.items() if isinstance(door, Inference)]
    assert [path for path in doors if sheet_of(path, DOORS[path]) is NOTHING_SAID] == []
    assert SHEETS.keys() <= {**DOORS, **PREFIXES}.keys()


def test_a_door_nobody_described_is_in_it_all_the_same() -> None:
    assert sheet_of("/new", DOORS["/query"]) is NOTHING_SAID


def test_nothing_is_referred_to_that_is_not_there() -> None:
    for reference in references(document()):
        assert resolved({"$ref": reference}), reference


def test_bodies_may_have_members_that_nobody_named() -> None:
    for path, door in DOORS.items():
        if isinstance(door, Inference) and not door.form:
            schema = resolved(post_of(path)["requestBody"]["content"]["application/json"]["schema"])
            assert schema.get("additionalProperties", True) is not False, path


def test_errors_are_told_with_the_status_and_the_envelope_of_their_dialect() -> None:
    for path, door in DOORS.items():
        if isinstance(door, Inference):
            answers = post_of(path)["responses"]
            assert {"400", "401", "403", "404", "413", "415", "429", "502", "503", "504"} <= answers.keys()
            assert ("422" in answers) == (door.dialect.NAME not in PASSING), path
            named = resolved(answers["429"])["content"]["application/json"]["examples"]
            assert {"rate_limited", "budget_exceeded", "concurrency_limited"} <= named.keys()
    envelope = resolved(
        resolved(post_of("/v1/messages")["responses"]["401"])["content"]["application/json"]["schema"]
    )
    assert envelope["required"] == ["error", "request_id", "type"]


def test_streams_are_told_where_there_are_any() -> None:
    def media(path: str) -> set[str]:
        return set(post_of(path)["responses"]["200"]["content"])

    assert media("/v1/chat/completions") == {"application/json", "text/event-stream"}
    assert media("/stream") == {"text/event-stream"}
    assert media("/query") == {"application/json"}
    assert media("/v1/audio/speech") == {"audio/*", "text/event-stream"}
    assert media("/v1/audio/transcriptions") == {"application/json", "text/plain", "text/event-stream"}


@pytest.mark.django_db
def test_strangers_read_neither_unless_a_setting_says_so(client: Client, settings: Any) -> None:
    settings.GATEWAY_ANONYMOUS_TENANT = ""
    refused = client.get(SCHEMA)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
    assert client.get(DOCS)["Location"] == f"/admin/login/?next={DOCS}"
    settings.GATEWAY_SCHEMA_PUBLIC = True
    assert client.get(SCHEMA).status_code == client.get(DOCS).status_code == 200
    settings.GATEWAY_SCHEMA_PUBLIC = False
    settings.GATEWAY_ANONYMOUS_TENANT = "demo"
    assert client.get(SCHEMA).status_code == client.get(DOCS).status_code == 200


@pytest.mark.django_db
def test_any_key_and_any_session_reads_it(client: Client, settings: Any) -> None:
    settings.GATEWAY_ANONYMOUS_TENANT = ""
    _, secret = factories.make_key(factories.make_tenant())
    for headers in ({"authorization": f"Bearer {secret}"}, {"x-api-key": secret}):
        assert client.get(SCHEMA, headers=headers).status_code == 200
    assert client.get(SCHEMA, headers={"x-api-key": "made-up"}).status_code == 401
    client.force_login(factories.make_user())
    assert client.get(SCHEMA).status_code == client.get(DOCS).status_code == 200


@pytest.mark.django_db
def test_it_is_json_or_yaml_as_it_is_asked_for(client: Client, settings: Any) -> None:
    settings.GATEWAY_SCHEMA_PUBLIC = True
    assert client.get(SCHEMA)["Content-Type"] == "application/json"
    for answer in (
        client.get(SCHEMA, {"format": "yaml"}),
        client.get(SCHEMA, headers={"accept": "application/yaml"}),
    ):
        assert answer["Content-Type"] == "application/yaml"
        assert yaml.safe_load(answer.content) == document()
    told = client.get(SCHEMA, {"format": "json"}, headers={"accept": "application/yaml"})
    assert told["Content-Type"] == "application/json"
    assert client.post(SCHEMA).status_code == 405
