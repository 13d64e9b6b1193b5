"""The catalog in the database as the engine sees it."""

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, get_args

import pytest
from channels.db import database_sync_to_async
from django.utils import timezone

from gateway.catalog import Deployment, Model, Snapshot, Sticky, Strategy
from gateway.errors import UnknownModel
from gateway.exchange import Timeouts
from gateway.pricing import card_at
from providers.catalog import DatabaseCatalog, snapshot_build
from providers.models import Alias, PlatformDefault, Provider, ProviderKey, Route
from tenants.revision import current_revision
from tests import factories
from tests.support.configuration import apply

pytestmark = pytest.mark.django_db

SECRET = "sk-made-up-for-openai"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.delenv("MISSING_API_KEY", raising=False)


def _served(name: str = "openai") -> tuple[Provider, ProviderKey]:
    """A provider with a key, and a model there."""
    provider = factories.make_provider(name, "openai", base_url="https://api.example/v1/")
    key = factories.make_provider_key(provider)
    factories.make_deployment(factories.make_model(), provider)
    return provider, key


def _build(reports: list[str] | None = None) -> Snapshot:
    return snapshot_build(report=(reports if reports is not None else []).append)


def _deployments(snapshot: Snapshot, model: str = "gpt-4o-mini") -> Iterable[Deployment]:
    return snapshot.models[model].deployments


def test_a_deployment_carries_its_provider_key_and_prices() -> None:
    _served()
    factories.make_price(pico_per_unit=150_000)
    (deployment,) = _deployments(_build())
    provider = deployment.provider
    assert (provider.name, provider.base_url) == ("openai", "https://api.example/v1")
    assert provider.secret is not None
    assert provider.secret.reveal() == SECRET
    (card,) = deployment.cards
    assert card.sheets[0].prices["input"].pico == 150_000


@pytest.mark.parametrize("what", ["provider", "model", "deployment", "key"])
def test_what_is_blocked_is_not_there(what: str) -> None:
    provider, key = _served()
    row: Any = {
        "provider": provider,
        "key": key,
        "deployment": provider.deployments.get(),
        "model": provider.deployments.get().model,
    }[what]
    row.blocked = True
    row.save()
    snapshot = _build()
    if what == "model":
        with pytest.raises(UnknownModel):
            snapshot.resolve("gpt-4o-mini")
    else:
        assert list(_deployments(snapshot)) == []


def test_a_provider_without_keys_needs_none() -> None:
    factories.make_deployment(factories.make_model(), factories.make_provider())
    (deployment,) = _deployments(_build())
    assert deployment.provider.secret is None


def test_a_tenants_own_key_serves_that_tenant_alone() -> None:
    provider, _ = _served()
    tenant = factories.make_tenant()
    factories.make_provider_key(provider, "own", tenant=tenant, secret="env:OPENAI_API_KEY")
    owners = {deployment.provider.tenant_id for deployment in _deployments(_build())}
    assert owners == {None, tenant.id}


def test_a_provider_has_all_keys_that_open_it_with_what_each_may_do(monkeypatch: pytest.MonkeyPatch) -> None:
    provider, first = _served()
    monkeypatch.setenv("SPARE_API_KEY", "sk-spare")
    factories.make_provider_key(provider, "blocked", blocked=True)
    factories.make_provider_key(provider, "nowhere", secret="env:MISSING_API_KEY")
    limits = {"rpm": 500, "tpm": 200_000, "parallel": 20}
    spare = factories.make_provider_key(provider, "spare", secret="env:SPARE_API_KEY", **limits)
    (deployment,) = _deployments(_build())
    found = [(key.id, key.name, key.secret.reveal()) for key in deployment.provider.keys]
    assert found == [(first.id, "main", SECRET), (spare.id, "spare", "sk-spare")]
    assert [(key.rpm, key.tpm, key.parallel) for key in deployment.provider.keys] == [
        (None, None, None),
        (500, 200_000, 20),
    ]
    assert deployment.provider.secret is deployment.provider.keys[0].secret


def test_limits_of_a_provider_are_those_of_keys_that_say_nothing_else() -> None:
    apply("""
        providers:
          openai:
            wire: echo
            limits: {rpm: 7, parallel: 8}
            keys: [{name: a, secret: env:OPENAI_API_KEY}, {name: b, secret: env:OPENAI_API_KEY, rpm: 9}]
        models: {gpt-4o-mini: {deployments: [{provider: openai}]}}
        """)
    (deployment,) = _deployments(_build())
    keys = [(key.name, key.rpm, key.tpm, key.parallel) for key in deployment.provider.keys]
    assert keys == [("a", 7, None, 8), ("b", 9, None, 8)]


def test_tenants_keys_stay_apart_from_each_other_and_from_everyones() -> None:
    provider, _ = _served()
    acme, globex = factories.make_tenant(), factories.make_tenant("globex")
    for name, tenant in (("a1", acme), ("a2", acme), ("g1", globex)):
        factories.make_provider_key(provider, name, tenant=tenant)
    found = {
        one.provider.tenant_id: [key.name for key in one.provider.keys] for one in _deployments(_build())
    }
    assert found == {None: ["main"], acme.id: ["a1", "a2"], globex.id: ["g1"]}


def test_a_provider_with_only_a_tenants_key_is_nobody_elses() -> None:
    _, key = _served()
    key.tenant = factories.make_tenant()
    key.save()
    assert [one.provider.tenant_id for one in _deployments(_build())] == [key.tenant.id]


