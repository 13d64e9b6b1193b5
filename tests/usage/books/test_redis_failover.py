"""A replica takes over that did not hear the last writes, or a snapshot does that is older than they."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from redis import Redis

from gateway.accounts import Hold
from gateway.errors import BooksAway
from tests.support.clock import FakeClock
from tests.support.engine import make_hold
from tests.support.processes import frozen
from tests.support.redis_server import OwnRedis, own_redis
from tests.usage.books.conftest import Open
from tests.usage.books.losses import BUDGET, SHARD, STATE, TOTAL, grant, granted, pass_time, settlement
from tests.usage.books.proxy import Proxy, proxied
from tests.usage.books.shops import Ledger, RedisShop, counted, make_ready
from usage.books.redis import RedisBooks
from usage.books.redis_recovery import Spent
from usage.books.shards import LINE, journal_key


class Cluster:
    """A master, a replica, and an address that leads to one of them."""

    def __init__(self, master: OwnRedis, replica: OwnRedis, proxy: Proxy, clock: FakeClock) -> None:
        self.master, self.replica, self.proxy, self.clock = master, replica, proxy, clock
        self.url = f"redis://127.0.0.1:{proxy.port}"

    def cut_off(self) -> None:
        """From here on the replica hears nothing."""
        self.replica.catch_up(self.master)
        self.replica.promote()

    def fail_over(self) -> None:
        """The address leads to the replica."""
        self.proxy.target = self.replica.port
        self.proxy.cut()

    async def pass_time(self, *processes: RedisBooks, seconds: int = 6) -> None:
        """Every process looks once a second."""
        await pass_time(self.clock, *processes, seconds=seconds)


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    """Another server."""
    with own_redis(tmp_path_factory.mktemp("replica"), "--repl-diskless-sync-delay", "0") as server:
        yield server


@pytest.fixture
async def cluster(server: OwnRedis, replica: OwnRedis, clock: FakeClock) -> AsyncIterator[Cluster]:
    """Both of them, the replica level with the master."""
    server.client.config_set("repl-diskless-sync-delay", "0")
    await asyncio.to_thread(replica.follow, server)
    async with proxied(server.port) as proxy:
        yield Cluster(server, replica, proxy, clock)
    for one in (server, replica):
        one.promote()


async def _process(cluster: Cluster, opened: Open) -> RedisBooks:
    books = await opened(cluster.url, rebuild_ms=3_000)
    await cluster.pass_time(books)
    await make_ready(books)
    return books


def _after(cluster: Cluster, books: RedisBooks) -> RedisShop:
    return RedisShop(books, cluster.replica.client, cluster.clock)


async def test_what_the_replica_did_not_hear_is_brought_back(cluster: Cluster, opened: Open) -> None:
    alice, bob = await _process(cluster, opened), await _process(cluster, opened)
    early = await grant(alice, 200)
    cluster.cut_off()
    late = await grant(alice, 300)
    await alice.post([settlement(early, 150)])
    done = await grant(bob, 250)
    await bob.post([settlement(done, 240)])
    cluster.fail_over()
    await cluster.pass_time(alice, bob)
    shop = _after(cluster, alice)
    assert counted(shop, BUDGET) == (390, 300)
    assert await granted(bob, 311, 310) == 310
    await alice.post([settlement(late, 100), settlement(early, 150)])
    await bob.post([settlement(done, 240)])
    assert counted(shop, BUDGET) == (490, 310)
    assert sorted(row[2] for row in shop.lines()) == [100, 150, 240]


async def test_what_a_replica_did_not_hear_is_counted_again_though_the_ledger_has_it(
    cluster: Cluster, opened: Open, ledger: Ledger
) -> None:
    """Nor does it matter that somebody else's line has waited in the journal for long."""
    alice = await _process(cluster, opened)
    cluster.master.client.xadd(journal_key(SHARD), {LINE: b"old"}, id="1-1")
    await grant(alice, 10)
    cluster.cut_off()
    done = await grant(alice, 250)
    await alice.post([settlement(done, 240)])
    ledger.known.add(done.id)
    cluster.fail_over()
    await cluster.pass_time(alice)
    assert counted(_after(cluster, alice), BUDGET) == (240, 10)


