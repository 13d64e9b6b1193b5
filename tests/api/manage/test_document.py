"""What the document says of bodies is what their fields take: no more, no less.

Bodies are made up from the document, and beside it. What it allows is taken, unless for a reason that a
schema has no words for; what it forbids is refused.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from api.schema.document import document_json
from providers.models import Deployment
from tests import factories
from tests.api.manage.hands import ROOT, Hand, operator
from tests.support.schema_values import beside, for_python, validator_of, values

pytestmark = pytest.mark.django_db

DOCUMENT: dict[str, Any] = for_python(json.loads(document_json()))
WRITES = [
    (method.upper(), path)
    for path, item in DOCUMENT["paths"].items()
    if path.startswith(f"{ROOT}/")
    for method, operation in item.items()
    if "requestBody" in operation
]
BEYOND_SCHEMAS = (
    "already exists",
    "There is no such",
    "there is no",
    "This stays as it was at first",
    "The address says otherwise",
    "digits after the point",
    "A price begins now or later",
    "is not a network",
    "rising whole percents",
    "Another price of the same terms",
    "This says something else than",
    "a star needs a pattern",
    "less than or equal to 9007199254740992",
)
"""That depends on what is there, on the hour, or on two figures together."""

BESIDE_THE_ROW = (
    "is for platform keys",
    "is for keys of a tenant",
    "is for platform keys",
    "Access to all tenants",
    "Only platform keys act",
    "is violated",
    "needs an address",
)
"""That depends on what the row is already, where a body says only what is to change."""


class Rows:
    """One row of each noun, and how bodies name it."""

    def __init__(self) -> None:
        acme = factories.make_tenant()
        search = factories.make_project(acme)
        charlie = factories.make_end_user(acme)
        standard = factories.make_limit_class()
        key, _ = factories.make_key(acme)
        echo = factories.make_provider()
        factories.make_provider_key(echo)
        model = factories.make_model()
        factories.make_model("vectors", kind="embedding")
        factories.make_deployment(model, echo)
        factories.make_alias("small", model.name)
        factories.make_default("chat", model.name)
        price = factories.make_price(provider=echo)
        self.addresses: Mapping[str, object] = {
            "tenants": "acme",
            "projects": "acme/search",
            "keys": key.pk,
            "limits": factories.make_limit(tenant=acme).pk,
            "budgets": factories.make_budget(tenant=acme).pk,
            "limit-classes": "standard",
            "end-users": "acme/charlie",
            "providers": "echo",
            "provider-keys": "echo/main",
            "models": model.name,
            "deployments": Deployment.objects.get().pk,
            "aliases": "small",
            "defaults": "chat",
            "prices": price.pk,
        }
        self.names: Mapping[str, str] = {
            "tenant": "acme",
            "project": f"acme/{search.name}",
            "key": str(key.pk),
            "end_user": str(charlie.pk),
            "limit_class": standard.name,
            "per_user_class": standard.name,
            "provider": "echo",
            "target": model.name,
        }

    def address(self, path: str) -> str:
        """The path to a row that is there."""
        noun = path.removeprefix(f"{ROOT}/").partition("/")[0]
        return path.replace("{ref}", str(self.addresses[noun]))

    def named(self, path: str, body: Any) -> Any:
        """The body with the names of rows that are there, wherever it names any."""
        if not isinstance(body, dict):
            return body
        told = {name: self._named(name, value) for name, value in body.items()}
        if path.startswith(f"{ROOT}/defaults") and isinstance(told.get("model"), str):
            told["model"] = "small"
        if isinstance(told.get("deployments"), list):
            told["deployments"] = [self.named("", one) for one in told["deployments"]]
        if isinstance(told.get("granted_tenants"), list):
            told["granted_tenants"] = [
                "acme" if isinstance(one, str) and one else one for one in told["granted_tenants"]
            ]
        return told

    def _named(self, name: str, value: Any) -> Any:
        return self.names[name] if name in self.names and isinstance(value, str) and value else value


@pytest.fixture
def hand() -> Hand:
    return operator()


@pytest.fixture
def rows(db: None) -> Rows:
    return Rows()


def schema_of(method: str, path: str) -> dict[str, Any]:
    asked = DOCUMENT["paths"][path][method.lower()]["requestBody"]
    schema: dict[str, Any] = asked["content"]["application/json"]["schema"]
    return schema


def compare(rows: Rows, hand: Hand, method: str, path: str, body: Any) -> None:
    """Ask, look whether that was allowed, and undo it."""
    body = rows.named(path, body)
    allowed = validator_of(schema_of(method, path), DOCUMENT).is_valid(body)
    with transaction.atomic():
        answer = hand.ask(method, rows.address(path), body)
        transaction.set_rollback(True)
    if answer.status_code in {200, 201}:
        assert allowed, body
        return
    assert answer.status_code in {400, 409, 422}, answer.content
    if allowed and answer.status_code != 409:
        told = answer.json()["error"].get("fields", {})
        reasons = [reason for reasons in told.values() for reason in reasons] or [answer.content.decode()]
        partial = BESIDE_THE_ROW if method != "POST" else ()
        assert all(any(known in reason for known in (*BEYOND_SCHEMAS, *partial)) for reason in reasons), (
            body,
            told,
        )


def asked(
    make: Callable[[Any, Any], st.SearchStrategy[Any]], schema: Any, ask: Callable[[Any], None], count: int
) -> None:
    """Ask with so many bodies."""

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(make(schema, DOCUMENT))
    def all_of_them(body: Any) -> None:
        ask(body)

    all_of_them()


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_what_the_document_allows_is_taken_and_what_it_forbids_is_refused(
    rows: Rows, hand: Hand, method: str, path: str
) -> None:
    schema = schema_of(method, path)
    for make in (values, beside):
        asked(make, schema, lambda body: compare(rows, hand, method, path, body), 25)


LIMIT: dict[str, Any] = {"tenant": "acme", "amount": 5, "unit": "requests", "window": "day"}
BUDGET: dict[str, Any] = {"tenant": "acme", "window": "day"}
HOST: dict[str, Any] = {"name": "host", "base_url": "https://example.org/v1"}
SECRET: dict[str, Any] = {"provider": "echo", "name": "second"}
PRICE: dict[str, Any] = {"model": "gpt-4o-mini", "meter": "output"}


@pytest.mark.parametrize(
    ("path", "body", "taken"),
    [
        ("limits", LIMIT, True),
        ("limits", LIMIT | {"amount": 5.0}, True),
        ("limits", LIMIT | {"amount": "5"}, False),
        ("limits", LIMIT | {"amount": True}, False),
        ("limits", LIMIT | {"cooldown_seconds": 2**31}, False),
        ("limits", LIMIT | {"burst_calls": 2**31, "burst_seconds": 1}, False),
        ("limits", LIMIT | {"burst_calls": 2}, False),
        ("limits", LIMIT | {"window": ""}, False),
        ("limits", LIMIT | {"unit": "concurrency"}, False),
        ("limits", LIMIT | {"unit": "concurrency", "window": ""}, True),
        ("limits", LIMIT | {"limit_class": "standard"}, False),
        ("limits", LIMIT | {"note": "x" * 201}, False),
        ("limits", LIMIT | {"note": "x" + " " * 200}, False),
        ("limits", LIMIT | {"note": 7}, False),
        ("budgets", BUDGET, False),
        ("budgets", BUDGET | {"amount_usd": "$12.50"}, True),
        ("budgets", BUDGET | {"amount_usd": 12.5}, True),
        ("budgets", BUDGET | {"amount_usd": "0.00"}, False),
        ("budgets", BUDGET | {"amount_usd": 0}, False),
        ("budgets", BUDGET | {"amount_usd": "1e3"}, False),
        ("budgets", BUDGET | {"amount_usd": "1_000"}, False),
        ("budgets", BUDGET | {"amount_usd": "1", "hard": "yes"}, False),
        ("prices", PRICE | {"usd": "0"}, True),
        ("prices", PRICE | {"usd": "1", "valid_from": "2126-01-31T12:00:00Z"}, True),
        ("prices", PRICE | {"usd": "1", "valid_from": "2126-01-31T12:00:00"}, False),
        ("prices", PRICE | {"usd": "1", "valid_from": "2126-01-31"}, False),
        ("providers", HOST | {"headers": {"OpenAI-Organization": "org-1"}}, True),
        ("providers", HOST | {"headers": {"AUTHORIZATION": "Bearer x"}}, False),
        ("providers", HOST | {"headers": {"Host": "example.org"}}, False),
        ("providers", HOST | {"headers": {"X-One": "two\nlines"}}, False),
        ("providers", HOST | {"base_url": "ftp://example.org"}, False),
        ("providers", HOST | {"base_url": "https://example.org/v1?key=x"}, False),
        ("providers", HOST | {"base_url": "https://me@example.org"}, False),
        ("providers", HOST | {"base_url": ""}, False),
        ("providers", HOST | {"base_url": "", "wire": "litellm"}, True),
        ("providers", HOST | {"name": " host"}, False),
        ("provider-keys", SECRET | {"secret": "env:KEY"}, True),
        ("provider-keys", SECRET | {"secret": "g1:sealed"}, False),
        ("provider-keys", SECRET | {"secret": " g1:sealed"}, False),
        ("models", {"name": "two words"}, False),
        ("models", {"name": "a/*/*"}, False),
        ("models", {"name": "m", "deployments": [{"provider": "echo", "quality": "0.9"}]}, True),
        ("models", {"name": "m", "deployments": [{"provider": "echo", "quality": 0.9}]}, True),
        ("models", {"name": "m", "deployments": [{"provider": "echo", "quality": "1.5"}]}, False),
        ("models", {"name": "m", "deployments": [{"provider": "echo", "priority": 2**31}]}, False),
        ("models", {"name": "m", "deployments": [{"provider": "echo", "region": "x" * 65}]}, False),
        ("models", {"name": "m", "fallbacks": {"any": ["gpt-4o-mini"]}}, True),
        ("models", {"name": "m", "fallbacks": {"whim": ["gpt-4o-mini"]}}, False),
        ("tenants", {"name": "globex", "time_zone": "Europe/Berlin"}, True),
        ("tenants", {"name": "globex", "time_zone": "Europe/Atlantis"}, False),
        ("tenants", {"name": "globex", "policy": {"semantic": {"threshold": 0.95}}}, True),
        ("tenants", {"name": "globex", "policy": {"semantic": {"threshold": 1.5}}}, False),
        ("tenants", {"name": "globex", "policy": {"tags": [" "]}}, False),
        ("keys", {"name": "ops", "roles": ["operator"]}, True),
        ("keys", {"name": "ops", "tenant": "acme", "roles": ["operator"]}, False),
        ("keys", {"name": "ops", "tenant": "acme", "all_tenants": True}, False),
        ("keys", {"name": "ops", "project": "acme/search"}, False),
        ("keys", {"name": "ops", "tenant": "acme", "expires_at": None}, True),
    ],
)
def test_the_document_and_the_fields_agree_at_the_edges(
    rows: Rows, hand: Hand, path: str, body: dict[str, Any], taken: bool
) -> None:
    address = f"{ROOT}/{path}"
    assert validator_of(schema_of("POST", address), DOCUMENT).is_valid(body) is taken
    assert (hand.ask("POST", address, body).status_code == 201) is taken
