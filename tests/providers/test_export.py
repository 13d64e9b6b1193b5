"""What is written back is what was applied."""

from datetime import timedelta
from decimal import Decimal

import pytest
import yaml
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from providers.configuration.document import document_read
from providers.configuration.export import configuration_export
from providers.configuration.writing import document_write
from providers.cost_map import SOURCE
from tenants.keys import key_revoke, key_rotate
from tenants.models import ApiKey
from tenants.revision import current_revision
from tests import factories
from tests.support.configuration import EXAMPLE, EXAMPLE_SECRETS, apply, printed, watched, writes_of

pytestmark = pytest.mark.django_db

TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=8),
    st.sampled_from(
        [
            "",
            "off",
            "yes",
            "null",
            "~",
            "1e-6",
            "1:30",
            "0x1f",
            "1_0",
            ".5",
            "1.",
            "2031-01-01",
            "<<",
            "=",
            "true",
        ]
    ),
)
VALUES = st.recursive(
    st.one_of(
        TEXTS,
        st.integers(),
        st.booleans(),
        st.none(),
        st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**9), max_value=10**9),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


@pytest.fixture
def _example(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, secret in EXAMPLE_SECRETS.items():
        monkeypatch.setenv(name, secret)
    apply(EXAMPLE.read_text())


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_a_document_reads_back_as_it_was_written(values: dict[str, object]) -> None:
    assert document_read(document_write(values, ["a comment"])) == values


def test_a_figure_is_written_as_people_write_it() -> None:
    text = document_write({"a": Decimal("1E+2"), "b": Decimal("0.60"), "c": Decimal("1E-9")}, [])
    assert text == "{a: 100, b: 0.6, c: 0.000000001}\n"
    assert yaml.safe_load(text) == {"a": 100, "b": 0.6, "c": 1e-9}


@pytest.mark.usefixtures("each_database", "_example")
def test_applying_what_was_exported_changes_nothing() -> None:
    revision = current_revision()
    exported = configuration_export()
    for prune in (False, True):
        with watched() as queries:
            plan = apply(exported, prune=prune)
        assert set(plan.counts()) == {"unchanged"}
        assert writes_of(queries) == []
    assert current_revision() == revision
    assert configuration_export() == exported


@pytest.mark.usefixtures("_example")
def test_that_holds_after_all_kinds_of_changes_elsewhere() -> None:
    key = ApiKey.objects.get(name="app")
    key_rotate(key=key, grace_seconds=60)
    key_revoke(key=ApiKey.objects.get(name="nightly"))
    tenant = factories.make_tenant("initech", blocked=True)
    factories.make_limit(tenant=tenant, window="week")
    factories.make_budget(end_user=factories.make_end_user(tenant))
    factories.make_key(tenant, "1e-6")
    factories.make_price(model="imported", source=f"{SOURCE} 1")
    factories.make_price(model="later", valid_from=timezone.now() + timedelta(days=1))
    stored = factories.make_provider("stored", wire="openai", base_url="https://stored.example.org/v1")
    apply("providers: {stored: {keys: [{name: main, secret: sk-stored-secret}]}}")
    exported = configuration_export()
    assert not apply(exported, prune=True).changes
    assert "stored" in exported
    assert stored.keys.count() == 1


@pytest.mark.usefixtures("_example")
def test_what_is_left_out_is_counted_and_secrets_are_references_only() -> None:
    apply("providers: {openai: {keys: [{name: two, secret: sk-stored-secret}]}}")
    tenant = factories.make_tenant("initech")
    factories.make_limit(tenant=tenant, window="week")
    factories.make_price(model="imported", source=f"{SOURCE} 1")
    factories.make_price(model="later", valid_from=timezone.now() + timedelta(days=1))
    exported = printed("export")
    assert [line for line in exported.splitlines() if line.startswith("#")] == [
        "# Written by `manage.py export`. Secrets stored here are not in it.",
        "# Left out: 1 stored provider secrets.",
        "# Left out: 1 prices imported by `manage.py prices_import`.",
        "# Left out: 1 prices that begin later.",
        "# Left out: 1 limits and budgets that the file has no words for.",
    ]
    keys = document_read(exported)["providers"]["openai"]["keys"]
    assert [key.get("secret") for key in keys] == ["env:OPENAI_API_KEY", None]
    for secret in ("sk-stored", "g1:", *EXAMPLE_SECRETS.values()):
        assert secret not in exported


def test_an_empty_gateway_exports_nothing_to_apply() -> None:
    exported = configuration_export()
    assert exported == "# Written by `manage.py export`. Secrets stored here are not in it.\n"
    assert not apply(exported).steps


def test_prices_of_the_same_terms_share_a_line() -> None:
    text = "prices: [{model: m, input: 1}, {model: m, when: {region: eu}, input: 3}, {model: m, output: 2}]"
    apply(text)
    assert document_read(configuration_export())["prices"] == [
        {"model": "m", "input": 1, "output": 2},
        {"model": "m", "when": {"region": "eu"}, "input": 3},
    ]
