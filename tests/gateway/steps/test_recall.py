"""Step 4: answers that are there already, and what is kept of new ones."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.call import CacheWish
from gateway.errors import BudgetExceeded, ProviderRejected, RateLimited
from gateway.memory import GlassVault, MemoryCatalog
from gateway.principal import Policy
from tests.support.clock import FakeClock
from tests.support.engine import (
    BOUNDED,
    OTHER_TENANT,
    TENANT,
    make_account,
    make_ask,
    make_deployment,
    make_model,
    make_snapshot,
)
from tests.support.keeping import CHAT, KEEPS, Keeping, cold, ends
from tests.support.script import DONE, ROLE, USAGE, Listener, chunk, completes, fails, streams

WORDS = (ROLE, chunk(content="Hel"), chunk(content="lo"), USAGE)
NO_CACHE, NO_STORE = CacheWish(reads=False), CacheWish(reads=False, keeps=False)


async def test_the_second_answer_is_the_first_and_costs_a_request_and_nothing_else(clock: FakeClock) -> None:
    rig = Keeping(completes("hello"), clock=clock, accounts=BOUNDED)
    first, second = await rig.run(), await rig.run()
    assert (first.served.cache, second.served.cache) == ("miss", "hit")
    assert second.reply.body == first.reply.body
    assert (second.charge_nano, second.meters) == (0, first.meters)
    assert (second.served.provider, second.served.deployment) == ("alpha", "alpha/m")
    assert rig.asked == 1
    settled, cached = rig.entries
    assert (settled.status, cached.status) == ("settled", "cached")
    assert (cached.charge_nano, cached.cost_nano, cached.meters.tokens, cached.lines) == (0, 0, 0, ())
    assert (cached.deployment_id, cached.model) == (settled.deployment_id, "m")
    assert (cached.estimated, cached.attempts) == (False, ())
    assert rig.spent("requests") == 2
    rig.assert_balanced()


async def test_a_stream_is_told_again_and_its_end_follows_the_entry(clock: FakeClock) -> None:
    rig = Keeping(streams(*WORDS, DONE), clock=clock, accounts=BOUNDED)
    heard = []
    for _ in range(2):
        listener = Listener()
        outcome = await rig.gateway.run(rig.call(cold(stream=True)), listener)
        await rig.gateway.recall.drain()
        heard.append((b"".join(listener.heard), outcome.reply.body, listener.served))
    assert heard[0][:2] == heard[1][:2] == (b"".join(WORDS), DONE)
    assert [served.cache for _, _, served in heard if served is not None] == ["miss", "hit"]
    assert rig.asked == 1
    assert [entry.status for entry in rig.entries] == ["settled", "cached"]
    rig.assert_balanced()


async def test_who_leaves_while_it_is_told_again_has_an_entry_all_the_same(clock: FakeClock) -> None:
    rig = Keeping(streams(*WORDS, DONE), clock=clock, accounts=BOUNDED)
    await rig.gateway.run(rig.call(cold(stream=True)), Listener())
    await rig.gateway.recall.drain()

    class Gone(Listener):
        async def send(self, event: Any) -> None:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await rig.gateway.run(rig.call(cold(stream=True)), Gone())
    assert [entry.status for entry in rig.entries] == ["settled", "cached"]
    rig.assert_balanced()


async def test_whole_and_streamed_answers_are_apart(clock: FakeClock) -> None:
    rig = Keeping(streams(*WORDS, DONE), completes(), clock=clock)
    await rig.gateway.run(rig.call(cold(stream=True)), Listener())
    await rig.gateway.recall.drain()
    assert await rig.told() == "miss"


async def test_a_long_stream_is_told_piece_by_piece(clock: FakeClock) -> None:
    words = [chunk(content="x" * 50_000) for _ in range(5)]
    rig = Keeping(streams(ROLE, *words, USAGE, DONE), clock=clock)
    listener = Listener()
    await rig.gateway.run(rig.call(cold(stream=True)), Listener())
    await rig.gateway.recall.drain()
    await rig.gateway.run(rig.call(cold(stream=True)), listener)
    assert len(listener.heard) > 3
    assert b"".join(listener.heard) == b"".join((ROLE, *words, USAGE))


async def test_it_is_kept_as_long_as_the_policy_says(clock: FakeClock) -> None:
    rig = Keeping(completes(), clock=clock)
    await rig.run()
    clock.advance(59)
    assert await rig.told() == "hit"
    clock.advance(2)
    assert await rig.told() == "miss"


async def test_or_as_the_caller_says(clock: FakeClock) -> None:
    rig = Keeping(completes(), clock=clock)
    warm = make_ask(temperature=1)
    assert await rig.told(warm) == "bypass"
    assert await rig.told(warm, cache=CacheWish(seconds=5)) == "miss"
    assert await rig.told(warm, cache=CacheWish(seconds=5)) == "hit"
    clock.advance(6)
    assert await rig.told(warm, cache=CacheWish(seconds=5)) == "miss"


async def test_no_cache_reads_nothing_and_renews_what_is_kept(clock: FakeClock) -> None:
    rig = Keeping(completes("old"), completes("new"), clock=clock)
    await rig.run()
    assert await rig.told(cache=NO_CACHE) == "bypass"
    assert b"new" in (await rig.run()).reply.body
    assert rig.asked == 2


async def test_no_store_leaves_nothing(clock: FakeClock) -> None:
    rig = Keeping(completes(), clock=clock)
    assert await rig.told(cache=NO_STORE) == "bypass"
    assert await rig.told() == "miss"


async def test_a_tenants_answers_are_its_own(clock: FakeClock) -> None:
    alices = Keeping(completes("canary"), clock=clock)
    bobs = Keeping(completes("other"), clock=clock, cache=alices.cache, tenant_id=OTHER_TENANT)
    await alices.run()
    outcome = await bobs.run()
    assert outcome.served.cache == "miss"
    assert b"canary" not in outcome.reply.body


async def test_what_is_found_under_a_key_and_was_kept_under_another_is_nothing(clock: FakeClock) -> None:
    rig = Keeping(completes(), clock=clock)
    await rig.run()
    ((tenant, key), entry), *_ = rig.cache._entries.items()
    await rig.run(cold("other"))
    (other,) = [name for _, name in rig.cache._entries if name != key]
    await rig.cache.keep(tenant, other, entry.stored)
    assert await rig.told(cold("other")) == "miss"


async def test_limits_of_requests_refuse_a_hit_too(clock: FakeClock) -> None:
    rig = Keeping(completes(), clock=clock, accounts=[make_account("requests", 1, "minute")])
    await rig.run()
    with pytest.raises(RateLimited):
        await rig.run()
    assert len(rig.entries) == 1


async def test_a_budget_that_is_used_up_does_not_refuse_what_costs_nothing(clock: FakeClock) -> None:
    accounts = [make_account("nano", 400_000), make_account("tokens", 250, "day"), make_account("requests")]
    rig = Keeping(completes(prompt=150, completion=100), clock=clock, accounts=accounts)
    await rig.run()
    assert await rig.told() == "hit"
    with pytest.raises((BudgetExceeded, RateLimited)):
        await rig.run(cold("another"))
    rig.assert_balanced()


@pytest.mark.parametrize("reason", ["content_filter", "error"])
async def test_what_was_filtered_is_asked_again(clock: FakeClock, reason: str) -> None:
    rig = Keeping(ends(reason), ends("stop"), clock=clock)
    assert [await rig.told() for _ in range(3)] == ["miss", "miss", "hit"]


async def test_a_model_may_talk_of_filters(clock: FakeClock) -> None:
    rig = Keeping(completes('{"finish_reason": "content_filter"}'), clock=clock)
    assert [await rig.told() for _ in range(2)] == ["miss", "hit"]


async def test_a_failure_is_not_kept(clock: FakeClock) -> None:
    rig = Keeping(fails(ProviderRejected()), completes(), clock=clock)
    with pytest.raises(ProviderRejected):
        await rig.run()
    assert await rig.told() == "miss"


async def test_a_stream_that_was_cut_is_not_kept(clock: FakeClock) -> None:
    rig = Keeping(streams(*WORDS), streams(*WORDS, DONE), clock=clock)
    with pytest.raises(Exception, match=r".*"):
        await rig.gateway.run(rig.call(cold(stream=True)), Listener())
    await rig.gateway.recall.drain()
    listener = Listener()
    await rig.gateway.run(rig.call(cold(stream=True)), listener)
    assert listener.served is not None
    assert listener.served.cache == "miss"


async def test_the_answer_of_another_model_is_not_this_ones(clock: FakeClock) -> None:
    models = [make_model(fallbacks={"any": ("spare",)}), make_model(make_deployment("beta"), name="spare")]
    rig = Keeping(fails(ProviderRejected()), completes(), clock=clock, models=models)
    rig.script.acts[0] = ends("stop")
    await rig.run()
    assert rig.asked == 1


async def test_an_answer_that_was_cut_to_a_budget_is_not_the_whole_ones(clock: FakeClock) -> None:
    policy = replace(KEEPS, over_budget="clamp")
    rig = Keeping(completes(), clock=clock, accounts=[make_account("nano", 150_000)], policy=policy)
    await rig.run(cold(max_tokens=90))
    assert b'"max_tokens":90' not in rig.script.requests[0].body
    assert (await rig.cache.status(TENANT)).entries == 0


async def test_a_long_answer_is_not_kept(clock: FakeClock) -> None:
    rig = Keeping(completes("x" * 2_000), clock=clock)
    rig.gateway.recall.answer_at_most = 1_000
    assert [await rig.told() for _ in range(2)] == ["miss", "miss"]


async def test_what_is_kept_cannot_be_read_where_it_is_kept(clock: FakeClock) -> None:
    class Mirrored(GlassVault):
        def seal(self, plain: bytes) -> bytes:
            return bytes(byte ^ 255 for byte in plain)

        def open(self, sealed: bytes) -> bytes:
            return bytes(byte ^ 255 for byte in sealed)

    rig = Keeping(completes("canary"), clock=clock)
    rig.gateway.recall._vault = Mirrored()
    await rig.run(replace(cold("secret"), end_user="alice"))
    ((_, key), entry), *_ = rig.cache._entries.items()
    told = entry.stored.answer + entry.stored.label + key.encode()
    assert not [word for word in (b"canary", b"secret", b"alice") if word in told]
    assert (await rig.run(cold("secret"))).reply.body.count(b"canary") == 1


async def test_an_answer_that_cannot_be_opened_is_asked_again(clock: FakeClock) -> None:
    rig = Keeping(completes(), clock=clock)
    await rig.run()
    ((tenant, key), entry), *_ = rig.cache._entries.items()
    await rig.cache.keep(tenant, key, replace(entry.stored, answer=b"damaged"))
    assert await rig.told() == "miss"


async def test_an_answer_that_was_opened_before_is_none_under_another_key(clock: FakeClock) -> None:
    rig = Keeping(completes(), clock=clock)
    await rig.run(cold("one"))
    assert (await rig.run(cold("one"))).served.cache == "hit"
    ((tenant, key), entry), *_ = rig.cache._entries.items()
    await rig.run(cold("two"))
    await rig.gateway.recall.drain()
    (other,) = [name for _, name in rig.cache._entries if name != key]
    await rig.cache.keep(tenant, other, entry.stored)
    assert (await rig.run(cold("two"))).served.cache == "miss"


async def test_a_call_with_an_idempotency_key_has_no_part_in_it(clock: FakeClock) -> None:
    rig = Keeping(completes(), clock=clock)
    assert await rig.told(idempotency_key="once") == "bypass"
    assert await rig.told() == "miss"


async def test_an_alias_finds_what_the_model_said(clock: FakeClock) -> None:
    rig = Keeping(completes(), clock=clock)
    rig.gateway.catalog = MemoryCatalog(make_snapshot(CHAT, aliases={"small": "m"}))
    await rig.run()
    assert await rig.told(replace(cold(), model="small")) == "hit"


async def test_a_policy_that_keeps_nothing_keeps_nothing(clock: FakeClock) -> None:
    rig = Keeping(completes(), clock=clock, policy=Policy(cache="off"))
    assert [await rig.told(cache=CacheWish(seconds=60)) for _ in range(2)] == ["bypass", "bypass"]
