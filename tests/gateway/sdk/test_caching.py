"""Answers that a gateway in a script keeps."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateway import CacheConfig, GatewayConfig
from gateway.caching.memory import MemoryCache
from gateway.memory import GlassVault, SystemClock
from tests.gateway.sdk.conftest import Make
from tests.support.caller import fresh
from tests.support.provider_stub import ProviderStub
from tests.support.redis_server import own_redis
from tests.support.waiting import eventually
from usage.caching.redis import redis_cache

DRAGONFLY = {"backend": "dragonfly", "dragonfly_url": "dragonfly://localhost"}


def hits(gateway: Any) -> int:
    count: int = gateway.get_usage_stats()["cached_requests"]
    return count


def test_the_second_answer_is_the_first(make: Make, stub: ProviderStub) -> None:
    name = fresh("m")
    gateway = make(name, enable_caching=True, cache_config=CacheConfig())
    first = gateway.generate("What is AI?", model=name)

    def again() -> bool:
        assert gateway.generate("What is AI?", model=name).text == first.text
        return hits(gateway) > 0

    assert eventually(again)
    known = len(stub.heard(name))
    answer = gateway.generate("What is AI?", model=name)
    assert (answer.text, answer.usage, answer.cost) == (first.text, first.usage, Decimal(0))
    assert len(stub.heard(name)) == known
    assert gateway.get_usage_stats()["failed_requests"] == 0
    assert gateway.check_health().details["cache"] == {"status": "healthy"}
    assert gateway.cache is not None


def test_a_stream_is_told_again(make: Make) -> None:
    name = fresh("m")
    gateway = make(name, enable_caching=True)
    first = "".join(gateway.generate("Tell", model=name, stream=True))

    def again() -> bool:
        assert "".join(gateway.generate("Tell", model=name, stream=True)) == first
        return hits(gateway) > 0

    assert eventually(again)


def test_tenants_are_apart(make: Make) -> None:
    name = fresh("m")
    gateway = make(name, enable_caching=True)
    for tenant in ("acme", "other"):
        gateway.generate("What is AI?", model=name, tenant_id=tenant)
    assert hits(gateway) == 0


def test_without_it_nothing_is_kept(make: Make, stub: ProviderStub) -> None:
    name = fresh("m")
    gateway = make(name)
    for _ in range(2):
        gateway.generate("hello", model=name, temperature=0)
    assert (hits(gateway), len(stub.heard(name)), gateway.cache) == (0, 2, None)


def test_a_cache_of_ones_own(make: Make) -> None:
    own = MemoryCache(SystemClock())
    assert make(fresh("m"), enable_caching=True, cache=own).cache is own


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"cache": object()}, "cache cannot be set without enable_caching"),
        ({"cache_config": CacheConfig()}, "cache_config cannot be set without enable_caching"),
        ({"vault": object()}, "vault cannot be set without enable_caching"),
        ({"enable_caching": True, "cache_config": {"backend": "dragonfly"}}, "go together"),
        ({"enable_caching": True, "cache_config": {"dragonfly_url": "dragonfly://x"}}, "go together"),
        ({"enable_caching": True, "cache_config": DRAGONFLY}, "usage.caching.redis.redis_cache"),
        ({"enable_caching": True, "cache_config": DRAGONFLY, "cache": object()}, "redis_cache"),
        ({"enable_caching": True, "cache": redis_cache}, "needs a cache_config with a dragonfly_url"),
    ],
)
def test_what_would_have_no_effect_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        GatewayConfig(**fields)


class CountingVault(GlassVault):
    """Counts what it is given to open."""

    def __init__(self) -> None:
        self.opened = 0

    def open(self, sealed: bytes) -> bytes:
        self.opened += 1
        return super().open(sealed)


def test_gateways_share_what_is_kept_on_redis(make: Make, tmp_path: Path) -> None:
    name = fresh("m")
    with own_redis(tmp_path) as server:
        address = server.url.replace("redis:", "dragonfly:")
        told = CacheConfig(backend="dragonfly", dragonfly_url=address)
        vault = CountingVault()
        fields: dict[str, Any] = {"enable_caching": True, "cache": redis_cache, "cache_config": told}
        one, other = make(name, **fields), make(name, vault=vault, **fields)
        first = one.generate("What is AI?", model=name)

        def again() -> bool:
            assert other.generate("What is AI?", model=name).text == first.text
            return hits(other) > 0

        assert eventually(again)
        assert vault.opened > 0
        assert one.check_health().details["cache"] == {"status": "healthy"}
        server.kill()
        assert one.generate("What is AI?", model=name).text == first.text
        health = one.check_health()
        assert (health.status, health.details["cache"]) == ("degraded", {"status": "degraded"})
        one.close()
        other.close()