async def test_nobody_may_spend_before_the_others_were_heard(cluster: Cluster, opened: Open) -> None:
    alice, bob = await _process(cluster, opened), await _process(cluster, opened)
    cluster.cut_off()
    await grant(alice, 900)
    cluster.fail_over()
    with suppress(BooksAway):
        await bob.tend()  # his connection is broken
    given = [await granted(bob, 200) for _ in range(20)]  # more calls than the replica did not hear
    await cluster.pass_time(bob, seconds=2)
    given.append(await granted(bob, 200))
    await cluster.pass_time(alice, bob)
    given.append(await granted(bob, 200, 100))
    assert given == [0] * 21 + [100]
    assert counted(_after(cluster, alice), BUDGET) == (0, 1_000)


async def test_a_process_that_slept_through_it_brings_back_its_own(cluster: Cluster, opened: Open) -> None:
    alice, bob = await _process(cluster, opened), await _process(cluster, opened)
    cluster.cut_off()
    hold = await grant(alice, 300)
    cluster.fail_over()
    await cluster.pass_time(bob, seconds=8)
    assert await granted(bob, 100) == 100
    await cluster.pass_time(alice, bob)
    await alice.post([settlement(hold, 250)])
    assert counted(_after(cluster, alice), BUDGET) == (250, 100)


async def test_what_was_drained_a_moment_before_is_brought_back_to_the_counters(
    cluster: Cluster, opened: Open, ledger: Ledger
) -> None:
    alice = await _process(cluster, opened)
    hold = await grant(alice, 400)
    cluster.cut_off()
    await alice.post([settlement(hold, 400)])
    _drain(cluster.master)
    ledger.known = {hold.id}
    await cluster.pass_time(alice, seconds=3)
    cluster.fail_over()
    await cluster.pass_time(alice)
    assert counted(_after(cluster, alice), BUDGET) == (400, 0)


async def test_a_replica_that_is_far_behind_is_summed_anew(
    cluster: Cluster, opened: Open, ledger: Ledger
) -> None:
    alice = await _process(cluster, opened)
    cluster.cut_off()
    hold = await grant(alice, 400)
    await alice.post([settlement(hold, 350)])
    _drain(cluster.master)
    await cluster.pass_time(alice, seconds=30)
    await alice.sweep()
    ledger.known, ledger.spent[SHARD] = {hold.id}, [Spent(BUDGET.id, *TOTAL, 350)]
    cluster.fail_over()
    await cluster.pass_time(alice)
    assert counted(_after(cluster, alice), BUDGET) == (350, 0)
    assert await granted(alice, 651, 650) == 650


async def test_what_is_not_brought_back_yet_is_not_safe_whatever_is_drained(
    cluster: Cluster, opened: Open
) -> None:
    alice, bob = await _process(cluster, opened), await _process(cluster, opened)
    cluster.cut_off()
    hold = await grant(alice, 400)
    await alice.post([settlement(hold, 350)])
    cluster.fail_over()
    await cluster.pass_time(bob, seconds=12)
    cluster.replica.client.hset(STATE, "drained", "9999999999999-0")
    for _ in range(20):
        await bob.sweep()  # he writes more than was lost
    with suppress(BooksAway):
        await alice.sweep()  # her connection is broken
    await grant(alice, 1)
    await cluster.pass_time(alice)
    assert counted(_after(cluster, alice), BUDGET) == (350, 1)


async def test_a_master_that_was_demoted_is_left(cluster: Cluster, opened: Open) -> None:
    alice = await _process(cluster, opened)
    cluster.cut_off()
    await asyncio.to_thread(cluster.master.follow, cluster.replica)
    cluster.proxy.target = cluster.replica.port  # while her connection stands
    assert await granted(alice, 1) == 0
    await cluster.pass_time(alice)
    assert await granted(alice, 1) == 1


