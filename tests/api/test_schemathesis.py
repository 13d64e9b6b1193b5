"""Every door is asked what its document allows and what it does not: no 5xx, no answer that it does not tell.

Each question is asked twice: as schemathesis made it up, and with models and rows that are there, so that it
comes further than to "not found". The seed is fixed.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeGuard

import pytest
import requests
import schemathesis
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.manage.roles import TABLE
from api.schema.document import OPERATIONS, document_json
from tests.support.browser import Browser, people_make
from tests.support.caller import Caller
from tests.support.gateway_server import GatewayServer, served_gateway
from tests.support.waiting import eventually

MANAGE = "/api/v1/manage"
TRY = "/api/try"
CONFIGURATION = """
providers:
  echo: {wire: echo}
  spare: {wire: echo, keys: [{name: one, secret: made-up}, {name: two, secret: made-up}]}
models:
  echo: {max_output_tokens: 100, deployments: [{provider: echo}]}
  echo-embedding: {kind: embedding, deployments: [{provider: echo}]}
  echo-image: {kind: image, max_output_tokens: 100, deployments: [{provider: echo}]}
  echo-audio: {kind: audio, deployments: [{provider: echo}]}
  echo-moderation: {kind: moderation, deployments: [{provider: echo}]}
  echo-rerank: {kind: rerank, deployments: [{provider: echo}]}
aliases: {small: echo, tiny: echo}
prices:
  - {provider: echo, model: "*", input: 1, output: 2}
  - {provider: echo, model: "*", image: 0.04, audio_second: 0.0001}
defaults: {chat: echo, embedding: echo-embedding}
limit_classes: {standard: {rpm: 100000}, premium: {rpm: 100000}}
tenants:
  acme:
    limits: {rpm: 100000, tpm: 1000000000}
    budgets: [{amount: 1000000, window: total, hard: true}]
    projects: {search: {}, chat: {}}
    keys: [{name: app, secret: acme-key-0000000001}, {name: other, secret: other-key-0000000001}]
  empty: {}
platform:
  keys: [{name: ops, secret: ops-key-0000000001, roles: [operator], tenants: all}]
"""
NAMES = {
    "tenant": "acme",
    "project": "acme/search",
    "provider": "echo",
    "model": "echo",
    "target": "echo",
    "limit_class": "standard",
    "per_user_class": "standard",
}
"""Fields of management that name other rows."""

ANSWERS: tuple[CheckFunction, ...] = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
OPERATOR = {"Authorization": "Bearer ops-key-0000000001"}
LANE_EXAMPLES, MANAGE_EXAMPLES, TRY_EXAMPLES = 6, 5, 2
FOR_OPERATORS, KEPT = ("/admin/reset-limits", "/cache/clear"), "/v1/responses/{name}"
READ_FURTHER = {"/v1/responses", "/v1/messages", "/v1/messages/count_tokens"}
"""These know what may be inside a turn: more than their document says."""

Asking = Callable[..., None]
Case = schemathesis.Case[Any]
Door = tuple[str, str]
Rows = Mapping[str, list[str]]


DOORS: list[Door] = [
    (method.upper(), path)
    for path, item in json.loads(document_json())["paths"].items()
    for method in item
    if method in OPERATIONS
]
MANAGED = [door for door in DOORS if door[1].startswith(f"{MANAGE}/")]
PEOPLES = [door for door in DOORS if door[1].startswith(f"{TRY}/")]
LANE = [door for door in DOORS if door not in (*MANAGED, *PEOPLES)]


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayServer]:
    with served_gateway(CONFIGURATION) as server:
        people_make(server, alice={"acme": "owner"})
        yield server
        assert " ERROR " not in server.log


@pytest.fixture(scope="module")
def acme(gateway: GatewayServer) -> Caller:
    return Caller(gateway, "acme", "acme-key-0000000001")


@pytest.fixture(scope="module")
def document(gateway: GatewayServer, acme: Caller) -> dict[str, Any]:
    """As it is served; schemathesis reads a stream event by event, so it is told what an event is."""
    told: dict[str, Any] = requests.get(
        f"{gateway.url}/api/schema/", headers=acme.headers(), timeout=30
    ).json()
    event = {"type": "object", "properties": {"data": {"type": "string"}}, "required": ["data"]}
    for item in told["paths"].values():
        answers = item["post"]["responses"] if "post" in item else {}
        streams = answers.get("200", {}).get("content", {}).get("text/event-stream", {})
        if streams:
            streams["schema"] = event
    return told


@pytest.fixture(scope="module")
def rows(gateway: GatewayServer) -> Rows:
    """The rows of each noun when all begins, the newest first, but for the key that manages."""
    found = {}
    for noun in TABLE:
        answer = requests.get(f"{gateway.url}{MANAGE}/{noun}", headers=OPERATOR, timeout=30)
        found[noun] = [str(row["id"]) for row in answer.json()["data"][::-1] if row.get("name") != "ops"]
    return found


@pytest.fixture(scope="module")
def asking(gateway: GatewayServer) -> Iterator[Asking]:
    """Asks one question, and looks at the answer."""
    with requests.Session() as session:

        def ask(case: Case, *checks: CheckFunction, **headers: str) -> None:
            answer = case.call(base_url=gateway.url, session=session, headers=headers, timeout=30)
            case.validate_response(answer, checks=[*ANSWERS, *checks])

        yield ask


@pytest.fixture(scope="module")
def kept(acme: Caller) -> str:
    """The id of an answer that is kept."""
    answer = acme.post(b'{"model": "echo", "input": "keep this"}', path="/v1/responses")
    identifier: str = json.loads(answer.body)["id"]
    return identifier


@pytest.fixture(scope="module")
def signed_in(gateway: GatewayServer) -> Iterator[dict[str, str]]:
    """What a person's requests carry."""
    with Browser(gateway) as browser:
        browser.sign_in("alice")
        cookies = "; ".join(f"{name}={value}" for name, value in browser.client.cookies.items())
        yield {"Cookie": cookies, "X-CSRFToken": browser.token}


