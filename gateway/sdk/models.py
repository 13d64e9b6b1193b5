"""The models of a configuration as the engine's catalog."""

from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from threading import Lock
from uuid import uuid4

from msgspec.structs import replace
from pydantic import SecretStr

from gateway.catalog import Deployment, Model, Provider, Secret, Snapshot
from gateway.errors import ProviderRefusedKey
from gateway.exchange import Timeouts
from gateway.patterns import best_pattern
from gateway.pricing import Price, PriceCard, make_sheet
from gateway.sdk.config import GatewayConfig, ModelEntry
from gateway.sdk.hosts import HOSTS, Host, InvalidConfiguration, find_host, host_of
from gateway.sdk.traits import costs_of, kind_of, with_traits

LONGEST_CALL = 600.0
"""Seconds that a call has in all, at the least: streams may be long."""

_FROM_ENVIRONMENT = "os.environ/"
_PER_MILLION = 1_000_000
_PICO = 10**12
_CONNECT = 5.0


class MissingKey(ProviderRefusedKey):
    """The provider's key is not there."""

    code = "provider_key_missing"
    retryable = False


class Models:
    """What can be called, and what could be if its key were there."""

    def __init__(self, config: GatewayConfig, environ: Mapping[str, str]) -> None:
        self._config = config
        self._environ = environ
        self.is_listed = bool(config.model_list)
        """Whether somebody said which models there are."""
        self._providers: dict[tuple[object, ...], Provider] = {}
        self._by_host: dict[str, Provider] = {}
        self.keyless: dict[str, str] = {}
        """Names that cannot be called, and what is missing."""
        models = self._listed() if config.model_list else dict(self._unlisted())
        self._add_fallbacks(models)
        self._first = self._defaults(models)
        self._snapshot = self._with({name: with_traits(one, config) for name, one in models.items()})
        self._rating = Lock()

    def snapshot(self) -> Snapshot:
        """The catalog; it changes with ratings alone."""
        return self._snapshot

    def rate(self, name: str, deployment: str, quality: float) -> None:
        """Say how good a deployment of a model is; calls that begin from now on go by it."""
        with self._rating:
            known = self._snapshot.models
            model = known.get(name)
            if model is None:
                return  # answered by a pattern: there is nobody else to choose
            deployments = tuple(
                replace(one, quality=quality) if one.name == deployment else one for one in model.deployments
            )
            self._snapshot = self._with({**known, name: replace(model, deployments=deployments)})

    @property
    def names(self) -> tuple[str, ...]:
        """What can be called; a star stands for what the host has."""
        return tuple(self._snapshot.models)

    def demand_key(self, name: str, kind: str) -> None:
        """Refuse a call whose provider's key is not there."""
        wanted = name or self._snapshot.defaults.get(kind, "")
        if wanted and self._snapshot.find(wanted) is None:
            pattern = best_pattern(self.keyless, wanted)
            if pattern is not None:
                raise MissingKey(f"The model '{wanted[:200]}' needs a key: {self.keyless[pattern]}.")

    def serving(self, asked: str, kind: str, deployment: str) -> tuple[str, bool]:
        """The name of the model that a deployment answered as, and whether it has a price for that."""
        model = self._snapshot.resolve(asked or self._snapshot.defaults[kind])
        names = dict.fromkeys(name for names in model.fallbacks.values() for name in names)
        for one in (model, *filter(None, map(self._snapshot.find, names))):
            for found in one.deployments:
                if found.name == deployment:
                    return one.name, any(card.prices(kind) for card in found.cards)
        return model.name, False

    def _with(self, models: Mapping[str, Model]) -> Snapshot:
        return Snapshot(
            models=models,
            aliases={},
            defaults=self._first,
            cards_for=lambda provider, upstream, _: self._cards(provider, upstream, {}),
        )

    def _listed(self) -> dict[str, Model]:
        models: dict[str, Model] = {}
        for entry in self._config.model_list:
            deployment = self._deployment(entry)
            if deployment is None:
                continue
            known = models.get(entry.model_name)
            if known is None:
                models[entry.model_name] = _model(entry, deployment)
            else:
                deployments = (*known.deployments, deployment)
                models[entry.model_name] = replace(known, deployments=deployments)
        for name in models:
            self.keyless.pop(name, None)
        return models

    def _unlisted(self) -> Iterator[tuple[str, Model]]:
        """Without a list: whatever the hosts have whose keys are there, by `host/model` or its own name."""
        for host in HOSTS.values():
            names = {f"{host.name}/*": "*", **{name: name for name in host.names}}
            provider = self._provider_of(host)
            if provider is None and host.variables:
                self.keyless |= dict.fromkeys(names, _how_to_give(host))
            elif provider is not None:
                for name, upstream in names.items():
                    deployment = Deployment(id=uuid4(), provider=provider, upstream=upstream)
                    yield name, Model(name=name, deployments=(deployment,))

    def _add_fallbacks(self, models: dict[str, Model]) -> None:
        """Who stands in for whom; a name that is not listed is looked for at the hosts that are."""
        for told in self._config.fallbacks:
            for name, stand_ins in ({"*": [told]} if isinstance(told, str) else told).items():
                for stand_in in stand_ins:
                    self._add_stand_in(models, stand_in)
                chosen = list(models) if name == "*" else [name]
                for one in chosen:
                    if one in models:
                        models[one] = _with_fallbacks(models[one], stand_ins)
                    elif one not in self.keyless:
                        raise InvalidConfiguration(f"There is no model '{one[:200]}' to have fallbacks.")

    def _add_stand_in(self, models: dict[str, Model], name: str) -> None:
        if name in models or name in self.keyless or best_pattern(models, name) is not None:
            return
        host, upstream = host_of(name)
        provider = self._provider_of(host) or self._by_host.get(host.name)
        if provider is None:
            self.keyless[name] = _how_to_give(host)
        else:
            cards = self._cards(provider, upstream, {}, name)
            deployment = Deployment(id=uuid4(), provider=provider, upstream=upstream, cards=cards)
            models[name] = Model(name=name, kind=kind_of(None, upstream), deployments=(deployment,))

    def _defaults(self, models: Mapping[str, Model]) -> dict[str, str]:
        config = self._config
        told = {"chat": config.default_model, "embedding": config.default_embedding_model}
        if config.model_list:
            first = {kind: name for name, kind in reversed([(m.name, m.kind) for m in models.values()])}
        else:
            served = [host for host in HOSTS.values() if f"{host.name}/*" in models]
            hosts = served or list(HOSTS.values())[:1]
            chats = [f"{host.name}/{host.chat}" for host in hosts if host.chat]
            embeddings = [f"{host.name}/{host.embedding}" for host in hosts if host.embedding]
            first = {"chat": next(iter(chats), ""), "embedding": next(iter(embeddings), "")}
        return {kind: name for kind, name in (first | {k: v for k, v in told.items() if v}).items() if name}

    def _deployment(self, entry: ModelEntry) -> Deployment | None:
        params = entry.litellm_params
        address = params.api_base or params.base_url or ""
        host, upstream = host_of(params.model, named=params.custom_llm_provider or "", address=address)
        if not address and not self._address(host):
            raise InvalidConfiguration(f"The model '{entry.model_name[:200]}' needs an api_base.")
        secret = self._read(params.api_key) if params.api_key else self._key(host)
        if secret is None and (params.api_key or (host.variables and not address)):
            self.keyless[entry.model_name] = _how_to_give(host)
            return None
        headers = dict(params.extra_headers)
        if params.organization:
            headers["openai-organization"] = params.organization
        provider = self._provider(host, address, secret, headers, params.timeout or self._config.timeout)
        self._by_host.setdefault(host.name, provider)
        costs = costs_of(entry.model_info) | costs_of(params)
        return Deployment(
            id=uuid4(),
            provider=provider,
            upstream=upstream,
            weight=params.weight,
            priority=params.order,
            cards=self._cards(provider, upstream, costs, entry.model_name),
        )

    def _provider_of(self, host: Host) -> Provider | None:
        """A host with the key that is known for it; None without one that it needs."""
        secret = self._key(host)
        if not self._address(host) or (secret is None and host.variables):
            return None
        return self._provider(host, "", secret, {}, self._config.timeout)

    def _provider(
        self, host: Host, address: str, secret: str | None, headers: dict[str, str], timeout: float
    ) -> Provider:
        """One for each account at each address; their names differ, as their troubles do."""
        base_url = address or self._address(host)
        if host.adds_version and not base_url.rstrip("/").endswith("/v1"):
            base_url = f"{base_url.rstrip('/')}/v1"
        base_url = base_url.rstrip("/")
        key = (host.name, base_url, secret, tuple(sorted(headers.items())), timeout)
        if key not in self._providers:
            namesakes = sum(one[0] == host.name for one in self._providers)
            self._providers[key] = Provider(
                id=uuid4(),
                name=f"{host.name}-{namesakes + 1}" if namesakes else host.name,
                wire=host.wire,
                base_url=base_url,
                secret=Secret(secret) if secret else None,
                headers=headers,
                timeouts=timeouts_of(timeout, self._config.max_retries),
            )
        return self._providers[key]

    def _address(self, host: Host) -> str:
        return self._environ.get(f"{host.name.upper()}_API_BASE") or host.base_url

    def _key(self, host: Host) -> str | None:
        for name, secret in self._config.api_keys.items():
            found = find_host(name)
            if host.name == (found.name if found else name):
                return self._read(secret)
        return next(filter(None, map(self._environ.get, host.variables)), None)

    def _read(self, secret: SecretStr) -> str | None:
        """A key as it is written, or the variable that it names."""
        value = secret.get_secret_value()
        if value.startswith(_FROM_ENVIRONMENT):
            return self._environ.get(value.removeprefix(_FROM_ENVIRONMENT)) or None
        return value or None

    def _cards(
        self, provider: Provider, upstream: str, costs: Mapping[str, Decimal], name: str = ""
    ) -> tuple[PriceCard, ...]:
        """Prices that stand with the model, and above them those of the list, the most particular last."""
        found = dict(costs)
        for key in (upstream, name, f"{provider.name}/{upstream}"):
            listed = self._config.prices.get(key, {})
            found |= {meter: price / _PER_MILLION for meter, price in listed.items()}
        if not found:
            return ()
        prices = {
            meter: Price(pico=int((cost * _PICO).to_integral_value(ROUND_HALF_EVEN)), row=row)
            for row, (meter, cost) in enumerate(sorted(found.items()), start=1)
        }
        return (PriceCard(version="given", sheets=(make_sheet(prices),)),)


def timeouts_of(seconds: float, attempts: int) -> Timeouts:
    """Each attempt has so long to begin to answer, and so long between two pieces."""
    connect = min(_CONNECT, seconds / 2)
    return Timeouts(
        connect=connect,
        first_byte=seconds - connect,
        idle=seconds,
        total=max(LONGEST_CALL, 2 * seconds * attempts),
    )


def _model(entry: ModelEntry, deployment: Deployment) -> Model:
    info = entry.model_info
    return Model(
        name=entry.model_name,
        kind=kind_of(entry, deployment.upstream),
        deployments=(deployment,),
        context_window=info.max_input_tokens,
        max_output=info.max_output_tokens,
    )


def _with_fallbacks(model: Model, names: list[str]) -> Model:
    others = [name for name in names if name != model.name]
    return replace(model, fallbacks={"any": tuple(dict.fromkeys((*model.fallbacks.get("any", ()), *others)))})


def _how_to_give(host: Host) -> str:
    variables = " or ".join(host.variables)
    return f"set {variables}, or give api_key" if variables else "give api_key"
