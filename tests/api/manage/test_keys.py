"""Keys: the secret is in one answer, and opens or closes doors from then on."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from gateway.errors import Unauthenticated
from tenants.models import ApiKey, Tenant
from tenants.principals import known_load
from tests import factories
from tests.api.manage.hands import Hand, key_hand, member

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.fixture
def acme() -> Tenant:
    return factories.make_tenant()


@pytest.fixture
def alice(acme: Tenant) -> Hand:
    return member("alice", acme)


def opens(secret: str) -> bool:
    """Whether the key makes calls."""
    try:
        return known_load(credential=secret, tenant_name="", project_name="").principal.key != ""
    except Unauthenticated:
        return False


def test_a_key_is_shown_once_and_makes_calls(alice: Hand) -> None:
    issued = alice.post("keys", tenant="acme", name="app", models=["gpt-4o-mini"])
    secret = issued.pop("secret")
    assert (issued["prefix"], issued["last_four"]) == (secret[:7], secret[-4:])
    assert alice.get(f"keys/{issued['id']}") == issued
    assert opens(secret)
    for told in (alice.get("keys"), alice.patch(f"keys/{issued['id']}", networks=["10.0.0.0/8"])):
        assert secret not in str(told)
        assert "digest" not in str(told)
        assert "pepper" not in str(told)


def test_an_answer_that_shows_a_key_is_kept_by_nobody(alice: Hand) -> None:
    answer = alice.ask("POST", "keys", {"tenant": "acme", "name": "app"})
    assert answer["Cache-Control"] == "no-store"


def test_a_rotated_key_has_a_successor_with_its_rights_and_bounds(alice: Hand, acme: Tenant) -> None:
    key, old = factories.make_key(acme, models=["gpt-4o-mini"])
    factories.make_budget(key=key)
    rotated = alice.post(f"keys/{key.pk}/rotate", grace_seconds=3600)
    assert opens(old)
    assert opens(rotated["secret"])
    assert (rotated["rotated_from"], rotated["models"]) == (str(key.pk), ["gpt-4o-mini"])
    assert alice.get(f"keys/{key.pk}")["state"] == "in grace"
    assert len(alice.get(f"budgets?key={rotated['id']}")["data"]) == 1
    alice.refused("POST", f"keys/{key.pk}/rotate", {}, status=409)


def test_a_revoked_key_is_refused_and_stays_so(alice: Hand, acme: Tenant) -> None:
    key, secret = factories.make_key(acme)
    assert alice.post(f"keys/{key.pk}/revoke")["state"] == "revoked"
    assert alice.post(f"keys/{key.pk}/revoke")["state"] == "revoked"
    assert not opens(secret)
    alice.refused("PATCH", f"keys/{key.pk}", {"models": []}, status=409)
    alice.refused("PATCH", f"keys/{key.pk}", {"blocked": False})
    alice.refused("POST", f"keys/{key.pk}/rotate", {}, status=409)


def test_what_a_key_cannot_be_is_said_by_field(alice: Hand, acme: Tenant) -> None:
    factories.make_key(acme)
    for body, field in (
        ({"name": "app"}, "name"),
        ({"name": "new", "networks": ["everywhere"]}, "networks"),
        ({"name": "new", "roles": ["operator"]}, "roles"),
        ({"name": "new", "roles": ["owner", 7]}, "roles"),
        ({"name": "new", "roles": "owner"}, "roles"),
        ({"name": "new", "roles": [["owner"], {}]}, "roles"),
        ({"name": "new", "roles": 5}, "roles"),
        ({"name": "new", "priority": 1_001}, "priority"),
        ({"name": "new", "all_tenants": True}, "tenant"),
        ({"name": "new", "granted_tenants": ["acme"]}, "granted_tenants"),
        ({"name": "new", "secret": "mine-mine-mine"}, "secret"),
        ({"name": "new", "blocked": True}, "blocked"),
        ({"name": "new", "expires_at": "soon"}, "expires_at"),
    ):
        assert field in alice.refused("POST", "keys", {"tenant": "acme", **body})["fields"]
    for grace in (-1, "soon", 10**12):
        key = ApiKey.objects.get()
        assert set(alice.refused("POST", f"keys/{key.pk}/rotate", {"grace_seconds": grace})["fields"]) == {
            "grace_seconds"
        }
    assert ApiKey.objects.count() == 1


def test_a_key_has_roles_and_a_priority(alice: Hand) -> None:
    issued = alice.post("keys", tenant="acme", name="app", roles=["owner"], priority=-5)
    assert (issued["roles"], issued["priority"]) == (["owner"], -5)
    told = alice.patch(f"keys/{issued['id']}", roles=["viewer", "finance"], priority=5)
    assert (told["roles"], told["priority"]) == (["viewer", "finance"], 5)
    plain = alice.post("keys", tenant="acme", name="plain")
    assert (plain["roles"], plain["priority"]) == ([], 0)


def test_nobody_gets_by_a_key_what_they_may_not_do_themselves(acme: Tenant) -> None:
    bob = member("bob", acme, "developer")
    owners, secret = factories.make_key(acme, "owners", roles=["owner"])
    for method, path, body in (
        ("POST", "keys", {"tenant": "acme", "name": "mine", "roles": ["owner"]}),
        ("POST", "keys", {"tenant": "acme", "name": "mine", "roles": ["developer", "finance"]}),
        ("PATCH", f"keys/{owners.pk}", {"networks": ["10.0.0.0/8"]}),
        ("POST", f"keys/{owners.pk}/rotate", {}),
    ):
        assert bob.refused(method, path, body, status=403)["param"] == "roles"
    assert ApiKey.objects.get().networks == []
    for roles in ([["owner"]], 5, None):
        assert "roles" in bob.refused("PATCH", f"keys/{owners.pk}", {"roles": roles})["fields"]
    mine = bob.post("keys", tenant="acme", name="mine", roles=["developer"])
    bob.refused("PATCH", f"keys/{mine['id']}", {"roles": ["owner"]}, status=403)
    assert bob.post(f"keys/{mine['id']}/rotate")["roles"] == ["developer"]
    assert bob.patch(f"keys/{owners.pk}", roles=["developer"])["roles"] == ["developer"]
    factories.make_key(acme, "other", roles=["owner"])
    assert bob.post(f"keys/{ApiKey.objects.get(name='other').pk}/revoke")["state"] == "revoked"
    assert opens(secret)


def test_a_platform_key_is_granted_tenants_and_then_others(acme: Tenant) -> None:
    factories.make_tenant("globex")
    operator = key_hand("operator")
    issued = operator.post("keys", name="ops", roles=["operator"], granted_tenants=["acme"])
    holder = Hand(Client(headers={"authorization": f"Bearer {issued['secret']}"}))
    assert [row["name"] for row in holder.get("tenants")["data"]] == ["acme"]
    told = operator.patch(f"keys/{issued['id']}", granted_tenants=["globex"])
    assert told["granted_tenants"] == ["globex"]
    assert [row["name"] for row in holder.get("tenants")["data"]] == ["globex"]


def test_who_holds_no_platform_key_with_a_role_manages_nothing(acme: Tenant) -> None:
    for tenant, fields in ((acme, {}), (None, {"all_tenants": True})):
        _, secret = factories.make_key(tenant, "some", **fields)
        hand = Hand(Client(headers={"authorization": f"Bearer {secret}"}))
        for path in ("", "tenants", "keys", "entries"):
            hand.refused("GET", path, status=403)


def test_keys_that_open_nothing_are_refused(acme: Tenant) -> None:
    rights = {"roles": ["operator"], "all_tenants": True}
    past = timezone.now() - timedelta(seconds=1)
    _, expired = factories.make_key(None, "expired", expires_at=past, **rights)
    _, elsewhere = factories.make_key(None, "far", networks=["10.0.0.0/8"], **rights)
    blocked, revoked = factories.make_key(None, "revoked", **rights)
    ApiKey.objects.filter(pk=blocked.pk).update(blocked=True)
    for secret, status in ((expired, 401), (revoked, 401), ("gw-made-up", 401), (elsewhere, 403)):
        for headers in ({"authorization": f"Bearer {secret}"}, {"x-api-key": secret}, {"api-key": secret}):
            answer = Client(headers=headers).get("/api/v1/manage/tenants")
            assert answer.status_code == status
            assert secret not in answer.content.decode()
    answer = Client().get("/api/v1/manage/tenants")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
