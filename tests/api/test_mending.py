"""A mending that somebody asks for reaches ledger and budget of a running gateway within seconds."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from tenants.money import NANO, text_of
from tests.api.conftest import Calling, Serving
from tests.support.caller import Caller, fresh
from tests.support.gateway_server import GatewayServer, Row
from tests.support.small_configurations import ACME, ECHO, acme_at
from tests.support.waiting import eventually

_WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@pytest.fixture
def caller(calling: Calling) -> Caller:
    return calling("mended")


def charged(caller: Caller) -> Row:
    """The entry of a call that was just made."""
    request = fresh("req")
    assert caller.chat("echo", request).status == 200
    return caller.entry(request)


def correct(caller: Caller, entry: Row, nano: int, *arguments: str) -> str:
    """Ask for a mending of the charge, and wait for nothing."""
    amount = ("--charge", text_of(nano, NANO))
    return caller.gateway.manage("correct", entry.id, *amount, *arguments, "--reason", "billed twice")


def mended(caller: Caller, entry: Row, times: int) -> list[Row]:
    """The entry and its mendings, once there are so many of them, and the books agree with themselves."""
    rows = eventually(lambda: len(of(caller, entry)) > times and of(caller, entry), within=20)
    assert eventually(caller.books_agree), (rows, caller.gateway.spent("nano", caller.tenant))
    return of(caller, entry)


def of(caller: Caller, entry: Row) -> list[Row]:
    return caller.gateway.ledger(tenant=caller.tenant, request=entry.request_id)


@contextmanager
def held_up(gateway: GatewayServer, entry: Row, waiting: int) -> Iterator[None]:
    """On a server nobody gets at the entry until so many wait for it; a file lets in one by one anyway."""
    url = gateway.environment.get("DATABASE_URL")
    if url is None:
        yield
        return
    with psycopg.connect(url) as holder, psycopg.connect(url, autocommit=True) as onlooker:
        holder.execute("SELECT FROM usage_ledgerentry WHERE id = %s FOR UPDATE", [entry.id])
        yield
        assert eventually(lambda: onlooker.execute(_WAITING).fetchone() == (waiting,), within=40)


def test_ledger_and_budget_are_mended(caller: Caller) -> None:
    entry = charged(caller)
    correct(caller, entry, -entry.charge_nano, "--kind", "refund", "--cost", "-0.000000001")
    first, second = mended(caller, entry, 1)
    assert first == entry
    assert (second.status, second.corrects, second.meters) == ("refunded", entry.id, {})
    assert (second.charge_nano, second.cost_nano) == (-entry.charge_nano, -1)
    printed = caller.gateway.manage("ledger", "--request", entry.request_id)
    told = [json.loads(line) for line in printed.splitlines()]
    assert [line["corrects"] and line["corrects"].replace("-", "") for line in told] == [None, entry.id]


def test_of_refunds_at_once_no_more_is_given_back_than_was_charged(caller: Caller) -> None:
    entry = charged(caller)
    part = -(entry.charge_nano * 2 // 5)

    def refund() -> str:
        try:
            return correct(caller, entry, part, "--kind", "refund")
        except AssertionError as refused:
            return str(refused)

    with ThreadPoolExecutor(4) as pool, held_up(caller.gateway, entry, 4):
        refunds = [pool.submit(refund) for _ in range(4)]
    told = [one.result() for one in refunds]
    assert sum("within seconds" in one for one in told) == 2
    assert sum("are left of the entry's charge" in one for one in told) == 2
    assert [row.charge_nano for row in mended(caller, entry, 2)] == [entry.charge_nano, part, part]


def test_a_mending_counts_against_the_budget_and_is_no_request(caller: Caller) -> None:
    entry = charged(caller)
    before = caller.gateway.spent("requests", caller.tenant), caller.gateway.spent("nano", caller.tenant)
    correct(caller, entry, 5 * NANO, "--kind", "correction")
    mended(caller, entry, 1)
    after = caller.gateway.spent("requests", caller.tenant), caller.gateway.spent("nano", caller.tenant)
    assert after == (before[0], before[1] + 5 * NANO)


def test_what_is_asked_for_while_nothing_runs_is_done_at_the_next_start(serving: Serving) -> None:
    with serving(ECHO + ACME) as server:
        caller = acme_at(server)
        entry = charged(caller)
        server.stop()
        correct(caller, entry, -1, "--kind", "credit")
        server.start()
        assert [row.charge_nano for row in mended(caller, entry, 1)] == [entry.charge_nano, -1]
