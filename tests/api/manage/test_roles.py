"""Every cell of the table of roles: what it allows is done, and all else is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import Model

from api.manage.roles import ROLES, TABLE
from tenants.models import Tenant
from tests import factories
from tests.api.manage.hands import Hand, key_hand, member

pytestmark = pytest.mark.usefixtures("each_database")

ALL, ISSUE = "read add change delete", "read add change rotate revoke"
READ, NONE = "read", ""
EXPECTED = {
    "tenants": (ALL, "read change", "read change", READ, READ, READ),
    "projects": (ALL, ALL, ALL, READ, READ, READ),
    "keys": (ISSUE, ISSUE, ISSUE, ISSUE, NONE, READ),
    "limits": (ALL, ALL, ALL, READ, NONE, READ),
    "budgets": (ALL, ALL, ALL, READ, READ, READ),
    "limit-classes": (ALL, READ, READ, READ, NONE, READ),
    "end-users": (ALL, ALL, ALL, READ, NONE, READ),
    "providers": (ALL, READ, READ, READ, NONE, READ),
    "provider-keys": (ALL, READ, READ, NONE, NONE, NONE),
    "models": (ALL, NONE, NONE, NONE, NONE, NONE),
    "deployments": ("read breaker", NONE, NONE, NONE, NONE, NONE),
    "aliases": (ALL, NONE, NONE, NONE, NONE, NONE),
    "defaults": (ALL, NONE, NONE, NONE, NONE, NONE),
    "prices": ("read add end", READ, READ, READ, READ, READ),
    "entries": (READ, READ, READ, READ, READ, READ),
}
SECRET = {"secret": "made-up-secret-of-a-provider"}
LIMIT = {"tenant": "acme", "amount": 1, "unit": "tokens", "window": "day"}
NEW: dict[str, dict[str, Any]] = {
    "tenants": {"name": "new"},
    "projects": {"tenant": "acme", "name": "new"},
    "keys": {"tenant": "acme", "name": "new"},
    "limits": LIMIT,
    "budgets": {"tenant": "acme", "amount_usd": "1", "window": "day"},
    "limit-classes": {"name": "new"},
    "end-users": {"tenant": "acme", "name": "new"},
    "providers": {"name": "new", "wire": "echo", "tenant": "acme"},
    "provider-keys": {"provider": "acmes", "name": "new", "tenant": "acme", **SECRET},
    "models": {"name": "new"},
    "deployments": {},
    "aliases": {"name": "new", "target": "gpt-4o-mini"},
    "defaults": {"kind": "embedding", "model": "gpt-4o-mini"},
    "prices": {"tenant": "acme", "model": "gpt-4o-mini", "meter": "output", "usd": "1"},
    "entries": {},
}
CHANGED: dict[str, dict[str, Any]] = {
    "tenants": {"title": "Acme"},
    "projects": {"cost_centre": "CC-1"},
    "keys": {"models": ["gpt-4o-mini"]},
    "limits": {"amount": 2},
    "budgets": {"amount_usd": "2"},
    "limit-classes": {"name": "other"},
    "end-users": {"blocked": True},
    "providers": {"blocked": True},
    "provider-keys": {"blocked": True},
    "models": {"blocked": True},
    "deployments": {"held_open": True},
    "aliases": {"target": "gpt-4o-mini"},
    "defaults": {"model": "gpt-4o-mini"},
    "prices": {"source": "changed"},
    "entries": {"status": "failed"},
}


def rows_of(tenant: Tenant) -> dict[str, Model]:
    """A row of each noun that concerns the tenant, or everybody."""
    provider = factories.make_provider("acmes", tenant=tenant)
    model = factories.make_model()
    return {
        "tenants": tenant,
        "projects": factories.make_project(tenant),
        "keys": factories.make_key(tenant)[0],
        "limits": factories.make_limit(tenant=tenant),
        "budgets": factories.make_budget(tenant=tenant),
        "limit-classes": factories.make_limit_class(),
        "end-users": factories.make_end_user(tenant),
        "providers": provider,
        "provider-keys": factories.make_provider_key(provider, tenant=tenant),
        "models": model,
        "deployments": factories.make_deployment(model, provider),
        "aliases": factories.make_alias("small", model.name),
        "defaults": factories.make_default("chat", model.name),
        "prices": factories.make_price(tenant=tenant),
        "entries": factories.make_entry(tenant),
    }


HANDS: dict[str, Callable[[Tenant], Hand]] = {
    "operator": lambda tenant: key_hand("operator"),
    "delegate": lambda tenant: key_hand("operator", tenants=(tenant,)),
    "owner": lambda tenant: member("alice", tenant, "owner"),
    "developer": lambda tenant: member("bob", tenant, "developer"),
    "finance": lambda tenant: member("bob", tenant, "finance"),
    "viewer": lambda tenant: member("bob", tenant, "viewer"),
}


def tried(hand: Hand, noun: str, action: str, row: Model) -> list[int]:
    """The statuses of all requests that are this action."""
    one = f"{noun}/{row.pk}"
    requests: dict[str, list[tuple[str, str, Any]]] = {
        "read": [("GET", noun, None), ("GET", one, None)],
        "add": [("POST", noun, NEW[noun])],
        "change": [("PATCH", one, CHANGED[noun])],
        "rotate": [("POST", f"{one}/rotate", {})],
        "revoke": [("POST", f"{one}/revoke", {})],
        "end": [("POST", f"{one}/end", {})],
        "breaker": [("POST", f"{one}/breaker", {"state": word}) for word in ("open", "auto", "closed")],
        "delete": [("DELETE", one, None)],
    }
    return [hand.ask(*request).status_code for request in requests[action]]


def test_the_table_is_the_one_that_was_meant() -> None:
    told = {noun: tuple(frozenset(cell.split()) for cell in cells) for noun, cells in EXPECTED.items()}
    assert told == {noun: tuple(roles[role] for role in ROLES) for noun, roles in TABLE.items()}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("noun", EXPECTED)
def test_a_cell_allows_what_it_says_and_nothing_else(role: str, noun: str) -> None:
    acme = factories.make_tenant()
    if noun == "tenants":
        Tenant.objects.update(blocked=True)  # as it has to be to go, and nothing needs it
    row: Model = acme if noun == "tenants" else rows_of(acme)[noun]
    hand = HANDS[role](acme)
    allowed = EXPECTED[noun][ROLES.index(role)].split()
    known = frozenset[str]().union(*TABLE[noun].values())
    before = type(row)._default_manager.values().get(pk=row.pk)
    for action in ("read", "add", "change", "rotate", "revoke", "end", "breaker", "delete"):
        statuses = tried(hand, noun, action, row)
        if action in allowed:
            assert set(statuses) <= {200, 201, 204}, (action, statuses)
        else:
            refusals = {403} if action in known else {403, 404, 405}
            assert set(statuses) <= refusals, (action, statuses)
    if set(allowed) <= {"read"}:
        assert type(row)._default_manager.values().get() == before


def test_a_platform_key_of_finance_reads_the_money_of_all_and_changes_none() -> None:
    acme = factories.make_tenant()
    rows = rows_of(acme)
    hand = key_hand("finance")
    for noun, cells in EXPECTED.items():
        status = 200 if READ in cells[ROLES.index("finance")].split() else 403
        assert hand.ask("GET", noun).status_code == status
        assert hand.ask("PATCH", f"{noun}/{rows[noun].pk}", CHANGED[noun]).status_code in {403, 405}


def test_each_role_counts_in_its_own_tenant_only() -> None:
    acme, globex = factories.make_tenant(), factories.make_tenant("globex")
    bob = member("bob", acme, "viewer")
    factories.make_member(globex, User.objects.get(username="bob"), "owner")
    theirs, own = factories.make_project(acme), factories.make_project(globex)
    assert bob.patch(f"projects/{own.pk}", cost_centre="CC-1")["cost_centre"] == "CC-1"
    bob.refused("PATCH", f"projects/{theirs.pk}", {"cost_centre": "CC-1"}, status=403)
    bob.refused("POST", "projects", {"tenant": "acme", "name": "new"}, status=403)
    assert bob.get(f"projects/{theirs.pk}")["cost_centre"] == ""


def test_what_operators_say_is_not_the_owners_to_change() -> None:
    acme = factories.make_tenant(blocked=True, markup_bps=1000)
    alice = member("alice", acme)
    for field, value in (("name", "mine"), ("markup_bps", -100), ("blocked", False)):
        error = alice.refused("PATCH", "tenants/acme", {field: value}, status=403)
        assert error["param"] == field
    told = alice.patch("tenants/acme", title="Acme", blocked=True, markup_bps=1000)
    assert (told["title"], told["blocked"], told["markup_bps"]) == ("Acme", True, 1000)


def test_a_delegate_makes_no_platform_key_and_sees_none() -> None:
    acme = factories.make_tenant()
    delegate = key_hand("operator", tenants=(acme,))
    delegate.refused("POST", "keys", {"name": "mine", "roles": ["operator"], "all_tenants": True}, status=403)
    assert delegate.get("keys")["data"] == []
    operator = key_hand("operator")
    operator.refused("POST", "keys", {"name": "mine"}, status=403, x_tenant_id="acme")
    assert operator.post("keys", name="mine", roles=["finance"], all_tenants=True)["tenant"] is None


def test_x_tenant_id_narrows_and_a_tenant_out_of_reach_is_as_unknown_as_any() -> None:
    acme, globex = factories.make_tenant(), factories.make_tenant("globex")
    some, every = key_hand("operator", tenants=(acme,)), key_hand("operator")
    alice = member("alice", acme)
    assert {row["name"] for row in every.get("tenants")["data"]} == {"acme", "globex"}
    assert [row["name"] for row in every.get("tenants", x_tenant_id="globex")["data"]] == ["globex"]
    every.refused("GET", f"tenants/{acme.pk}", status=404, x_tenant_id="globex")
    assert [row["name"] for row in alice.get("tenants", x_tenant_id="acme")["data"]] == ["acme"]
    for hand in (some, alice):
        for name in (globex.name, "nobody"):
            error = hand.refused("GET", "tenants", status=403, x_tenant_id=name)
            assert error["message"] == "You may not act for that tenant."
