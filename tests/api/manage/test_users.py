"""End users and their classes of limits, and the models of calls that name none."""

import pytest

from providers.models import PlatformDefault
from tenants.models import EndUser, Limit
from tests import factories
from tests.api.manage.hands import Hand, member, operator

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.fixture
def hand() -> Hand:
    return operator()


def test_an_end_user_is_blocked_and_let_in_again_by_name(hand: Hand) -> None:
    acme = factories.make_tenant()
    factories.make_end_user(acme, "charlie@example.org/7")
    one = "end-users/acme/charlie@example.org/7"
    assert hand.get(one)["blocked"] is False
    assert hand.put(one, blocked=True)["blocked"] is True
    assert EndUser.objects.get().blocked
    assert member("alice", acme).patch(one, blocked=False)["blocked"] is False
    assert not EndUser.objects.get().blocked


def test_who_was_never_met_can_be_kept_out_before(hand: Hand) -> None:
    factories.make_tenant()
    told = hand.ask("PUT", "end-users/acme/charlie", {"blocked": True})
    assert (told.status_code, told.json()["tenant"], told.json()["blocked"]) == (201, "acme", True)
    hand.refused("POST", "end-users", {"tenant": "acme", "name": "charlie"})


def test_end_users_are_listed_by_tenant_and_by_class(hand: Hand) -> None:
    acme, globex = factories.make_tenant(), factories.make_tenant("globex")
    premium = factories.make_limit_class("premium_user")
    factories.make_end_user(acme, "bob", limit_class=premium)
    factories.make_end_user(acme, "charlie")
    factories.make_end_user(globex, "charlie", limit_class=premium)

    def named(query: str) -> list[str]:
        return sorted(f"{row['tenant']} {row['name']}" for row in hand.get(f"end-users?{query}")["data"])

    assert named("tenant=acme") == ["acme bob", "acme charlie"]
    assert named("limit_class=premium_user") == ["acme bob", "globex charlie"]
    assert named("tenant=acme&limit_class=premium_user") == ["acme bob"]


def test_a_class_is_made_filled_with_limits_and_given_to_a_person(hand: Hand) -> None:
    acme = factories.make_tenant()
    alice = member("alice", acme)
    hand.put("limit-classes/premium_user")
    hand.post("limits", limit_class="premium_user", amount=120, unit="requests", window="minute")
    assert [row["name"] for row in alice.get("limit-classes")["data"]] == ["premium_user"]
    alice.refused("PATCH", "limit-classes/premium_user", {"name": "mine"}, status=403)
    given = alice.put("end-users/acme/charlie", limit_class="premium_user")
    assert given["limit_class"] == "premium_user"
    assert hand.ask("DELETE", "limit-classes/premium_user").status_code == 204
    assert EndUser.objects.get().limit_class is None
    assert not Limit.objects.exists()


def test_a_person_gets_limits_of_their_own_and_is_forgotten_with_them(hand: Hand) -> None:
    factories.make_tenant()
    identifier = hand.put("end-users/acme/charlie")["id"]
    told = hand.post("limits", end_user=identifier, amount=5, unit="requests", window="day")
    assert told["end_user"] == identifier
    assert hand.ask("DELETE", "end-users/acme/charlie").status_code == 204
    assert (EndUser.objects.count(), Limit.objects.count()) == (0, 0)


def test_a_default_leads_to_a_model_and_stays_of_its_kind(hand: Hand) -> None:
    factories.make_model("gpt-4o-mini")
    factories.make_alias("small", "gpt-4o-mini")
    assert hand.put("defaults/chat", model="gpt-4o-mini")["model"] == "gpt-4o-mini"
    assert hand.put("defaults/chat", model="small")["model"] == "small"
    for path, body, field in (
        ("defaults/chat", {"model": "nothing"}, "model"),
        ("defaults/chat", {"kind": "embedding"}, "kind"),
        ("defaults/speech", {"model": "small"}, "kind"),
        ("defaults/embedding", {}, "model"),
    ):
        assert set(hand.refused("PUT", path, body)["fields"]) == {field}
    assert set(hand.refused("PATCH", "defaults/chat", {"kind": "embedding"})["fields"]) == {"kind"}
    assert [(row.kind, row.model) for row in PlatformDefault.objects.all()] == [("chat", "small")]
    assert hand.ask("DELETE", "defaults/chat").status_code == 204
