"""The engine's catalog over the database: a snapshot for each revision, built off the loop."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast
from uuid import UUID

from channels.db import database_sync_to_async
from django.utils import timezone
from msgspec.structs import replace

from gateway import catalog as engine
from gateway.exchange import Timeouts
from gateway.pricing import PriceCard
from providers.addresses import is_private
from providers.cards import PriceRow, build_cards, milliseconds
from providers.models import Alias, Deployment, Model, PlatformDefault, Price, Provider, ProviderKey, Route
from tenants.revision import current_revision
from tenants.secrets import SecretUnreadable, secret_resolve

Report = Callable[[str], None]
"""Where it is said what could not be used, and why."""

_BASIS_POINTS = 10_000
_MILLISECONDS = 1000
_WAITS = ("connect", "first_byte", "idle", "total")
_SECURITY: Mapping[str, engine.Security] = {"low": "low", "medium": "medium", "high": "high"}


class DatabaseCatalog:
    """Keeps the current snapshot."""

    def __init__(self, report: Report, *, stand_in: str = "") -> None:
        self._report = report
        self._stand_in = stand_in
        self._current = engine.Snapshot(models={}, aliases={}, defaults={}, revision=-1)

    @property
    def revision(self) -> int:
        """The revision that the snapshot stands for."""
        return self._current.revision

    def snapshot(self) -> engine.Snapshot:
        """The current snapshot."""
        return self._current

    async def refresh(self) -> None:
        """Build the snapshot anew."""
        self._current = await database_sync_to_async(snapshot_build)(
            report=self._report, stand_in=self._stand_in
        )


def snapshot_build(*, report: Report, stand_in: str = "") -> engine.Snapshot:
    """Everything that can be called now: what is blocked, or cannot be opened, is left out."""
    revision = current_revision()
    prices = [_price_row(price) for price in Price.objects.all()]
    now_ms = milliseconds(timezone.now())

    def cards_for(provider: engine.Provider, model: str, region: str) -> tuple[PriceCard, ...]:
        return build_cards(prices, provider_id=provider.id, model=model, region=region, now_ms=now_ms)

    providers = {row.id: list(_providers(row, report)) for row in _provider_rows()}
    routes = _routes()
    models = {}
    for row in Model.objects.filter(blocked=False).prefetch_related("deployments"):
        deployments = [
            _deployment(one, provider, cards_for, row)
            for one in row.deployments.all()
            if not one.blocked
            for provider in providers.get(one.provider_id, ())
        ]
        models[row.name] = _model(row, deployments, routes[row.id])
    return engine.Snapshot(
        models=models,
        aliases=dict(Alias.objects.values_list("name", "target")),
        defaults=dict(PlatformDefault.objects.values_list("kind", "model")),
        cards_for=cards_for,
        revision=revision,
        stand_in=stand_in,
    )


def _provider_rows() -> Sequence[Provider]:
    return list(Provider.objects.filter(blocked=False).prefetch_related("keys"))


def _providers(row: Provider, report: Report) -> Iterator[engine.Provider]:
    """A provider once for everyone, and once for each tenant that brought keys of its own."""
    every = row.keys.all()
    if not every:
        yield _provider(row, (), row.tenant_id)
    owned: dict[UUID | None, list[engine.ProviderKey]] = {row.tenant_id: []}
    for key in every:
        opened = None if key.blocked else _key(key, report)
        if opened is not None:
            owned.setdefault(key.tenant_id or row.tenant_id, []).append(opened)
    for tenant_id, keys in owned.items():
        if keys:
            yield _provider(row, tuple(keys), tenant_id)


def _key(key: ProviderKey, report: Report) -> engine.ProviderKey | None:
    try:
        secret = secret_resolve(reference=key.secret)
    except SecretUnreadable as error:
        report(f"provider key {key}: {error.message}")
        return None
    return engine.ProviderKey(
        id=key.id,
        name=key.name,
        secret=engine.Secret(secret),
        rpm=key.rpm,
        tpm=key.tpm,
        parallel=key.parallel,
    )


def _provider(row: Provider, keys: tuple[engine.ProviderKey, ...], tenant_id: UUID | None) -> engine.Provider:
    return engine.Provider(
        id=row.id,
        name=row.name,
        wire=row.wire,
        base_url=row.base_url.rstrip("/"),
        secret=keys[0].secret if keys else None,
        keys=keys,
        headers=row.headers,
        timeouts=Timeouts(**_waits(row)),
        tenant_id=tenant_id,
        security=_SECURITY[row.security_level],
        default_model=row.default_model,
        is_local=row.kind == Provider.Kind.LOCAL if row.kind else is_private(row.base_url),
        includes_usage=row.includes_usage,
        has_responses=row.has_responses,
        bills_to_end=row.bills_to_end,
    )


def _waits(row: Provider | Model) -> dict[str, float]:
    """The waits that a row sets, in seconds."""
    columns = {name: getattr(row, f"{name}_timeout_ms") for name in _WAITS}
    return {name: wait / _MILLISECONDS for name, wait in columns.items() if wait is not None}


def _deployment(
    row: Deployment, provider: engine.Provider, cards_for: engine.CardsFor, model: Model
) -> engine.Deployment:
    waits = _waits(model)
    return engine.Deployment(
        id=row.id,
        provider=provider,
        upstream=row.upstream_model,
        weight=row.weight,
        priority=row.priority,
        region=row.region,
        cards=cards_for(provider, row.upstream_model, row.region) if "*" not in row.upstream_model else (),
        max_parallel=row.max_parallel,
        quality=None if row.quality is None else row.quality / _BASIS_POINTS,
        own_timeouts=replace(provider.timeouts, **waits) if waits else None,
        held_open=row.held_open,
        closed_at=row.breaker_closed_at.timestamp() if row.breaker_closed_at else 0.0,
    )


def _model(
    row: Model, deployments: Sequence[engine.Deployment], fallbacks: Mapping[str, list[str]]
) -> engine.Model:
    return engine.Model(
        name=row.name,
        kind=row.kind,
        deployments=tuple(deployments),
        fallbacks={cause: tuple(names) for cause, names in fallbacks.items()},
        context_window=row.context_window,
        max_output=row.max_output_tokens,
        vocabulary=row.vocabulary,
        capabilities=tuple(row.capabilities),
        created=round(row.created_at.timestamp()),
        strategy=cast(engine.Strategy, row.strategy),
        sticky=cast(engine.Sticky, row.sticky),
        hedge=row.hedge,
        batch_size=row.batch_size,
        batch_seconds=row.batch_ms / _MILLISECONDS,
    )


def _routes() -> Mapping[UUID, Mapping[str, list[str]]]:
    routes: defaultdict[UUID, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for route in Route.objects.order_by("model", "cause", "position"):
        routes[route.model_id][route.cause].append(route.target)
    return routes


def _price_row(price: Price) -> PriceRow:
    return PriceRow(
        row=price.pk,
        provider_id=price.provider_id,
        model=price.model,
        tenant_id=price.tenant_id,
        side=price.side,
        meter=price.meter,
        pico=price.pico_per_unit,
        context_above=price.context_above or 0,
        service_tier=price.service_tier,
        region=price.region,
        valid_from_ms=milliseconds(price.valid_from),
        valid_until_ms=milliseconds(price.valid_until) if price.valid_until else None,
    )
