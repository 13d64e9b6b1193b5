"""The revision moves on every configuration write, however it is made."""

from collections.abc import Callable
from functools import partial

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from providers.health import health_report
from providers.models import Alias, Model
from tenants.models import ApiKey, Credit, EndUser, LimitClass, Policy, Tenant
from tenants.revision import current_revision
from tests import factories
from usage.models import Feedback

pytestmark = pytest.mark.usefixtures("each_database")

SILENT = {"tenants_credit", "tenants_revision", "providers_health"}


def _moves(write: Callable[[], object]) -> bool:
    before = current_revision()
    write()
    return current_revision() != before


def _make_everything() -> list[Callable[[], object]]:
    tenant, user = factories.make_tenant(), factories.make_user()
    provider, model = factories.make_provider(), factories.make_model()
    return [
        lambda: factories.make_tenant("globex"),
        lambda: factories.make_project(tenant),
        lambda: factories.make_member(tenant, user),
        lambda: factories.make_key(tenant),
        lambda: LimitClass.objects.create(name="standard"),
        lambda: factories.make_limit(tenant=tenant),
        lambda: factories.make_budget(tenant=tenant),
        lambda: Policy.objects.create(tenant=tenant),
        lambda: factories.make_provider("openai"),
        lambda: factories.make_provider_key(provider),
        lambda: factories.make_model("gpt-4o"),
        lambda: factories.make_deployment(model, provider),
        lambda: Alias.objects.create(name="small", target="gpt-4o-mini"),
        lambda: model.routes.create(target="small"),
        lambda: factories.make_price(),
    ]


def test_every_kind_of_row_moves_it() -> None:
    for write in _make_everything():
        assert _moves(write)


def test_bulk_writes_move_it() -> None:
    made = [Model(name=f"model-{number}") for number in range(3)]
    assert _moves(lambda: Model.objects.bulk_create(made))
    assert _moves(lambda: Model.objects.update(blocked=True))
    assert _moves(lambda: Model.objects.all().delete())


def test_a_new_end_user_decides_nothing_until_changed() -> None:
    tenant = factories.make_tenant()
    assert not _moves(lambda: EndUser.objects.create(tenant=tenant, name="Alice"))
    assert _moves(lambda: EndUser.objects.update(blocked=True))
    assert _moves(lambda: EndUser.objects.all().delete())


def test_raw_sql_moves_it() -> None:
    tenant = factories.make_tenant()
    with connection.cursor() as cursor:
        assert _moves(lambda: cursor.execute("UPDATE tenants_tenant SET markup_bps = 1000"))
    tenant.refresh_from_db()
    assert tenant.markup_bps == 1000


def test_a_grant_moves_it() -> None:
    key, _ = factories.make_key(None)
    tenant = factories.make_tenant()
    assert _moves(lambda: key.granted_tenants.add(tenant))
    assert _moves(lambda: key.granted_tenants.clear())


def test_the_use_of_a_key_does_not_move_it_and_its_revocation_does() -> None:
    key, _ = factories.make_key(factories.make_tenant())
    assert not _moves(lambda: ApiKey.objects.update(last_used_at=timezone.now()))
    assert _moves(lambda: ApiKey.objects.filter(pk=key.pk).update(blocked=True))
    key.last_used_at = timezone.now()
    assert not _moves(lambda: key.save(update_fields=["last_used_at"]))


def test_every_other_column_of_a_key_moves_it() -> None:
    factories.make_key(factories.make_tenant())
    for field in ApiKey._meta.concrete_fields:
        touch = partial(ApiKey.objects.update, **{field.attname: F(field.attname)})
        assert _moves(touch) is (field.name != "last_used_at"), field.name


def test_what_is_no_configuration_does_not_move_it() -> None:
    tenant = factories.make_tenant()
    deployment = factories.make_deployment(factories.make_model(), factories.make_provider())
    writes: list[Callable[[], object]] = [
        lambda: Credit.objects.create(tenant=tenant, amount_nano=1, note="gift"),
        lambda: health_report(deployment=deployment, upstream="m", ok=False),
        lambda: Feedback.objects.create(request_id="req-1", tenant_id=tenant.pk, score=100),
        lambda: factories.make_entry(tenant),
    ]
    assert not any(_moves(write) for write in writes)


def test_a_write_that_is_rolled_back_does_not_move_it() -> None:
    def write_in_vain() -> None:
        with transaction.atomic():
            Tenant.objects.create(name="acme")
            transaction.set_rollback(True)

    assert not _moves(write_in_vain)


def test_every_configuration_table_is_watched(each_database: str) -> None:
    labels = ("tenants", "providers")
    tables = {
        model._meta.db_table
        for label in labels
        for model in apps.get_app_config(label).get_models(include_auto_created=True)
    }
    query = {
        "sqlite": "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal",
    }
    with connection.cursor() as cursor:
        cursor.execute(query[each_database])
        watched = {str(table) for table, name in cursor.fetchall() if "_revision" in name}
    assert watched == tables - SILENT
