"""Keys of tenants and of the platform, as a file gives or leaves out their secrets."""

import pytest

from providers.configuration.plan import Action
from tenants.keys import key_revoke, key_rotate
from tenants.models import ApiKey, Limit, Tenant
from tenants.secrets import key_digest, peppers
from tests import factories
from tests.support.configuration import apply, problems_of, steps

pytestmark = pytest.mark.django_db

GIVEN = "tenants: {acme: {keys: [{name: app, secret: env:ACME_KEY, limits: {rpm: 60}}]}}"
LEFT_OUT = "tenants: {acme: {keys: [{name: app}]}}"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_KEY", "gw-first-secret-of-acme")


def opens(key: ApiKey, secret: str) -> bool:
    return key.digest == key_digest(key=secret, pepper=peppers().keys[key.pepper])


def live() -> ApiKey:
    return ApiKey.objects.get(blocked=False, grace_until=None)


def test_a_given_secret_opens_the_key() -> None:
    plan = apply(GIVEN)
    assert opens(live(), "gw-first-secret-of-acme")
    assert plan.issued == []


def test_a_secret_left_out_is_made_up_once() -> None:
    issued = apply(LEFT_OUT).issued
    assert [(one.owner, one.name) for one in issued] == [("acme", "app")]
    assert opens(live(), issued[0].secret)
    assert issued[0].secret not in repr(issued)
    assert apply(LEFT_OUT).issued == []


def test_all_of_a_keys_fields() -> None:
    apply("""
        providers: {echo: {wire: echo}}
        models: {"gpt-*": {deployments: [{provider: echo, model: "*"}]}}
        limit_classes: {standard: {rpm: 60}}
        tenants:
          acme:
            projects: {search: {}}
            keys:
              - name: app
                project: search
                models: ["gpt-4*"]
                networks: [10.0.0.0/8]
                expires: 2031-01-01T00:00:00Z
                per_user: {class: standard}
                limits: {parallel: 3}
                budgets: [{amount: 1}]
        """)
    key = live()
    assert key.project is not None
    assert key.per_user_class is not None
    assert key.expires_at is not None
    assert (key.project.name, key.per_user_class.name, key.expires_at.year) == ("search", "standard", 2031)
    assert (key.models, key.networks) == (["gpt-4*"], ["10.0.0.0/8"])
    assert Limit.objects.get(key=key).amount == 3
    apply("tenants: {acme: {keys: [{name: app, project: null, models: [], per_user: {class: null}}]}}")
    key = live()
    assert (key.project, key.per_user_class, key.models, key.networks) == (None, None, [], ["10.0.0.0/8"])


def test_another_secret_takes_the_place_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    apply(GIVEN)
    first = live()
    monkeypatch.setenv("ACME_KEY", "gw-second-secret-of-acme")
    plan = apply(GIVEN)
    assert steps(plan, Action.CHANGED) == ["key acme/app"]
    second = live()
    assert opens(second, "gw-second-secret-of-acme")
    assert second.lineage == first.lineage
    assert Limit.objects.get(key=second).amount == 60
    assert not apply(GIVEN).changes


def test_a_revoked_key_stays_revoked() -> None:
    for text in (GIVEN, LEFT_OUT):
        apply(GIVEN)
        key_revoke(key=ApiKey.objects.get())
        plan = apply(text)
        assert not plan.changes
        assert "stays so" in plan.notes[0]
        assert ApiKey.objects.get().blocked


def test_a_new_secret_after_a_revoked_one_is_a_new_key(monkeypatch: pytest.MonkeyPatch) -> None:
    apply(GIVEN)
    key_revoke(key=ApiKey.objects.get())
    monkeypatch.setenv("ACME_KEY", "gw-second-secret-of-acme")
    apply(GIVEN)
    assert opens(live(), "gw-second-secret-of-acme")
    assert ApiKey.objects.filter(blocked=True).count() == 1


def test_what_is_blocked_stays_so_until_the_file_says_otherwise() -> None:
    apply("tenants: {acme: {projects: {search: {}}}}")
    Tenant.objects.update(blocked=True)
    plan = apply("tenants: {acme: {title: Acme}}")
    assert plan.notes == ["tenants.acme: this is blocked and stays so; `blocked: false` opens it"]
    assert Tenant.objects.get().blocked
    assert not apply("tenants: {acme: {blocked: false}}").notes
    assert not Tenant.objects.get().blocked


def test_a_file_can_open_a_blocked_key_by_saying_so() -> None:
    apply(GIVEN)
    key_revoke(key=ApiKey.objects.get())
    apply(GIVEN.replace("name: app", "name: app, blocked: false"))
    assert not ApiKey.objects.get().blocked


def test_a_secret_that_was_rotated_away_does_not_come_back() -> None:
    apply(GIVEN)
    key_rotate(key=ApiKey.objects.get(), grace_seconds=60)
    assert problems_of(GIVEN) == [
        "tenants.acme.keys[0].secret: another key has this secret, or a rotated or blocked one had it"
    ]
    assert apply(LEFT_OUT).changes is False


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACME_KEY")
    assert problems_of(GIVEN) == ["tenants.acme.keys[0].secret: There is no secret at env:ACME_KEY."]
    assert not ApiKey.objects.exists()


def test_a_platform_key_acts_for_the_tenants_it_was_granted() -> None:
    factories.make_tenant("globex")
    text = "tenants: {acme: {}}\nplatform: {keys: [{name: ops, roles: [operator], tenants: REACH}]}"
    apply(text.replace("REACH", "all"))
    key = live()
    assert (key.tenant, key.roles, key.all_tenants) == (None, ["operator"], True)
    apply(text.replace("REACH", "[acme, globex]"))
    key = live()
    assert key.all_tenants is False
    assert [tenant.name for tenant in key.granted_tenants.all()] == ["acme", "globex"]
    assert not apply(text.replace("REACH", "[globex, acme]")).changes
