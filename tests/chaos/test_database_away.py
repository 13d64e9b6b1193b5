"""PostgreSQL is away: known keys go on working, entries wait in the journal, and all of it recovers."""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.caller import Caller, fresh
from tests.support.gateway_server import GatewayServer, served_gateway
from tests.support.passage import Passage
from tests.support.prepared import migrated_database
from tests.support.raw_http import Answer, exchange, request_bytes
from tests.support.refusals import refused
from tests.support.servers import postgresql_address, redis_database
from tests.support.small_configurations import ACME, ECHO, acme_at
from tests.support.waiting import eventually
from usage.books.shards import SHARDS

pytestmark = pytest.mark.chaos

PROMPT_SECONDS = 1.0
"""An answer that a load balancer, or a caller, need not wait for."""
RECOVERED_WITHIN = 10.0
BACKLOG_AT_MOST = 1_000


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with migrated_database() as url:
        yield url


@pytest.fixture(scope="module")
def passage(database: str) -> Iterator[Passage]:
    with Passage(postgresql_address(database)) as passage:
        yield passage


@pytest.fixture(scope="module")
def gateway(database: str, passage: Passage) -> Iterator[GatewayServer]:
    known = urlsplit(database)
    user = known.username or "postgres"
    through = known._replace(netloc=f"{user}:{known.password or ''}@127.0.0.1:{passage.port}", query="")
    with (
        redis_database() as redis,
        served_gateway(
            ECHO + ACME,
            redis=redis,
            database=through.geturl(),
            migrate=False,
            webs=1,
            GATEWAY_BACKLOG_AT_MOST=str(BACKLOG_AT_MOST),
        ) as server,
    ):
        yield server


@pytest.fixture
def caller(gateway: GatewayServer) -> Caller:
    return acme_at(gateway)


def prompt(answered: Answer, began: float) -> Answer:
    assert time.monotonic() - began < PROMPT_SECONDS
    return answered


def health(gateway: GatewayServer) -> Any:
    """What readiness says, at once, and with a status that keeps this process in service."""
    began = time.monotonic()
    answer = prompt(exchange(gateway.port, request_bytes("GET", "/health/ready", {}), "GET"), began)
    assert answer.status == 200
    return answer.json()


def is_missed(gateway: GatewayServer) -> bool:
    return "database" in health(gateway).get("degraded", {})


def stranger(caller: Caller) -> Answer:
    return Caller(caller.gateway, "acme", fresh("nobody")).chat("echo")


@pytest.mark.parametrize(("take_away", "bring_back"), [("cut", "mend"), ("hold_up", "let_go")])
def test_known_keys_are_served_without_the_database(
    caller: Caller, passage: Passage, take_away: str, bring_back: str
) -> None:
    before, after = fresh("before"), fresh("after")
    assert caller.chat("echo", before).status == 200
    assert caller.entry(before).status == "settled"
    assert eventually(lambda: health(caller.gateway)["journal"]["entries"] == 0)
    getattr(passage, take_away)()
    try:
        assert eventually(lambda: is_missed(caller.gateway))
        began = time.monotonic()
        assert prompt(caller.chat("echo", after), began).status == 200
        refused(prompt(stranger(caller), began), 503, "configuration_unavailable")
        assert health(caller.gateway)["journal"]["entries"] == 1
    finally:
        getattr(passage, bring_back)()
    back = time.monotonic()
    assert eventually(lambda: not is_missed(caller.gateway))
    assert caller.entry(after).status == "settled"
    assert eventually(lambda: health(caller.gateway)["journal"]["entries"] == 0)
    refused(stranger(caller), 401, "invalid_api_key")
    assert time.monotonic() - back < RECOVERED_WITHIN
    assert eventually(caller.books_agree)


def test_a_journal_that_is_full_refuses_new_calls_until_it_is_drained(
    caller: Caller, passage: Passage
) -> None:
    """Each shard bears its share."""
    assert caller.chat("echo").status == 200
    passage.cut()
    try:
        answered = [caller.chat("echo") for _ in range(BACKLOG_AT_MOST // SHARDS + 1)]
    finally:
        passage.mend()
    assert [answer.status for answer in answered[:-2]] == [200] * (len(answered) - 2)
    refused(answered[-1], 503, "books_unavailable")
    assert eventually(lambda: caller.chat("echo").status == 200)
    assert eventually(lambda: health(caller.gateway)["journal"]["entries"] == 0)
    assert eventually(caller.books_agree)
