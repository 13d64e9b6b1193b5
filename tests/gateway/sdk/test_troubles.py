"""Limits, failing providers and patience, as a script meets them."""

from threading import Barrier, Thread
from time import monotonic
from typing import Any

import pytest

from gateway.errors import ConcurrencyLimited, DeadlinePassed, NoProvider, ProviderError, RateLimited
from gateway.sdk.models import MissingKey
from tests.gateway.sdk.conftest import Make, entry
from tests.support.caller import fresh
from tests.support.ports import free_port
from tests.support.provider_scripts import completion, fails, fall_silent, replies
from tests.support.provider_stub import ProviderStub


@pytest.mark.parametrize("window", ["minute", "hour", "day"])
def test_each_tenant_has_its_own_limit_of_requests(make: Make, window: str) -> None:
    name = fresh("m")
    gateway = make(name, rate_limit_config={f"requests_per_{window}": 2})
    for _ in range(2):
        gateway.generate("hello", model=name, tenant_id="alice")
    with pytest.raises(RateLimited) as caught:
        gateway.generate("hello", model=name, tenant_id="alice")
    assert caught.value.status == 429
    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after <= 86_400
    assert gateway.generate("hello", model=name, tenant_id="bob").text
    assert gateway.get_usage_stats("alice")["total_requests"] == 2


def test_calls_that_name_no_tenant_share_one_limit(make: Make) -> None:
    name = fresh("m")
    gateway = make(name, rate_limit_config={"requests_per_minute": 1})
    gateway.generate("hello", model=name)
    with pytest.raises(RateLimited):
        gateway.generate("hello", model=name)


def test_tokens_are_limited_by_the_most_that_a_call_can_take(make: Make, stub: ProviderStub) -> None:
    name = fresh("m")
    gateway = make(name, rate_limit_config={"tokens_per_minute": 200})
    with pytest.raises(RateLimited):
        gateway.generate("hello", model=name, max_tokens=500)
    assert stub.heard(name) == []
    assert gateway.generate("hello", model=name, max_tokens=5).text


def test_places_are_free_again_after_a_call(make: Make, stub: ProviderStub) -> None:
    name = fresh("m")
    stub.script(name, replies(completion(), gated=True))
    gateway = make(name, rate_limit_config={"concurrent_requests": 1})
    first = Thread(target=gateway.generate, args=("hello", name))
    first.start()
    assert stub.wait_for(lambda: bool(stub.heard(name)))
    with pytest.raises(ConcurrencyLimited):
        gateway.generate("hello", model=name)
    stub.gate(name).open(2)
    first.join(10)
    assert gateway.generate("hello", model=name).text


def test_limits_that_are_switched_off_limit_nothing(make: Make) -> None:
    name = fresh("m")
    gateway = make(name, enable_rate_limiting=False, rate_limit_config={"requests_per_minute": 1})
    assert [gateway.generate("hello", model=name).text for _ in range(3)]
    assert gateway.rate_limiters is None


def test_how_far_a_limit_is_used_can_be_looked_at(make: Make) -> None:
    name = fresh("m")
    gateway = make(name, rate_limit_config={"requests_per_minute": 3})
    gateway.generate("hello", model=name, tenant_id="alice")
    assert gateway.rate_limiters is not None
    (limit,) = gateway.rate_limiters["alice"]
    assert limit == {"unit": "requests", "window": "minute", "limit": 3, "used": 1, "remaining": 2}


@pytest.mark.parametrize("listed", [True, False], ids=["listed", "only named"])
def test_a_fallback_answers_and_is_named(make: Make, stub: ProviderStub, listed: bool) -> None:
    name, spare = fresh("m"), fresh("gpt-3.5")
    stub.script(name, fails(500))
    gateway = make(*([name, spare] if listed else [name]), fallbacks=[spare], max_retries=1)
    assert gateway.generate("hello", model=name).model == spare


def test_fallbacks_may_be_for_one_model_only(make: Make, stub: ProviderStub) -> None:
    ill, other, spare = fresh("m"), fresh("m"), fresh("m")
    stub.script(ill, fails(500))
    stub.script(other, fails(500))
    gateway = make(ill, other, spare, fallbacks=[{ill: [spare]}], max_retries=1)
    assert gateway.generate("hello", model=ill).model == spare
    with pytest.raises(ProviderError):
        gateway.generate("hello", model=other)


@pytest.mark.parametrize("attempts", [1, 3])
def test_max_retries_are_attempts_in_all(make: Make, stub: ProviderStub, attempts: int) -> None:
    name = fresh("m")
    stub.script(name, fails(500))
    with pytest.raises(ProviderError):
        make(name, max_retries=attempts).generate("hello", model=name)
    assert len(stub.heard(name)) == attempts


