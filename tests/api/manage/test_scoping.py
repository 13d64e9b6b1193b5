"""Charlie belongs to globex: of acme's rows he learns nothing, not even that they are there."""

from typing import Any
from uuid import UUID

import pytest
from django.db.models import Model

from gateway.ids import uuid7
from tenants.models import ApiKey, Budget, Limit, Project, Tenant
from tests import factories
from tests.api.manage.hands import Hand, key_hand, member
from tests.api.manage.test_roles import CHANGED, rows_of

pytestmark = pytest.mark.usefixtures("each_database")

OF_A_TENANT = (
    "tenants",
    "projects",
    "keys",
    "limits",
    "budgets",
    "end-users",
    "providers",
    "provider-keys",
    "prices",
    "entries",
)
WRITES = ("projects", "keys", "limits", "budgets", "end-users", "tenants")


@pytest.fixture
def acme() -> Tenant:
    return factories.make_tenant()


@pytest.fixture(params=["member", "delegate"])
def charlie(request: pytest.FixtureRequest, acme: Tenant) -> Hand:
    """An outsider: an owner of another tenant, or whoever holds a key for it."""
    globex = factories.make_tenant("globex")
    kind: str = request.param
    return member("charlie", globex) if kind == "member" else key_hand("operator", tenants=(globex,))


def unknown(row: Model) -> Any:
    """An id like the row's, of no row."""
    return uuid7() if isinstance(row.pk, UUID) else 2**40


def said(hand: Hand, method: str, path: str, body: Any = None) -> Any:
    """The status and the error, without what differs from request to request."""
    answer = hand.ask(method, path, body)
    error = answer.json()["error"]
    error.pop("request_id")
    return answer.status_code, error


def test_lists_and_rows_of_others_are_as_if_they_were_not(acme: Tenant, charlie: Hand) -> None:
    for noun, row in rows_of(acme).items():
        if noun not in OF_A_TENANT:
            continue
        ids = [told["id"] for told in charlie.get(noun)["data"]]
        assert str(row.pk) not in map(str, ids)
        stranger = said(charlie, "GET", f"{noun}/{unknown(row)}")
        assert said(charlie, "GET", f"{noun}/{row.pk}") == stranger
        assert stranger[0] == 404


def test_writes_to_rows_of_others_find_nothing(acme: Tenant, charlie: Hand) -> None:
    rows = rows_of(acme)
    for noun in WRITES:
        row = rows[noun]
        before = type(row)._default_manager.values().get(pk=row.pk)
        for method, body in (("PATCH", CHANGED[noun]), ("PUT", CHANGED[noun]), ("DELETE", None)):
            answered = said(charlie, method, f"{noun}/{row.pk}", body)
            assert answered == said(charlie, method, f"{noun}/{unknown(row)}", body)
            assert answered[0] in {403, 404, 405}
        assert type(row)._default_manager.values().get(pk=row.pk) == before
    for deed in ("rotate", "revoke"):
        key = rows["keys"].pk
        assert said(charlie, "POST", f"keys/{key}/{deed}", {}) == said(
            charlie, "POST", f"keys/{uuid7()}/{deed}", {}
        )
    assert ApiKey.objects.get(pk=key).grace_until is None


def test_names_of_others_are_as_free_as_any(acme: Tenant, charlie: Hand) -> None:
    factories.make_project(acme)
    for taken, free in (("tenants/acme", "tenants/free"), ("projects/acme/search", "projects/free/search")):
        for method, body in (("GET", None), ("PUT", {}), ("PATCH", {})):
            assert said(charlie, method, taken, body) == said(charlie, method, free, body)


def test_others_rows_are_no_choice(acme: Tenant, charlie: Hand) -> None:
    rows = rows_of(acme)
    bound = {"amount": 1, "unit": "tokens", "window": "day"}
    for noun, body, field, theirs in (
        ("projects", {"name": "mine"}, "tenant", "acme"),
        ("projects", {"name": "mine"}, "tenant", str(acme.pk)),
        ("keys", {"name": "mine"}, "tenant", "acme"),
        ("keys", {"name": "mine", "tenant": "globex"}, "project", "acme/search"),
        ("limits", bound, "project", "acme/search"),
        ("limits", bound, "key", str(rows["keys"].pk)),
        ("limits", bound, "end_user", str(rows["end-users"].pk)),
        ("budgets", {"amount_usd": "1"}, "tenant", "acme"),
        ("end-users", {"name": "mine"}, "tenant", "acme"),
    ):
        answered = said(charlie, "POST", noun, {**body, field: theirs})
        assert answered[0] == 422
        assert set(answered[1]["fields"]) == {field}
        nobodys = str(uuid7()) if len(theirs) == 36 else theirs.replace("acme", "free")
        assert answered == said(charlie, "POST", noun, {**body, field: nobodys})
    counted = [Project.objects.count(), ApiKey.objects.filter(tenant=acme).count(), Budget.objects.count()]
    assert counted == [1, 1, 1]
    assert Limit.objects.count() == 1


def test_filters_reach_nothing_further(acme: Tenant, charlie: Hand) -> None:
    rows = rows_of(acme)
    for query in (
        "projects?tenant=acme",
        f"projects?tenant={acme.pk}",
        f"limits?key={rows['keys'].pk}",
        f"entries?tenant={acme.pk}",
        "end-users?tenant=acme",
        "entries?tenant=acme",
        f"entries?key={rows['keys'].pk}",
        "entries?model=gpt-4o-mini",
    ):
        assert charlie.get(query) == {"data": [], "next": None}


def test_a_row_does_not_move_to_another_tenant(acme: Tenant) -> None:
    factories.make_tenant("globex")
    project, limit = factories.make_project(acme), factories.make_limit(tenant=acme)
    operator = key_hand("operator")
    for path in (f"projects/{project.pk}", f"limits/{limit.pk}"):
        assert set(operator.refused("PATCH", path, {"tenant": "globex"})["fields"]) == {"tenant"}