async def test_a_correction_is_made_once_whatever_was_forgotten(cluster: Cluster, opened: Open) -> None:
    alice = await _process(cluster, opened)
    hold = await grant(alice, 400)
    cluster.clock.advance(61)
    assert await alice.sweep() == 1
    cluster.cut_off()
    await alice.post([settlement(hold, 100)])
    before = RedisShop(alice, cluster.master.client, cluster.clock)
    assert counted(before, BUDGET) == (100, 0)
    cluster.fail_over()
    await cluster.pass_time(alice)
    after = _after(cluster, alice)
    assert counted(after, BUDGET) == (100, 0)
    assert before.lines() == after.lines()


async def test_a_number_that_went_back_is_noticed_on_the_same_server_too(
    server: OwnRedis, opened: Open, clock: FakeClock
) -> None:
    books = await opened(server.url)
    await make_ready(books)
    client = server.client
    snapshot = _snapshot(client)
    await grant(books, 700)
    _go_back(client, snapshot)
    assert await granted(books, 301) == 0
    await make_ready(books)
    assert await granted(books, 301, 300) == 300
    assert counted(RedisShop(books, client, clock), BUDGET) == (0, 1_000)


@pytest.mark.parametrize("seed", range(8))
async def test_no_budget_allows_more_than_before(seed: int, cluster: Cluster, opened: Open) -> None:
    random = Random(seed)
    processes = [await _process(cluster, opened) for _ in range(2)]
    holds: list[tuple[RedisBooks, Hold]] = []
    charged = 0
    for step in range(40):
        if step == 20:
            cluster.cut_off()
        books = random.choice(processes)
        if holds and random.random() < 0.4:
            owner, hold = holds.pop(random.randrange(len(holds)))
            charge = random.randint(0, hold.amounts.nano)
            await owner.post([settlement(hold, charge)])
            charged += charge
        else:
            hold = make_hold(BUDGET, nano=random.randint(1, 120))
            (verdict,) = await books.post([hold])
            holds += [(books, hold)] if verdict.refusal is None else []
    cluster.fail_over()
    refused = [await granted(books, 1) for books in processes]
    await cluster.pass_time(*random.sample(processes, 2))
    assert refused == [0, 0]
    shop = _after(cluster, processes[0])
    assert counted(shop, BUDGET) == (charged, sum(hold.amounts.nano for _, hold in holds))
    for owner, hold in holds:
        await owner.post([settlement(hold, 1)])
    assert counted(shop, BUDGET) == (charged + len(holds), 0)
    assert sum(row[2] for row in await shop.rows()) == charged + len(holds)


def _drain(server: OwnRedis) -> None:
    """Move the mark, as the drainer does."""
    with server.client as client:
        last = client.xinfo_stream(journal_key(SHARD))["last-generated-id"]
        client.hset(STATE, "drained", last)


def _snapshot(client: Redis) -> dict[Any, bytes]:
    return {key: client.dump(key) or b"" for key in client.scan_iter()}


def _go_back(client: Redis, snapshot: dict[Any, bytes]) -> None:
    client.flushall()
    for key, value in snapshot.items():
        client.restore(key, 0, value)


async def test_with_replicas_asked_for_nothing_counts_that_they_did_not_hear(
    cluster: Cluster, opened: Open
) -> None:
    books = await opened(cluster.url, replicas=1, reply_timeout=2.0)
    await make_ready(books)
    assert await granted(books, 200) == 200
    assert (await books.condition()).wrong == ()
    hold = make_hold(BUDGET, nano=300)
    with frozen(cluster.replica.pid), pytest.raises(BooksAway):
        await books.post([hold])
    cluster.replica.catch_up(cluster.master)
    assert not (await books.post([hold]))[0].failed
    assert counted(RedisShop(books, cluster.master.client, cluster.clock), BUDGET) == (0, 500)
    cluster.cut_off()
    assert "0 replicas follow, and 1 have to hear of every call" in (await books.condition()).wrong
