"""The codes that a socket is closed with when the gateway fails, or when somebody will not listen."""

import json

import pytest

from api.asgi import Message
from api.hosts import Hosts
from api.socket import PATH, Socket
from api.socket_session import REFUSALS_AT_MOST
from gateway.call import Origin
from gateway.errors import ConfigurationAway, GatewayError
from gateway.memory import MemoryDirectory
from gateway.principal import Principal
from tests.support.clock import FakeClock, rule_loop
from tests.support.engine import KEY, Rig

HOST = "gateway.test"
ASKED = {"id": "a", "type": "generate", "model": "m", "prompt": "hello"}
NOBODYS = {"id": "nobodys", "type": "cancel"}


class Directory(MemoryDirectory):
    """Knows Alice for a while, and fails then."""

    def __init__(self, principal: Principal, *, times: int, error: Exception) -> None:
        super().__init__({KEY: principal})
        self.times = times
        self.error = error

    async def identify(self, origin: Origin) -> Principal:
        """Who calls."""
        if self.times == 0:
            raise self.error
        self.times -= 1
        return await super().identify(origin)


@pytest.fixture
async def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    clock = FakeClock()
    rule_loop(clock, monkeypatch)
    return Rig(clock=clock)


async def spoken(rig: Rig, *frames: dict[str, str]) -> list[Message]:
    """What a socket says to one who sends these frames, and leaves then."""
    coming: list[Message] = [{"type": "websocket.connect"}]
    coming += [{"type": "websocket.receive", "text": json.dumps(frame)} for frame in frames]
    coming += [{"type": "websocket.disconnect", "code": 1000}]
    said: list[Message] = []

    async def receive() -> Message:
        return coming.pop(0)

    async def send(message: Message) -> None:
        said.append(message)

    headers = [(b"host", HOST.encode()), (b"x-api-key", KEY.encode())]
    socket = Socket(gateway=rig.gateway, hosts=Hosts([HOST]), streams=True, idle_seconds=60)
    await socket({"type": "websocket", "path": PATH, "headers": headers, "subprotocols": []}, receive, send)
    return said


def code_of(said: list[Message]) -> int | None:
    """What it was closed with, the last of all; None where the caller left."""
    closes = [message["code"] for message in said if message["type"] == "websocket.close"]
    assert said[-1]["type"] == "websocket.close" or not closes
    return closes[0] if closes else None


@pytest.mark.parametrize(("error", "code"), [(ConfigurationAway(), 1013), (GatewayError(), 1011)])
async def test_a_key_that_cannot_be_looked_up_gets_no_session(
    rig: Rig, error: GatewayError, code: int
) -> None:
    rig.gateway.directory = Directory(rig.principal, times=0, error=error)
    said = await spoken(rig, ASKED)
    assert [message["type"] for message in said] == ["websocket.accept", "websocket.close"]
    assert code_of(said) == code
    assert said[-1]["reason"] == error.message
    assert not rig.entries


async def test_a_session_that_fails_says_so_and_leaves_nothing_open(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.gateway.directory = Directory(rig.principal, times=2, error=RuntimeError("of words nobody may read"))
    said = await spoken(rig, ASKED, ASKED | {"id": "b"})
    assert code_of(said) == 1011
    assert "nobody may read" not in str(said) + caplog.text
    rig.assert_balanced()


async def test_a_key_that_cannot_be_looked_up_for_a_while_ends_no_session(rig: Rig) -> None:
    rig.gateway.directory = Directory(rig.principal, times=1, error=ConfigurationAway())
    said = await spoken(rig, ASKED, NOBODYS)
    assert code_of(said) is None


@pytest.mark.parametrize(("refused", "code"), [(REFUSALS_AT_MOST - 1, None), (REFUSALS_AT_MOST, 4429)])
async def test_who_is_refused_a_thousand_times_in_a_row_is_sent_away(
    rig: Rig, refused: int, code: int | None
) -> None:
    assert code_of(await spoken(rig, *[NOBODYS] * refused)) == code


async def test_a_request_that_is_taken_begins_the_count_anew(rig: Rig) -> None:
    said = await spoken(rig, *[NOBODYS] * (REFUSALS_AT_MOST - 1), ASKED, NOBODYS)
    assert code_of(said) is None
