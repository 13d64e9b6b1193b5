"""Providers, their secrets, models and where they run, aliases: by name, however often it is said."""

import logging
from typing import Any

import pytest

from providers.models import Deployment, Model, Provider, ProviderKey, Route
from tenants.models import Tenant
from tenants.secrets import secret_open
from tests import factories
from tests.api.manage.hands import Hand, member, operator

pytestmark = pytest.mark.usefixtures("each_database")

SECRET = "sk-made-up-secret-of-a-provider"


@pytest.fixture
def hand() -> Hand:
    return operator()


def test_a_put_makes_a_row_once_and_leaves_what_it_does_not_name(hand: Hand) -> None:
    made = hand.ask("PUT", "providers/openai", {"base_url": "https://api.openai.com/v1", "blocked": True})
    again = hand.ask("PUT", "providers/openai", {"base_url": "https://api.openai.com/v1"})
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json() == again.json()
    assert Provider.objects.get().blocked
    assert hand.put(f"providers/{made.json()['id']}", blocked=False)["blocked"] is False


def test_the_names_of_an_address_and_of_its_body_agree(hand: Hand) -> None:
    factories.make_tenant()
    assert hand.put("projects/acme/a/b", tenant="acme", name="a/b")["name"] == "a/b"
    error = hand.refused("PUT", "projects/acme/search", {"tenant": "globex", "name": "other"})
    assert set(error["fields"]) == {"tenant", "name"}
    assert hand.patch("projects/acme/a%2Fb", name="c")["name"] == "c"
    hand.refused("GET", "projects/acme/a/b", status=404)


def test_a_name_that_reads_as_an_id_is_an_id(hand: Hand) -> None:
    acme = factories.make_tenant()
    hand.refused("PUT", f"tenants/{acme.pk.hex[::-1]}", {}, status=404)
    assert hand.get(f"tenants/{acme.pk}")["name"] == "acme"


def test_a_secret_goes_in_and_never_comes_out(hand: Hand, caplog: pytest.LogCaptureFixture) -> None:
    factories.make_provider("openai")
    with caplog.at_level(logging.DEBUG):
        answers = [
            hand.ask("PUT", "provider-keys/openai/main", {"secret": SECRET}),
            hand.ask("PATCH", "provider-keys/openai/main", {"rpm": 500}),
            hand.ask("POST", "provider-keys", {"provider": "openai", "name": "main", "secret": SECRET}),
            hand.ask(
                "POST", "provider-keys", {"provider": "openai", "name": "x", "secret": SECRET, "rpm": "x"}
            ),
            hand.ask("GET", "provider-keys"),
            hand.ask("GET", "provider-keys/openai/main"),
        ]
    assert [answer.status_code for answer in answers] == [201, 200, 422, 422, 200, 200]
    told = "".join(answer.content.decode() for answer in answers) + caplog.text
    assert SECRET not in told
    key = ProviderKey.objects.get()
    assert key.secret not in told
    assert secret_open(envelope=key.secret) == SECRET
    assert (key.last_four, key.rpm) == (SECRET[-4:], 500)
    assert answers[-1].json()["secret_from"] == "stored"


def test_a_secret_may_be_kept_elsewhere(hand: Hand) -> None:
    acme = factories.make_tenant()
    factories.make_provider("acmes", tenant=acme)
    told = hand.put("provider-keys/acmes/main", secret="env:OPENAI_API_KEY")
    assert (told["secret_from"], told["last_four"]) == ("env:OPENAI_API_KEY", "")
    assert member("alice", acme).get("provider-keys/acmes/main")["secret_from"] == "env"
    for secret in ("g1:1:AAAA", "", None, 5 * [1]):
        hand.refused("PUT", "provider-keys/acmes/main", {"secret": secret})
    hand.refused("PUT", "provider-keys/acmes/second", {})
    assert ProviderKey.objects.get().secret == "env:OPENAI_API_KEY"


def test_a_provider_is_what_its_own_rules_allow(hand: Hand) -> None:
    for body, field in (
        ({}, "base_url"),
        ({"base_url": "ftp://example.com"}, "base_url"),
        ({"wire": "smoke"}, "wire"),
        ({"wire": "echo", "headers": {"Authorization": "x"}}, "headers"),
        ({"wire": "echo", "total_timeout_ms": 0}, "total_timeout_ms"),
    ):
        assert field in hand.refused("PUT", "providers/new", body)["fields"]
    hand.refused("PUT", "providers/not a slug", {"wire": "echo"})
    assert not Provider.objects.exists()


def test_a_model_runs_where_it_is_said(hand: Hand) -> None:
    factories.make_provider()
    spare = factories.make_model("spare")
    made = hand.put(
        "models/openai/*",
        context_window=128_000,
        deployments=[{"provider": "echo", "model": "*", "weight": 3}],
        fallbacks=["spare"],
    )
    assert made["name"] == "openai/*"
    row = Deployment.objects.get()
    Deployment.objects.update(blocked=True)
    changed = hand.put(
        "models/openai/*",
        deployments=[{"provider": "echo", "model": "*"}, {"provider": "echo", "model": "two", "priority": 1}],
        fallbacks={"error": ["spare"], "any": ["spare"]},
    )
    first, second = changed["deployments"]
    assert (first["weight"], first["blocked"], second["model"]) == (3, True, "two")
    assert Deployment.objects.filter(pk=row.pk).exists()
    assert changed["fallbacks"] == {"any": ["spare"], "error": ["spare"]}
    assert hand.patch("models/openai/*", blocked=True)["deployments"] == changed["deployments"]
    told = {name: changed[name] for name in ("deployments", "fallbacks")}
    assert hand.put("models/openai/*", **told) == {**changed, "blocked": True}
    assert hand.put("models/openai/*", deployments=[], fallbacks=[])["deployments"] == []
    assert not Deployment.objects.exists()
    assert not Route.objects.exists()
    assert hand.ask("DELETE", f"models/{spare.name}").status_code == 204


