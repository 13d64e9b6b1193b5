"""Every test that calls a gateway runs on each kind: one process with its file, and several on servers.

The gateways and the provider are those of `tests/support/gateways.py`.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Protocol

import pytest

from tests.support.caller import Caller
from tests.support.gateway_server import GatewayServer, served_fleet, served_gateway
from tests.support.provider_stub import ProviderStub
from tests.support.routing_gateways import (
    Routed,
    ill,
    lasting_fleet,
    lasting_single,
    routed_fleet,
    routed_single,
    routing,
    well,
)

__all__ = ("ill", "lasting_fleet", "lasting_single", "routed_fleet", "routed_single", "routing", "well")


class Calling(Protocol):
    """Makes a caller of a tenant."""

    def __call__(self, tenant: str) -> Caller:
        """The caller with the tenant's key."""


@pytest.fixture(scope="module", params=["embedded", "distributed"])
def each_mode(request: pytest.FixtureRequest) -> str:
    """A file's tests run once on each kind of gateway, and learn which."""
    mode: str = request.param
    return mode


class Serving(Protocol):
    """Serves a configuration by processes of its own."""

    def __call__(self, configuration: str, **environment: str) -> AbstractContextManager[GatewayServer]:
        """The gateway, of the test's kind."""


@pytest.fixture(scope="module")
def serving(each_mode: str) -> Serving:
    """Serves one web process of the test's kind."""
    return served_gateway if each_mode == "embedded" else partial(served_fleet, webs=1)


@pytest.fixture(scope="module")
def gateway(request: pytest.FixtureRequest, each_mode: str, configuration: str) -> GatewayServer:
    """The gateway of the test's kind, with the configuration of both kinds."""
    server: GatewayServer = request.getfixturevalue(f"{each_mode}_gateway")
    return server


@pytest.fixture(scope="module", params=["single", "fleet"])
def routed(request: pytest.FixtureRequest, routing: str) -> Routed:
    """The gateways of `tests/support/routing_gateways.py`, one after the other."""
    found: Routed = request.getfixturevalue(f"routed_{request.param}")
    return found


@pytest.fixture
def calling(gateway: GatewayServer) -> Calling:
    """Makes callers."""

    def caller(tenant: str) -> Caller:
        return Caller(gateway, tenant, f"{tenant}-key-0000000001")

    return caller


@pytest.fixture
def careless(calling: Calling) -> Caller:
    """Someone who does not take care what they send."""
    return calling("careless")


@pytest.fixture
def uncharged(careless: Caller, provider: ProviderStub) -> Iterator[Caller]:
    """The same, and whatever they send in this test costs nobody anything, and reaches no provider."""
    known, heard = careless.gateway.known_calls(), provider.heard_in_all()
    yield careless
    assert careless.gateway.known_calls() == known
    assert provider.heard_in_all() == heard
    assert careless.gateway.open_holds() == 0