@pytest.mark.parametrize("door", LANE, ids=" ".join)
def test_the_lane_answers_as_the_document_says(
    door: Door, asking: Asking, acme: Caller, document: dict[str, Any], kept: str
) -> None:
    key = {"Authorization": f"Bearer {acme.key}"}
    who = OPERATOR | {"X-Tenant-ID": acme.tenant} if door[1] in FOR_OPERATORS else key
    further = () if door[1] in READ_FURTHER else (positive_data_acceptance,)

    def ask(case: Case) -> None:
        asking(case, negative_data_rejection, **key)
        name_what_is_there(case, document)
        if case.operation.path == KEPT:
            case.path_parameters["name"] = kept
        asking(case, *further, **who)

    ask_all(document, door, ask, examples=LANE_EXAMPLES, edges=True)


@pytest.mark.parametrize("door", PEOPLES, ids=" ".join)
def test_the_doors_for_people_answer_as_the_document_says(
    door: Door, asking: Asking, signed_in: dict[str, str], document: dict[str, Any]
) -> None:
    def ask(case: Case) -> None:
        name_what_is_there(case, document)
        asking(case, **signed_in)

    ask_all(document, door, ask, examples=TRY_EXAMPLES)


@pytest.mark.parametrize("door", MANAGED, ids=" ".join)
def test_management_answers_as_the_document_says(
    door: Door, asking: Asking, rows: Rows, document: dict[str, Any]
) -> None:
    method, path = door
    there = rows.get(path.removeprefix(f"{MANAGE}/").partition("/")[0], [])

    def ask(case: Case) -> None:
        asking(case, negative_data_rejection, **OPERATOR)
        if "ref" in case.path_parameters and len(there) > (method == "DELETE"):
            case.path_parameters["ref"] = there.pop(0) if method == "DELETE" else there[0]
        if isinstance(case.body, dict):
            case.body |= {name: row for name, row in NAMES.items() if isinstance(case.body.get(name), str)}
            if path == f"{MANAGE}/tenants/{{ref}}":
                case.body.pop("name", None)  # the books of this tenant are looked at in the end
        case.query.clear()
        case.headers.clear()
        asking(case, **OPERATOR)

    ask_all(document, door, ask, examples=MANAGE_EXAMPLES)


def test_afterwards_no_hold_is_open_and_the_books_agree(gateway: GatewayServer, acme: Caller) -> None:
    assert eventually(acme.books_agree)
    answered = {row.dialect for row in acme.entries() if row.status == "settled"}
    assert answered


def ask_all(
    document: dict[str, Any],
    door: Door,
    ask: Callable[[Case], None],
    *,
    examples: int,
    edges: bool = False,
) -> None:
    """What schemathesis makes up for a door, as its pytest plugin would.

    The plugin makes it up for all doors while tests are collected, in each process, and that takes seconds.
    """
    config = SchemathesisConfig(seed=1)
    project = config.projects.default
    project.generation.update(max_examples=examples, deterministic=True, database="none")
    project.phases.coverage.enabled = edges
    schema = schemathesis.openapi.from_dict(document, config=config)
    build_operation_test(
        config=schema.config,
        operation=schema[door[1]][door[0]],
        test_func=ask,
        given_kwargs={},
        feedback=FeedbackSources(),
    )()


def name_what_is_there(case: Case, document: dict[str, Any]) -> None:
    """The model of the door's example, whole numbers as they are written, and no wishes in headers."""
    if "name" in case.path_parameters:
        case.path_parameters["name"] = "echo"
    if isinstance(case.body, dict):
        content = document["paths"][case.operation.path]["post"]["requestBody"]["content"]
        (told,) = content.values()
        example = told["example"] if "example" in told else told["examples"]["example"]["value"]
        case.body.pop("provider", None)
        case.body |= {name: int(one) for name, one in case.body.items() if is_whole(one)}
        case.body |= {name: example[name] for name in ("model",) if name in example}
    case.headers.clear()


def is_whole(value: object) -> TypeGuard[float]:
    """JSON schema takes 12.0 for an integer; the doors do not."""
    return isinstance(value, float) and value.is_integer()