def test_how_a_model_is_routed_and_how_long_it_may_take(hand: Hand) -> None:
    factories.make_provider()
    said = {
        "strategy": "sensitivity",
        "sticky": "end_user",
        "hedge": True,
        "batch_size": 64,
        "batch_ms": 20,
        "connect_timeout_ms": None,
        "first_byte_timeout_ms": 250,
        "idle_timeout_ms": None,
        "total_timeout_ms": 900_000,
    }
    runs = [{"provider": "echo", "quality": "0.875", "max_parallel": 4, "held_open": True}]
    made = hand.put("models/m", **said, deployments=runs)
    assert {name: made[name] for name in said} == said
    row = Deployment.objects.get()
    assert (row.quality, row.max_parallel, row.held_open) == (8_750, 4, True)
    (told,) = made["deployments"]
    assert (told["quality"], told["max_parallel"], told["held_open"]) == ("0.875", 4, True)
    assert hand.put("models/m", deployments=[told]) == made
    changed = hand.patch("models/m", sticky="", deployments=[{"provider": "echo", "quality": 1}])
    assert (changed["sticky"], changed["deployments"][0]["quality"]) == ("", "1")
    cleared = hand.patch("models/m", deployments=[{"provider": "echo", "quality": None}])
    assert cleared["deployments"][0]["quality"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"strategy": "luck"}, "strategy"),
        ({"sticky": "tenant"}, "sticky"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_ms": 1_001}, "batch_ms"),
        ({"idle_timeout_ms": 0}, "idle_timeout_ms"),
        ({"deployments": [{"provider": "echo", "quality": 1.1}]}, "deployments[0].quality"),
        ({"deployments": [{"provider": "echo", "quality": 0.00001}]}, "deployments[0].quality"),
        ({"deployments": [{"provider": "echo", "quality": "sNaN"}]}, "deployments[0].quality"),
        ({"deployments": [{"provider": "echo", "quality": "1e999999"}]}, "deployments[0].quality"),
        ({"deployments": [{"provider": "echo", "quality": "good"}]}, "deployments"),
    ],
)
def test_what_means_nothing_of_a_model_is_refused_by_field(
    hand: Hand, body: dict[str, Any], field: str
) -> None:
    factories.make_provider()
    assert set(hand.refused("PUT", "models/new", body)["fields"]) == {field}
    assert not Model.objects.exists()


def test_names_that_lead_nowhere_are_refused_by_field(hand: Hand) -> None:
    factories.make_provider()
    for body, field in (
        ({"deployments": [{"provider": "nobody"}]}, "deployments[0].provider"),
        ({"deployments": [{"provider": "echo", "model": "*"}]}, "deployments[0].model"),
        ({"deployments": [{"provider": "echo", "wieght": 1}]}, "deployments"),
        ({"deployments": [{"provider": "echo", "weight": -1}]}, "deployments"),
        ({"deployments": "echo"}, "deployments"),
        ({"deployments": [{"provider": "echo", "model": "a b"}]}, "deployments[0].model"),
        ({"fallbacks": ["nowhere"]}, "fallbacks[0]"),
        ({"fallbacks": {"weather": ["small"]}}, "fallbacks"),
        ({"kind": "poem"}, "kind"),
    ):
        assert field in hand.refused("PUT", "models/new", body)["fields"], body
    assert not Model.objects.exists()


def test_an_alias_leads_somewhere_and_not_back(hand: Hand) -> None:
    factories.make_model("echo")
    assert hand.put("aliases/small", target="echo")["target"] == "echo"
    assert hand.put("aliases/tiny", target="small")["target"] == "small"
    for path, target, field in (
        ("aliases/small", "tiny", "target"),
        ("aliases/large", "nowhere", "target"),
        ("aliases/echo", "small", "target"),
    ):
        assert set(hand.refused("PUT", path, {"target": target})["fields"]) == {field}
    assert {row["name"] for row in hand.get("aliases")["data"]} == {"small", "tiny"}


def test_a_tenant_goes_when_it_is_blocked(hand: Hand) -> None:
    factories.make_project(factories.make_tenant())
    assert set(hand.refused("DELETE", "tenants/acme")["fields"]) == {"blocked"}
    hand.patch("tenants/acme", blocked=True)
    assert hand.ask("DELETE", "tenants/acme").status_code == 204
    assert not Tenant.objects.exists()


def test_lists_are_walked_from_page_to_page(hand: Hand) -> None:
    made = sorted(str(factories.make_tenant(f"t{number}").pk) for number in range(5))
    found: list[str] = []
    path = "tenants?limit=2"
    while path:
        page = hand.get(path)
        assert len(page["data"]) <= 2
        found += [row["id"] for row in page["data"]]
        path = page["next"]
    assert found == made
