"""The gateway's own thread: when it begins, what it does for other loops, how it ends."""

import asyncio
import gc
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from gateway.sdk.background import GatewayClosed
from gateway.sdk.gateway import FeatureOff
from gateway.sdk.sums import Sums
from tests.gateway.sdk.conftest import Make
from tests.support.caller import fresh
from tests.support.engine import make_entry
from tests.support.provider_scripts import completion, replies, streams
from tests.support.provider_stub import ProviderStub


def own_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "gateway"]


def test_the_thread_begins_with_the_first_call_and_ends_with_the_gateway(make: Make) -> None:
    name = fresh("m")
    with make(name) as gateway:
        assert own_threads() == []
        gateway.generate("hello", model=name)
        assert len(own_threads()) == 1
    assert own_threads() == []
    gateway.close()


def test_a_gateway_that_nobody_has_any_more_ends_its_thread(make: Make) -> None:
    name = fresh("m")
    gateway = make(name)
    gateway.generate("hello", model=name)
    (thread,) = own_threads()
    del gateway
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()


async def test_waiting_methods_work_within_a_running_loop(make: Make) -> None:
    name = fresh("m")
    assert make(name).generate("hello", model=name).text


def test_one_gateway_serves_one_loop_after_the_other(make: Make) -> None:
    name = fresh("m")
    gateway = make(name)
    for _ in range(3):
        assert asyncio.run(gateway.generate_async("hello", model=name)).text


def test_loops_in_several_threads_share_a_gateway(make: Make) -> None:
    name = fresh("m")
    gateway = make(name)

    def call(_: int) -> str:
        return asyncio.run(gateway.generate_async("hello", model=name)).text

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(call, range(12))) == {"Hello wide world"}


def test_who_is_interrupted_while_waiting_ends_the_call(
    make: Make, stub: ProviderStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = fresh("m")
    stub.script(name, replies(completion(), gated=True))
    gateway = make(name)

    def interrupt(future: Future[object], timeout: float | None = None) -> object:
        if threading.current_thread() is threading.main_thread() and not future.done():
            assert stub.wait_for(lambda: bool(stub.heard(name)))
            raise KeyboardInterrupt
        return result(future, timeout)

    gateway._background.wait(gateway._engine.standing, "")
    result = Future.result
    monkeypatch.setattr(Future, "result", interrupt)
    with pytest.raises(KeyboardInterrupt):
        gateway.generate("hello", model=name)
    monkeypatch.undo()
    assert stub.wait_for(lambda: stub.heard(name)[0].left)


def test_closing_ends_what_is_under_way_and_counts_it(make: Make, stub: ProviderStub) -> None:
    name = fresh("m")
    stub.script(name, replies(completion(), gated=True))
    gateway = make(name)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(gateway.generate, "hello", name)
        assert stub.wait_for(lambda: bool(stub.heard(name)))
        gateway.close()
        with pytest.raises(GatewayClosed):
            call.result(10)
    assert gateway.get_usage_stats()["total_requests"] == 1
    assert stub.wait_for(lambda: stub.heard(name)[0].left)


async def test_closing_ends_a_stream(make: Make, stub: ProviderStub) -> None:
    name = fresh("m")
    stub.script(name, streams(gated=True))
    stub.gate(name).open()
    gateway = make(name)
    heard = gateway.generate_stream("hello", model=name)
    assert await anext(heard)
    waiting = asyncio.create_task(anext(heard))
    await asyncio.sleep(0)
    gateway.close()
    with pytest.raises(GatewayClosed):
        await waiting


def test_a_closed_gateway_says_so(make: Make) -> None:
    gateway = make(fresh("m"))
    gateway.close()
    with pytest.raises(GatewayClosed):
        gateway.generate("hello")
    assert gateway.check_health().status == "unhealthy"


def test_sums_are_told_by_tenant_and_for_all(make: Make) -> None:
    name = fresh("m")
    gateway = make(name)
    for tenant in ("alice", "alice", "bob"):
        gateway.generate("hello", model=name, tenant_id=tenant)
    assert gateway.get_usage_stats("alice") | {"total_cost": 0} == {
        "total_requests": 2,
        "failed_requests": 0,
        "cached_requests": 0,
        "unpriced_requests": 2,
        "total_tokens": 36,
        "prompt_tokens": 22,
        "completion_tokens": 14,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "total_cost": 0,
    }
    assert gateway.get_usage_stats()["total_requests"] == 3
    assert gateway.get_usage_stats("charlie")["total_requests"] == 0


def test_no_entry_is_kept_once_it_is_summed_up(make: Make) -> None:
    name = fresh("m")
    gateway = make(name, rate_limit_config={"requests_per_minute": 100})
    for number in range(10):
        gateway.generate("hello", model=name, tenant_id=f"tenant-{number}")
    books = gateway._engine.books._books
    assert (len(books.entries), len(books.tally.holds)) == (0, 0)


def test_sums_of_who_has_not_called_for_longest_give_way() -> None:
    sums = Sums(tenants_at_most=2)
    sums.add(make_entry(7, tenant=tenant) for tenant in ("alice", "bob", "alice", "charlie"))
    requests = [sums.told(tenant)["total_requests"] for tenant in ("alice", "bob", "charlie", None)]
    assert requests == [2, 0, 1, 4]


def test_what_is_switched_off_is_not_told(make: Make) -> None:
    gateway = make(fresh("m"), enable_llmops=False, enable_health_monitoring=False)
    with pytest.raises(FeatureOff):
        gateway.get_usage_stats()
    with pytest.raises(FeatureOff):
        gateway.check_health()
    assert (gateway.llmops, gateway.health_check) == (None, None)
