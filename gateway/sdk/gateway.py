"""The gateway in a plain script: the engine behind a class, without a server and without Django."""

import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Literal, Self, overload
from weakref import finalize

from pydantic import SecretStr

from gateway.call import Ask, Outcome
from gateway.errors import GatewayError
from gateway.sdk.answers import (
    EmbedResponse,
    GenerateResponse,
    HealthCheckResult,
    read_embedded,
    read_generated,
)
from gateway.sdk.asks import seconds_of, tenant_of, text_ask, vectors_ask
from gateway.sdk.background import Background
from gateway.sdk.config import GatewayConfig
from gateway.sdk.engine import Engine
from gateway.sdk.models import Models
from gateway.sdk.parts import CircuitBreaker, RateLimiters, health_of
from gateway.sdk.sums import Sums


class FeatureOff(GatewayError):
    """The configuration switches this off."""

    code = "feature_off"
    status = 400


class LiteLLMGateway:
    """One way to all providers. Threads and loops may share one; its own thread begins with the first call.

    `generate` and `embed` wait, their `_async` twins let a loop go on. What goes wrong is a `GatewayError`
    with `code`, `status` and `retry_after`.
    """

    def __init__(
        self, config: GatewayConfig | None = None, *, api_keys: Mapping[str, str] | None = None
    ) -> None:
        told = config or GatewayConfig()
        if api_keys:
            keys = {name: SecretStr(key) for name, key in api_keys.items()}
            told = told.model_copy(update={"api_keys": {**told.api_keys, **keys}})
        self.config = told
        self._engine = Engine(told, os.environ)
        self._background = Background(self._engine.opened)
        self._limited = self._engine.tenants.limits is not None
        self._close = finalize(self, self._background.close)
        self.deduplicator = self.batcher = self.cache = self.kv_cache = None
        self.validation_manager = self.feedback_loop = None

    @overload
    def generate(
        self, prompt: str, model: str | None = None, *, stream: Literal[False] = False, **options: Any
    ) -> GenerateResponse: ...
    @overload
    def generate(
        self, prompt: str, model: str | None = None, *, stream: Literal[True], **options: Any
    ) -> Iterator[str]: ...
    def generate(
        self, prompt: str, model: str | None = None, *, stream: bool = False, **options: Any
    ) -> GenerateResponse | Iterator[str]:
        """The answer to a prompt; with `stream` an iterator of its text, piece by piece.

        1. the input is checked, and who is ill is left out (breakers)
        2. the tenant's limits hold the call, or refuse it
        3. to 7. it goes to the model's deployments in turn until one answers
        8. what it came to is summed up
        9. the answer is read
        """
        if stream:
            return self._pieces(prompt, model or "", options)
        tenant, seconds = tenant_of(options), seconds_of(options)
        ask = text_ask(prompt, model or "", options, stream=False)
        return self._generated(ask, self._background.wait(self._engine.run, ask, tenant, seconds))

    @overload
    async def generate_async(
        self, prompt: str, model: str | None = None, *, stream: Literal[False] = False, **options: Any
    ) -> GenerateResponse: ...
    @overload
    async def generate_async(
        self, prompt: str, model: str | None = None, *, stream: Literal[True], **options: Any
    ) -> AsyncIterator[str]: ...
    async def generate_async(
        self, prompt: str, model: str | None = None, *, stream: bool = False, **options: Any
    ) -> GenerateResponse | AsyncIterator[str]:
        """The same, for a loop."""
        if stream:
            return self.generate_stream(prompt, model, **options)
        tenant, seconds = tenant_of(options), seconds_of(options)
        ask = text_ask(prompt, model or "", options, stream=False)
        return self._generated(ask, await self._background.hop(self._engine.run, ask, tenant, seconds))

    async def generate_stream(
        self, prompt: str, model: str | None = None, *, stream: bool = True, **options: Any
    ) -> AsyncGenerator[str, None]:
        """The text of the answer as it comes; who stops listening ends the call."""
        tenant, seconds = tenant_of(options), seconds_of(options)
        ask = text_ask(prompt, model or "", options, stream=True)
        source = await self._background.hop(self._engine.stream, ask, tenant, seconds)
        try:
            while texts := await self._background.hop(source.take):
                for text in texts:
                    yield text
        finally:
            self._background.tell(source.cancel)

    def embed(self, text: str | list[str], model: str | None = None, **options: Any) -> EmbedResponse:
        """Vectors of a text, or of several."""
        tenant, seconds = tenant_of(options), seconds_of(options)
        ask = vectors_ask(text, model or "", options)
        return self._embedded(ask, self._background.wait(self._engine.run, ask, tenant, seconds))

    async def embed_async(
        self, text: str | list[str], model: str | None = None, **options: Any
    ) -> EmbedResponse:
        """The same, for a loop."""
        tenant, seconds = tenant_of(options), seconds_of(options)
        ask = vectors_ask(text, model or "", options)
        return self._embedded(ask, await self._background.hop(self._engine.run, ask, tenant, seconds))

    def close(self) -> None:
        """End what is under way, and the thread; the end of the script does so too."""
        self._close()

    def check_health(self) -> HealthCheckResult:
        """How the gateway is, told by what it met so far: no provider is asked."""
        if not self.config.enable_health_monitoring:
            raise FeatureOff("Health is not told: enable_health_monitoring is off.")
        return health_of(self._engine, closed=self._background.closed, limited=self._limited)

    def get_usage_stats(self, tenant_id: str | None = None) -> dict[str, Any]:
        """What the calls of a tenant, or of all, came to in this process."""
        if not self.config.enable_llmops:
            raise FeatureOff("Usage is not summed up: enable_llmops is off.")
        return self._engine.sums.told(tenant_id)

    @property
    def router(self) -> Models:
        """The models that can be called."""
        return self._engine.models

    @property
    def circuit_breaker(self) -> CircuitBreaker | None:
        """The breakers."""
        return CircuitBreaker(self._engine) if self.config.enable_circuit_breaker else None

    @property
    def rate_limiters(self) -> RateLimiters | None:
        """The limits, looked at by tenant."""
        return RateLimiters(self._engine, self._background) if self._limited else None

    @property
    def health_check(self) -> Callable[[], HealthCheckResult] | None:
        """What tells the gateway's health."""
        return self.check_health if self.config.enable_health_monitoring else None

    @property
    def llmops(self) -> Sums | None:
        """The sums of all calls."""
        return self._engine.sums if self.config.enable_llmops else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _generated(self, ask: Ask, outcome: Outcome) -> GenerateResponse:
        name, priced = self._engine.models.serving(ask.model, ask.kind, outcome.served.deployment)
        return read_generated(outcome, model=name, priced=priced)

    def _embedded(self, ask: Ask, outcome: Outcome) -> EmbedResponse:
        name, priced = self._engine.models.serving(ask.model, ask.kind, outcome.served.deployment)
        return read_embedded(outcome, model=name, priced=priced)

    def _pieces(self, prompt: str, model: str, options: dict[str, Any]) -> Iterator[str]:
        tenant, seconds = tenant_of(options), seconds_of(options)
        ask = text_ask(prompt, model, options, stream=True)
        source = self._background.wait(self._engine.stream, ask, tenant, seconds)
        try:
            while texts := self._background.wait(source.take):
                yield from texts
        finally:
            self._background.tell(source.cancel)
