"""Gateways in this process, on a provider that plays; each test has models of its own there."""

from collections.abc import Iterator
from typing import Any, Protocol
from weakref import WeakSet

import pytest

from gateway import GatewayConfig, LiteLLMGateway
from tests.support.provider_scripts import answer_honestly
from tests.support.provider_stub import ProviderStub


class Make(Protocol):
    """Makes a gateway for these models of the stub; fields are the configuration's."""

    def __call__(self, *names: str, **fields: Any) -> LiteLLMGateway:
        """One that is closed with the test."""


@pytest.fixture(scope="session")
def stub() -> Iterator[ProviderStub]:
    """The provider."""
    with ProviderStub(answer_honestly) as stub:
        yield stub


@pytest.fixture
def make(stub: ProviderStub) -> Iterator[Make]:
    """Makes gateways, and closes them."""
    made: WeakSet[LiteLLMGateway] = WeakSet()

    def make(*names: str, **fields: Any) -> LiteLLMGateway:
        listed = fields.pop("model_list", None) or [entry(stub, name) for name in names]
        gateway = LiteLLMGateway(GatewayConfig(model_list=listed, **({"retry_delay": 0.0} | fields)))
        made.add(gateway)
        return gateway

    yield make
    for gateway in made:
        gateway.close()


def entry(stub: ProviderStub, name: str, **params: Any) -> dict[str, Any]:
    """A deployment at the stub, as LiteLLM lists one."""
    told = {"model": f"openai/{name}", "api_key": "sk-alice", "api_base": stub.url()}
    return {"model_name": name, "litellm_params": told | params}
