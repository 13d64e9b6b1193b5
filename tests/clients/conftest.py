"""Each client's run: its program is run once, and its tests look at what it told."""

import pytest

pytest.register_assert_rewrite("tests.clients.contract", "tests.clients.runs")

from tests.clients.contract import Contract  # noqa: E402  # its assertions are to tell what they compared
from tests.clients.runs import Run, ran  # noqa: E402
from tests.support.caller import Caller  # noqa: E402
from tests.support.gateway_server import GatewayServer  # noqa: E402
from tests.support.provider_stub import ProviderStub  # noqa: E402


@pytest.fixture(scope="class")
def run(request: pytest.FixtureRequest, embedded_gateway: GatewayServer, provider: ProviderStub) -> Run:
    """What the client of a class of tests did."""
    contract = request.cls
    assert issubclass(contract, Contract)
    caller = Caller(embedded_gateway, "clients", "clients-key-0000000001")
    return ran(contract.command(), face=contract.face, caller=caller, provider=provider)