def test_an_unreadable_secret_is_reported_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    provider, key = _served()
    key.secret = "env:MISSING_API_KEY"
    key.save()
    reports: list[str] = []
    assert list(_deployments(_build(reports))) == []
    assert len(reports) == 1
    assert "MISSING_API_KEY" in reports[0]
    factories.make_provider_key(provider, "spare")
    assert len(list(_deployments(_build(reports)))) == 1
    assert SECRET not in " ".join(reports)
    assert SECRET not in caplog.text


def test_no_secret_is_shown_in_a_snapshot() -> None:
    _served()
    snapshot = _build()
    assert SECRET not in repr(snapshot.models)
    assert SECRET not in repr(snapshot.resolve("gpt-4o-mini"))


def test_names_aliases_defaults_and_fallbacks() -> None:
    _served()
    model = factories.make_model(
        "gpt-4o", context_window=128_000, max_output_tokens=16_384, vocabulary="o200k_base"
    )
    Alias.objects.create(name="small", target="gpt-4o-mini")
    PlatformDefault.objects.update_or_create(kind="chat", defaults={"model": "small"})
    for position, target in ((1, "small"), (0, "gpt-4o-mini")):
        Route.objects.create(model=model, cause="context_length", target=target, position=position)
    snapshot = _build()
    assert snapshot.resolve("small").name == "gpt-4o-mini"
    assert snapshot.defaults["chat"] == "small"
    found = snapshot.resolve("gpt-4o")
    assert found.fallbacks == {"context_length": ("gpt-4o-mini", "small")}
    assert (found.context_window, found.max_output, found.vocabulary) == (128_000, 16_384, "o200k_base")


def test_a_star_has_the_prices_of_what_it_stands_for() -> None:
    provider = factories.make_provider("openai", "openai", base_url="https://api.example/v1")
    factories.make_deployment(factories.make_model("openai/*"), provider, upstream_model="*")
    factories.make_price(model="gpt-4o", pico_per_unit=7)
    factories.make_price(model="gpt-*", pico_per_unit=8)
    snapshot = _build()
    picos = []
    for name in ("openai/gpt-4o", "openai/gpt-5", "openai/other"):
        (deployment,) = snapshot.resolve(name).deployments
        picos.append([card.sheets[0].prices["input"].pico for card in deployment.cards])
    assert picos == [[7], [8], []]


def test_a_price_of_tomorrow_is_known_today() -> None:
    _served()
    tomorrow = timezone.now() + timedelta(days=1)
    factories.make_price(pico_per_unit=1, valid_until=tomorrow)
    factories.make_price(pico_per_unit=2, valid_from=tomorrow)
    (deployment,) = _deployments(_build())
    moments = (timezone.now(), tomorrow)
    cards = [card_at(deployment.cards, round(moment.timestamp() * 1000)) for moment in moments]
    assert [card.sheets[0].prices["input"].pico for card in cards if card] == [1, 2]


def test_what_operators_say_of_a_model_and_its_deployments() -> None:
    provider, _ = _served()
    model = factories.make_model(
        "routed", strategy="quality", sticky="end_user", hedge=True, batch_size=64, batch_ms=20
    )
    moment = timezone.now()
    factories.make_deployment(
        model, provider, max_parallel=3, quality=8_750, held_open=True, breaker_closed_at=moment
    )
    found = _build().models["routed"]
    assert (found.strategy, found.sticky, found.hedge) == ("quality", "end_user", True)
    assert (found.batch_size, found.batch_seconds) == (64, 0.02)
    (one,) = found.deployments
    assert (one.max_parallel, one.quality) == (3, 0.875)
    assert (one.held_open, one.closed_at) == (True, moment.timestamp())


def test_of_what_operators_say_nothing_the_engine_has_its_own_defaults() -> None:
    _served()
    found = _build().models["gpt-4o-mini"]
    said = {"deployments", "created"}
    assert {name: getattr(found, name) for name in found.__struct_fields__ if name not in said} == {
        name: getattr(Model(name=found.name), name) for name in found.__struct_fields__ if name not in said
    }
    (one,) = found.deployments
    bare = Deployment(id=one.id, provider=one.provider, upstream=one.upstream)
    assert one == bare


def test_a_models_own_waits_and_the_providers_for_the_others() -> None:
    provider, _ = _served()
    other = factories.make_provider("slow", idle_timeout_ms=1)
    model = factories.make_model("patient", first_byte_timeout_ms=300_000, total_timeout_ms=900_500)
    for one in (provider, other):
        factories.make_deployment(model, one)
    second, first = sorted(_build().models["patient"].deployments, key=lambda one: one.timeouts.idle)
    assert first.timeouts == Timeouts(connect=5.0, first_byte=300.0, idle=60.0, total=900.5)
    assert second.timeouts == Timeouts(connect=5.0, first_byte=300.0, idle=0.001, total=900.5)
    assert first.provider.timeouts == Timeouts()
    (plain,) = _deployments(_build())
    assert plain.own_timeouts is None


def test_everything_that_the_engine_can_choose_by_can_be_said() -> None:
    row = factories.make_model()
    assert set(row.Strategy.values) == set(get_args(Strategy))
    assert {"", *row.Sticky.values} == set(get_args(Sticky))


@pytest.mark.django_db(transaction=True)
async def test_the_catalog_takes_up_a_new_revision() -> None:
    catalog = DatabaseCatalog(report=logging.getLogger(__name__).warning)
    assert catalog.revision == -1
    await catalog.refresh()
    before = catalog.snapshot()
    await database_sync_to_async(factories.make_model)()
    await catalog.refresh()
    assert catalog.snapshot() is not before
    assert "gpt-4o-mini" in catalog.snapshot().models
    assert catalog.revision == await database_sync_to_async(current_revision)()
