"""Somebody who asks for much and reads nothing: their provider is paused, memory stays, others go on."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.conftest import Serving
from tests.support.caller import Caller, fresh
from tests.support.gateway_server import GatewayServer
from tests.support.provider_paces import pours
from tests.support.provider_stub import ProviderStub
from tests.support.raw_http import Line
from tests.support.small_configurations import ACME, acme_at, stub_at
from tests.support.socket_client import SocketClient, handshake
from tests.support.waiting import eventually

MEGABYTE = 1 << 20
POURED = 256 * MEGABYTE
IN_BUFFERS = 64 * MEGABYTE
"""More than the system keeps on the way of one answer from the provider to the caller."""
GROWN_AT_MOST = 32 * MEGABYTE
STEADY_SECONDS = 1.0
PING = b"\x89\xfd" + bytes(4) + bytes(125)
"""The longest there is."""


@pytest.fixture(scope="module")
def gateway(serving: Serving, provider: ProviderStub) -> Iterator[GatewayServer]:
    with serving(stub_at(provider.url()) + ACME) as server:
        yield server


@pytest.fixture
def caller(gateway: GatewayServer) -> Caller:
    return acme_at(gateway)


def resident(gateway: GatewayServer) -> int:
    """Bytes of memory that the web process has."""
    status = Path(f"/proc/{gateway.webs[0].pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


def kept_by_the_system() -> int:
    """Bytes of a connection that are neither the sender's any more nor the receiver's yet, at most."""
    limits = [Path(f"/proc/sys/net/ipv4/tcp_{way}mem").read_text().split()[2] for way in "rw"]
    return sum(map(int, limits))


class Standstill:
    """Sees whether the providers of some calls have sent nothing more for a while."""

    def __init__(self, provider: ProviderStub, names: list[str]) -> None:
        self._provider = provider
        self._names = names
        self._seen = -1
        self._since = time.monotonic()

    @property
    def sent(self) -> int:
        """Bytes so far."""
        return sum(heard.sent for name in self._names for heard in self._provider.heard(name))

    def __call__(self) -> bool:
        if self.sent != self._seen:
            self._seen, self._since = self.sent, time.monotonic()
        return self._seen > 0 and time.monotonic() - self._since > STEADY_SECONDS


def test_a_reader_who_stops_pauses_their_providers_and_nobody_else(
    caller: Caller, provider: ProviderStub
) -> None:
    gateway, names, quick = caller.gateway, [fresh("slow") for _ in range(8)], fresh("quick")
    for name in names:
        provider.script(name, pours(POURED))
    before = resident(gateway)
    with (
        SocketClient(gateway.port, caller.key, ahead=1) as client,
        SocketClient(gateway.port, caller.key) as other,
    ):
        for name in names:
            client.ask(name, f"stub/{name}", request_id=name)
        standstill = Standstill(provider, names)
        assert eventually(standstill, within=20.0)
        assert standstill.sent < (len(names) + 1) * kept_by_the_system()
        assert not any(heard.completed for name in names for heard in provider.heard(name))
        assert resident(gateway) - before < GROWN_AT_MOST
        assert other.answer("a", f"stub/{quick}")["text"] == "Hello wide world"
        for name in names:
            client.cancel(name)
        assert provider.wait_for(lambda: all(provider.heard(name)[0].left for name in names), 1.0)
        told = client.until_over(*names)
        assert {frames[-1]["type"] for frames in told.values()} == {"cancelled"}
    assert {caller.entry(name).status for name in names} == {"settled"}
    assert eventually(caller.books_agree)


def test_a_slow_reader_gets_it_all_in_the_end(caller: Caller, provider: ProviderStub) -> None:
    name = fresh("patient")
    provider.script(name, pours(IN_BUFFERS))
    with SocketClient(caller.gateway.port, caller.key, ahead=1) as client:
        client.ask(name, f"stub/{name}")
        assert eventually(Standstill(provider, [name]), within=20.0)
        frames = client.until_over(name)[name]
    assert frames[-1]["type"] == "done"
    assert sum(len(frame["text"]) for frame in frames[:-1]) == IN_BUFFERS


def test_who_sends_pings_and_reads_nothing_fills_no_memory(caller: Caller) -> None:
    before = resident(caller.gateway)
    with Line(caller.gateway.port) as line:
        line.send(handshake(caller.key))
        line.until(b"\r\n\r\n")
        for _ in range(64):
            line.send(PING * (MEGABYTE // len(PING)))
        assert resident(caller.gateway) - before < GROWN_AT_MOST
    assert acme_at(caller.gateway).chat(f"stub/{fresh('after')}").status == 200
