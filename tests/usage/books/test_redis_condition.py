"""What is told of a Redis that should not be relied on."""

import pytest

from gateway.errors import BooksAway
from tests.support.redis_server import OwnRedis
from tests.usage.books.conftest import Open
from tests.usage.books.shops import make_ready
from usage.books.redis_condition import Condition


async def test_of_a_server_as_it_should_be_nothing_is_told(server: OwnRedis, opened: Open) -> None:
    books = await opened(server.url)
    await make_ready(books)
    assert await books.condition() == Condition()


async def test_a_server_that_evicts_keys_is_wrong(server: OwnRedis, opened: Open) -> None:
    books = await opened(server.url)
    await make_ready(books)
    server.client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        (wrong,) = (await books.condition()).wrong
    finally:
        server.client.config_set("maxmemory-policy", "noeviction")
    assert "allkeys-lru" in wrong


async def test_a_server_that_writes_nothing_to_disk_is_doubtful(server: OwnRedis, opened: Open) -> None:
    books = await opened(server.url)
    await make_ready(books)
    server.client.config_set("appendonly", "no")
    try:
        condition = await books.condition()
    finally:
        server.client.config_set("appendonly", "yes")
    assert (condition.wrong, len(condition.doubtful)) == ((), 1)


async def test_shards_that_are_not_in_service_are_wrong(server: OwnRedis, opened: Open) -> None:
    books = await opened(server.url, rebuild_ms=3_000)
    assert (await books.condition()).wrong == ("lost: 16 of 16 shards",)


async def test_a_server_that_is_away_is_told_as_such(opened: Open) -> None:
    books = await opened("redis://127.0.0.1:1")
    with pytest.raises(BooksAway):
        await books.condition()
