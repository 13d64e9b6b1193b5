"""SIGKILL in the middle of two hundred calls: after the next start the books are right to the nano-dollar.

The provider answers only as far as the test lets it, so that each run dies at a chosen point of the work,
and its own bill says what must be in the books at least.
"""

import asyncio
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import aiohttp
import pytest

from tests.support.caller import CHAT, Caller, fresh, hello
from tests.support.gateway_server import GatewayServer, Row, configured_gateway
from tests.support.provider_scripts import (
    PIECES,
    completion,
    replies,
    streams,
)
from tests.support.provider_stub import ProviderStub, Script, Turn
from tests.support.small_configurations import CALL_NANO, acme_at, stub_at

pytestmark = pytest.mark.chaos

CALLS = 200
PLACES_A_CALL = 1 + len(PIECES)
"""How often a streamed call passes its gate: with each piece and at its end. A plain one passes once."""
TENANTS = """
tenants:
  acme:
    limits: {rpd: 100000, parallel: 1000}
    budgets: [{amount: 1000, window: total, hard: true}]
    keys: [{name: app, secret: acme-key-0000000001}]
"""


@dataclass(frozen=True)
class Work:
    """A caller with many calls to make, each with a request id that the provider sees too."""

    caller: Caller
    provider: ProviderStub
    name: str
    requests: tuple[str, ...]

    async def call_all(self) -> set[str]:
        """Make all calls at once; those that were answered to their end."""
        limits = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(timeout=limits, connector=aiohttp.TCPConnector(limit=0)) as session:
            calls = [self._call(session, number) for number in range(len(self.requests))]
            answered = await asyncio.gather(*calls)
        return {request for request, whole in zip(self.requests, answered, strict=True) if whole}

    async def _call(self, session: aiohttp.ClientSession, number: int) -> bool:
        request = self.requests[number]
        stream = number % 2 == 1
        body = hello(f"stub/{self.name}", stream=stream, user_data=request)
        try:
            async with session.post(
                self.caller.gateway.url + CHAT, data=body, headers=self.caller.headers(request)
            ) as response:
                answer = await response.read()
        except aiohttp.ClientError:
            return False
        return response.status == 200 and (not stream or answer.endswith(b"[DONE]\n\n"))

    def heard(self, *, completed: bool = False) -> list[str]:
        """The requests that reached the provider, or whose answer left it whole."""
        heard = self.provider.heard(self.name)
        return [one.member("user_data") for one in heard if one.completed or not completed]

    def has_completed(self, calls: int) -> bool:
        """Whether so many answers have left the provider whole."""
        return self.provider.bill(self.name).calls >= calls

    def rows(self) -> dict[str, Row]:
        """The entry of each request, of which there must not be two."""
        rows = self.caller.entries()
        by_request = {row.request_id: row for row in rows}
        assert len(by_request) == len(rows)
        return by_request


async def answer_at_the_gate(turn: Turn) -> None:
    await (STREAMED if turn.heard.member("stream") else PLAIN)(turn)


STREAMED: Script = streams(gated=True)
PLAIN: Script = replies(completion(), gated=True)


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderStub]:
    with ProviderStub(answer_at_the_gate) as stub:
        yield stub


@pytest.fixture
def gateway(provider: ProviderStub) -> Iterator[GatewayServer]:
    with configured_gateway(stub_at(provider.url()) + TENANTS) as server:
        server.start()
        yield server


@pytest.fixture
def work(gateway: GatewayServer, provider: ProviderStub) -> Work:
    name = fresh("kill")
    return Work(acme_at(gateway), provider, name, tuple(f"{name}-{number}" for number in range(CALLS)))


def kill_at(work: Work, *, heard: int, completed: int) -> None:
    """Let the provider work, and kill the gateway once so many calls were heard and so many completed."""
    assert work.provider.wait_for(lambda: len(work.heard()) >= heard, 30)
    while (done := work.provider.bill(work.name).calls) < completed:
        work.provider.gate(work.name).open(PLACES_A_CALL)
        work.provider.wait_for(partial(work.has_completed, done + 1), 0.02)
    work.caller.gateway.kill()


def check_books(work: Work, answered: set[str]) -> None:
    """Every call that the provider heard of is booked once, and for no less than the provider bills."""
    gateway, rows = work.caller.gateway, work.rows()
    assert set(work.heard()) <= set(rows)
    assert {request for request in answered if rows[request].status != "settled"} == set()
    for request in work.heard(completed=True):
        row = rows[request]
        exact = row.status == "settled" and row.charge_nano == CALL_NANO and not row.estimated
        at_its_bound = row.status == "unsettled" and row.charge_nano > CALL_NANO and row.estimated
        assert exact or at_its_bound, row
    assert {row.status for row in rows.values()} <= {"settled", "unsettled"}
    assert gateway.open_holds() == 0
    assert gateway.spent("nano", "acme") == sum(row.charge_nano for row in rows.values())
    assert gateway.spent("requests", "acme") == len(rows)
    assert gateway.spent("concurrency", "acme") == 0


@pytest.mark.parametrize(
    ("heard", "completed"),
    [(1, 0), (100, 0), (CALLS, 1), (CALLS, 40), (CALLS, 120), (CALLS, 190), (CALLS, CALLS)],
    ids=str,
)
async def test_a_gateway_that_is_killed_loses_no_call(work: Work, heard: int, completed: int) -> None:
    calls = asyncio.create_task(work.call_all())
    await asyncio.to_thread(kill_at, work, heard=heard, completed=completed)
    answered = await calls
    gateway = work.caller.gateway
    gateway.start()
    check_books(work, answered)
    booked = work.rows()
    gateway.stop()
    gateway.start()
    assert work.rows() == booked
    work.provider.gate(work.name).open(CALLS * PLACES_A_CALL)
    assert work.caller.chat(f"stub/{work.name}", "after-all").status == 200
    assert work.caller.entry("after-all").charge_nano == CALL_NANO


async def test_a_gateway_that_is_told_to_end_finishes_its_calls(work: Work) -> None:
    """The end is asked for while all calls are under way, and nobody is cut."""
    calls = asyncio.create_task(work.call_all())
    assert await asyncio.to_thread(work.provider.wait_for, lambda: len(work.heard()) == CALLS, 30)
    ending = asyncio.create_task(asyncio.to_thread(work.caller.gateway.stop))
    work.provider.gate(work.name).open(CALLS * PLACES_A_CALL)
    assert await calls == set(work.requests)
    assert await ending in (0, -signal.SIGTERM)
    rows = work.rows()
    assert {row.charge_nano for row in rows.values()} == {CALL_NANO}
    assert len(rows) == CALLS
    assert work.caller.gateway.spent("nano", "acme") == CALLS * CALL_NANO
    assert work.caller.gateway.open_holds() == 0
