"""A tenant's policy, in the words of the configuration file."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User

from tenants.models import Policy, Tenant
from tests import factories
from tests.api.manage.hands import Hand, key_hand, member, operator, signed_in

pytestmark = pytest.mark.usefixtures("each_database")

DEFAULT = {
    "cache": "deterministic",
    "cache_seconds": 3_600,
    "semantic": {"model": "", "threshold": "0.95"},
    "prompt_cache": "off",
    "queue_seconds": 0,
    "queue_length": 100,
    "over_budget": "refuse",
    "books_away": "refuse",
    "sensitivity": {"action": "route", "threshold": "0.7"},
    "log_content": False,
    "tags": [],
}
OTHER = {
    "cache": "all",
    "cache_seconds": 60,
    "semantic": {"model": "gpt-4o-mini", "threshold": "0.925"},
    "prompt_cache": "auto",
    "queue_seconds": 5,
    "queue_length": 7,
    "over_budget": "clamp",
    "books_away": "allow",
    "sensitivity": {"action": "block", "threshold": "1"},
    "log_content": True,
    "tags": ["team"],
}


@pytest.fixture
def acme() -> Tenant:
    factories.make_model()
    return factories.make_tenant()


def test_a_tenant_that_decided_nothing_tells_what_holds(acme: Tenant) -> None:
    assert operator().get("tenants/acme")["policy"] == DEFAULT
    assert [row["policy"] for row in operator().get("tenants")["data"]] == [DEFAULT]
    assert not Policy.objects.exists()


def test_what_is_told_can_be_said_again_and_what_is_not_said_stays(acme: Tenant) -> None:
    hand = operator()
    assert hand.put("tenants/acme", policy=OTHER)["policy"] == OTHER
    assert hand.put("tenants/acme", policy=OTHER)["policy"] == OTHER
    assert hand.patch("tenants/acme", policy={"cache": "off", "semantic": {"threshold": 0.5}})["policy"] == {
        **OTHER,
        "cache": "off",
        "semantic": {"model": "gpt-4o-mini", "threshold": "0.5"},
    }
    assert hand.patch("tenants/acme", title="Acme")["policy"]["cache"] == "off"
    assert Policy.objects.get().semantic_threshold == 5_000
    assert hand.post("tenants", name="globex", policy={"queue_seconds": 5})["policy"] == {
        **DEFAULT,
        "queue_seconds": 5,
    }


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        ({"cache": "some"}, "policy"),
        ({"cash": "off"}, "policy"),
        ("off", "policy"),
        ({"cache_seconds": 0}, "policy"),
        ({"semantic": {"model": "nowhere"}}, "policy.semantic.model"),
        ({"semantic": {"threshold": 1.5}}, "policy.semantic.threshold"),
        ({"sensitivity": {"threshold": "Infinity"}}, "policy.sensitivity.threshold"),
        ({"tags": [" "]}, "policy.tags"),
    ],
)
def test_what_means_nothing_is_refused_by_field(acme: Tenant, policy: Any, field: str) -> None:
    assert set(operator().refused("PATCH", "tenants/acme", {"policy": policy})["fields"]) == {field}
    assert field in operator().refused("POST", "tenants", {"name": "new", "policy": policy})["fields"]
    assert not Policy.objects.exists()
    assert Tenant.objects.count() == 1


def test_owners_decide_for_their_tenant_and_others_read(acme: Tenant) -> None:
    globex = factories.make_tenant("globex")
    alice, bob = member("alice", acme), member("bob", acme, "developer")
    assert alice.patch("tenants/acme", policy={"cache": "off"})["policy"]["cache"] == "off"
    assert bob.get("tenants/acme")["policy"]["cache"] == "off"
    bob.refused("PATCH", "tenants/acme", {"policy": {"cache": "all"}}, status=403)
    delegate: Hand = key_hand("operator", tenants=(globex,))
    delegate.refused("PATCH", "tenants/acme", {"policy": {"cache": "all"}}, status=404)
    assert Policy.objects.get().cache == "off"


def test_a_person_needs_djangos_permission_for_policies_too(acme: Tenant) -> None:
    alice = member("alice", acme)
    person = User.objects.get(username="alice")
    person.user_permissions.remove(*Permission.objects.filter(codename="change_policy"))
    alice = signed_in(User.objects.get(username="alice"))
    assert alice.patch("tenants/acme", title="Acme")["title"] == "Acme"
    error = alice.refused("PATCH", "tenants/acme", {"policy": {"cache": "off"}}, status=403)
    assert error["param"] == "policy"