def test_entries_of_one_name_are_one_model(make: Make, stub: ProviderStub) -> None:
    name, first, second = fresh("m"), fresh("first"), fresh("second")
    stub.script(first, fails(500))
    listed = [
        entry(stub, name, model=f"openai/{second}", order=1),
        entry(stub, name, model=f"openai/{first}"),
    ]
    assert make(model_list=listed, max_retries=1).generate("hello", model=name).model == name
    assert (len(stub.heard(first)), len(stub.heard(second))) == (1, 1)


def test_a_silent_provider_is_given_its_timeout(make: Make, stub: ProviderStub) -> None:
    name, spare = fresh("m"), fresh("m")
    stub.script(name, fall_silent)
    gateway = make(name, spare, timeout=0.4, fallbacks=[spare], max_retries=1)
    began = monotonic()
    assert gateway.generate("hello", model=name).model == spare
    assert 0.4 <= monotonic() - began < 5


def test_a_call_may_have_less_time_than_the_gateway_gives(make: Make, stub: ProviderStub) -> None:
    name = fresh("m")
    stub.script(name, fall_silent)
    with pytest.raises(DeadlinePassed) as caught:
        make(name).generate("hello", model=name, timeout=0.2)
    assert caught.value.status == 504


def test_a_breaker_opens_as_configured_and_health_tells(make: Make, stub: ProviderStub) -> None:
    name, well = fresh("m"), fresh("m")
    stub.script(name, fails(500))
    breaker = {"failure_threshold": 2, "recovery_timeout": 60.0}
    gateway = make(name, well, circuit_breaker_config=breaker, max_retries=1)
    assert gateway.check_health().status == "healthy"
    gateway.generate("hello", model=well)
    for _ in range(2):
        with pytest.raises(ProviderError):
            gateway.generate("hello", model=name)
    with pytest.raises(NoProvider):
        gateway.generate("hello", model=name)
    assert len(stub.heard(name)) == 2
    assert gateway.circuit_breaker is not None
    assert gateway.circuit_breaker.state == "open"
    health = gateway.check_health()
    assert health.status == "degraded"
    assert health.details["circuit_breaker"]["states"] == {
        f"openai/{well}": "closed",
        f"openai/{name}": "open",
    }


def test_a_breaker_lets_a_probe_through_after_its_rest(make: Make, stub: ProviderStub) -> None:
    name = fresh("m")
    stub.script(name, fails(500), replies(completion()))
    breaker = {"failure_threshold": 1, "recovery_timeout": 0.000_001}
    gateway = make(name, circuit_breaker_config=breaker, max_retries=1)
    with pytest.raises(ProviderError):
        gateway.generate("hello", model=name)
    assert gateway.generate("hello", model=name).text
    assert gateway.circuit_breaker is not None
    assert gateway.circuit_breaker.state == "closed"


def test_without_a_breaker_every_call_is_made(make: Make, stub: ProviderStub) -> None:
    name = fresh("m")
    stub.script(name, fails(500))
    gateway = make(name, enable_circuit_breaker=False, max_retries=1)
    for _ in range(8):
        with pytest.raises(ProviderError):
            gateway.generate("hello", model=name)
    assert len(stub.heard(name)) == 8
    assert gateway.circuit_breaker is None


def test_hosts_of_one_kind_have_breakers_of_their_own(make: Make, stub: ProviderStub) -> None:
    name = fresh("m")
    gone = f"http://127.0.0.1:{free_port()}/v1"
    listed: list[dict[str, Any]] = [
        entry(stub, name, api_base=gone),
        {**entry(stub, name), "model_name": f"{name}-well"},
    ]
    gateway = make(model_list=listed, circuit_breaker_config={"failure_threshold": 1}, max_retries=1)
    with pytest.raises(ProviderError):
        gateway.generate("hello", model=name)
    assert gateway.generate("hello", model=f"{name}-well").text


def test_a_model_without_its_key_is_told_and_the_others_answer(
    make: Make, stub: ProviderStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    name = fresh("m")
    keyless = {"model_name": "keyless", "litellm_params": {"model": "openai/gpt-4"}}
    gateway = make(model_list=[entry(stub, name), keyless])
    with pytest.raises(MissingKey, match="OPENAI_API_KEY"):
        gateway.generate("hello", model="keyless")
    assert gateway.generate("hello", model=name).text
    health = gateway.check_health()
    assert health.status == "degraded"
    assert list(health.details["router"]["missing_keys"]) == ["keyless"]


def test_many_threads_call_at_once_and_every_call_is_counted(make: Make) -> None:
    name = fresh("m")
    gateway = make(name, rate_limit_config={"requests_per_minute": 60})
    start, answers = Barrier(8), []

    def call() -> None:
        start.wait(10)
        for _ in range(10):
            try:
                answers.append(gateway.generate("hello", model=name, tenant_id="alice").text)
            except RateLimited:
                answers.append("")

    threads = [Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (len(answers), answers.count("Hello wide world")) == (80, 60)
    assert gateway.get_usage_stats("alice")["total_requests"] == 60
