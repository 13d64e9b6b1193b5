"""The gateway in a plain script: the engine behind a class, without a server and without Django."""

import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Literal, Self, overload
from weakref import finalize

from pydantic import SecretStr

from gateway.call import Ask, Outcome
from gateway.errors import GatewayError
from gateway.ports import Cache
from gateway.sdk.answers import (
    EmbedResponse,
    GenerateResponse,
    HealthCheckResult,
    Response,
    read_embedded,
    read_generated,
)
from gateway.sdk.asks import seconds_of, tenant_of, text_ask, vectors_ask
from gateway.sdk.background import Background
from gateway.sdk.config import GatewayConfig
from gateway.sdk.engine import Engine
from gateway.sdk.feedback import FeedbackLoop
from gateway.sdk.models import Models
from gateway.sdk.parts import (
    Batcher,
    CircuitBreaker,
    Deduplicator,
    KvCache,
    RateLimiters,
    ValidationManager,
    health_of,
)
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
        self.deduplicator = Deduplicator(self._engine) if told.enable_request_deduplication else None
        self.batcher = Batcher(self._engine, told) if told.enable_request_batching else None
        self.kv_cache = KvCache(self._engine, told) if told.enable_kv_cache else None
        self.validation_manager = ValidationManager(self._engine) if told.enable_validation else None
        self.feedback_loop = FeedbackLoop(self._engine.models) if told.enable_feedback_loop else None

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

        1. the input is checked; who is ill is left out when its turn comes (breakers)
        2. the tenant's limits hold the call, or refuse it; a hit of the next step takes a request alone
        3. an answer that is kept is given again
        4. an identical call under way is joined
        5. else it goes to the model's deployments in turn until one answers
        6. the answer is checked, and asked for once more if it is not what was asked for
        7. and 8. what it came to is summed up, and then it is kept
        9. it is read

        Which of these there are, the configuration says; `Gateway.run` in `gateway/pipeline.py` is their way.
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
        closed = self._background.closed
        return health_of(self._engine, closed=closed, limited=self._limited, cache=self._cache_health())

    def record_feedback(self, answer: Response, score: float | bool) -> None:
        """Say how good an answer was, from 0 to 1: whoever gives better ones is asked first."""
        if self.feedback_loop is None:
            raise FeatureOff("Feedback is not collected: enable_feedback_loop is off.")
        self.feedback_loop.record(answer, score)

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
    def cache(self) -> Cache | None:
        """Where answers are kept."""
        return self._engine.cache

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

    def _cache_health(self) -> Literal["healthy", "degraded", "off"]:
        """Only a cache of the caller's own may be away; it is asked."""
        if self._engine.cache is None:
            return "off"
        if self.config.cache is None or self._background.closed:
            return "healthy"
        return "degraded" if self._background.wait(self._engine.cache_is_away) else "healthy"

    def _pieces(self, prompt: str, model: str, options: dict[str, Any]) -> Iterator[str]:
        tenant, seconds = tenant_of(options), seconds_of(options)
        ask = text_ask(prompt, model, options, stream=True)
        source = self._background.wait(self._engine.stream, ask, tenant, seconds)
        try:
            while texts := self._background.wait(source.take):
                yield from texts
        finally:
            self._background.tell(source.cancel)
