"""Issuing, rotating and revoking keys."""

import hashlib
import hmac
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from tenants.keys import key_issue, key_revoke, key_rotate
from tenants.models import ApiKey, Budget, Limit
from tenants.secrets import peppers
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_key_is_answered_once_and_stored_as_a_keyed_hash() -> None:
    key, secret = key_issue(tenant=factories.make_tenant(), name="app")
    assert secret.startswith("gw-")
    assert len(secret) >= 3 + 32
    ring = peppers()
    expected = hmac.new(ring.keys[ring.newest], hashlib.sha256(secret.encode()).digest(), "sha256")
    stored = ApiKey.objects.get()
    assert (stored.digest, stored.pepper) == (expected.hexdigest(), ring.newest)
    assert (stored.prefix, stored.last_four) == (secret[:7], secret[-4:])
    assert secret not in str(ApiKey.objects.values().get())
    assert secret not in f"{key!r} {key}"


def test_two_keys_never_share_a_secret() -> None:
    tenant = factories.make_tenant()
    key_issue(tenant=tenant, name="app", secret="sk-given-by-the-operator")
    with pytest.raises(ValidationError, match="already exists"):
        key_issue(tenant=None, name="ops", secret="sk-given-by-the-operator")


def test_a_short_secret_is_not_given_away_by_what_is_shown() -> None:
    key, _ = key_issue(tenant=factories.make_tenant(), name="app", secret="sk-short")
    assert (key.prefix, key.last_four) == ("", "")


@pytest.mark.parametrize("secret", ["", " ", "two words", "schlüssel", "line\n"])
def test_a_secret_that_no_header_carries_is_refused(secret: str) -> None:
    with pytest.raises(ValidationError, match="printable"):
        key_issue(tenant=None, name="ops", secret=secret)


def test_a_name_is_unique_among_live_keys_only() -> None:
    tenant = factories.make_tenant()
    first, _ = key_issue(tenant=tenant, name="app")
    key_issue(tenant=None, name="app")
    for owner in (tenant, None):
        with pytest.raises(ValidationError, match="live"):
            key_issue(tenant=owner, name="app")
    key_revoke(key=first)
    key_issue(tenant=tenant, name="app")


def test_rotation_keeps_the_old_key_for_a_while_and_its_bounds_for_good() -> None:
    tenant = factories.make_tenant()
    old, old_secret = key_issue(
        tenant=tenant,
        name="app",
        project=factories.make_project(tenant),
        models=["gpt-4o-mini"],
        roles=["viewer"],
        priority=7,
    )
    factories.make_limit(key=old)
    factories.make_budget(key=old)
    before = timezone.now()
    new, new_secret = key_rotate(key=old, grace_seconds=60)
    old.refresh_from_db()
    assert new_secret != old_secret
    assert old.grace_until is not None
    assert before + timedelta(seconds=60) <= old.grace_until <= timezone.now() + timedelta(seconds=60)
    assert (new.name, new.project, new.models, new.lineage) == (
        old.name,
        old.project,
        old.models,
        old.lineage,
    )
    assert (new.roles, new.priority) == (["viewer"], 7)
    assert (new.rotated_from, new.grace_until, new.blocked) == (old, None, False)
    for bounds in (Limit, Budget):
        assert set(bounds.objects.values_list("key", flat=True)) == {old.pk, new.pk}


def test_rotation_keeps_what_a_platform_key_was_granted() -> None:
    tenant = factories.make_tenant()
    old, _ = key_issue(tenant=None, name="ops", roles=["finance"], granted_tenants=[tenant])
    new, _ = key_rotate(key=old, grace_seconds=0)
    assert new.roles == ["finance"]
    assert list(new.granted_tenants.all()) == [tenant]


def test_only_a_live_key_is_rotated() -> None:
    key, _ = key_issue(tenant=None, name="ops")
    key_rotate(key=key, grace_seconds=60)
    with pytest.raises(ValidationError, match="live"):
        key_rotate(key=key, grace_seconds=60)
    revoked, _ = key_issue(tenant=None, name="old ops")
    key_revoke(key=revoked)
    with pytest.raises(ValidationError, match="live"):
        key_rotate(key=revoked, grace_seconds=60)
    assert ApiKey.objects.filter(name="ops").count() == 2


def test_revoking_blocks_the_key() -> None:
    key, _ = key_issue(tenant=None, name="ops")
    key_revoke(key=key)
    assert ApiKey.objects.get().blocked
