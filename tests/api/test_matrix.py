"""Every door that costs, whole and as a stream, whatever becomes of a call.

All of it is asked at once, and each test looks at one call: what the caller was told, whether a provider
was asked, and what was booked, once or not at all.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from api.doors import DOORS, PREFIXES, Inference
from tests.api.conftest import Serving
from tests.support.caller import Caller, fresh
from tests.support.fates import Fate, cost_of, fates_of, script_for
from tests.support.gateway_books import Row as Entry
from tests.support.gateway_server import GatewayServer
from tests.support.gateways import mistakes
from tests.support.matrix import ROWS, SOCKET_ROWS, Row
from tests.support.provider_scripts import PIECES
from tests.support.provider_stub import ProviderStub
from tests.support.raw_http import Line
from tests.support.socket_client import SocketClient, text_of
from tests.support.waiting import eventually

AT_ONCE = 32
LEAVING_AT_ONCE = 4
NOTICED_WITHIN = 1.0
SILENT = "timeout: {connect: 0.5, first_byte: 0.1, idle: 0.1, total: 10}"
HOSTS = {
    "stub": 'wire: openai, base_url: "{openai}"',
    "native": 'wire: openai, base_url: "{openai}", has_responses: true',
    "claude": 'wire: anthropic, base_url: "{anthropic}"',
}
MODEL = '"{name}/*": {{max_output_tokens: 100, deployments: [{{provider: {name}, model: "*"}}]}}'
PRICES = """
  - {{provider: {name}, model: "*", input: 1, output: 2}}
  - {{provider: {name}, model: "*", image: 0.04, image_out: 2, audio_second: 0.0001}}
  - {{provider: {name}, model: "*", cache_read: 0.1, cache_write_5m: 1.25, cache_write_1h: 2}}"""
TENANTS = """
tenants:
  rich:
    limits: {rpm: 100000, tpm: 100000000}
    budgets: [{amount: 1000, window: total, hard: true}]
    keys: [{name: app, secret: rich-key-0000000001}]
  limited:
    limits: {rpd: 0}
    keys: [{name: app, secret: limited-key-0000000001}]
  poor:
    budgets: [{amount: 0.000000001, window: total, hard: true}]
    keys: [{name: app, secret: poor-key-0000000001}]
"""
TENANT_OF = {"over limit": "limited", "over budget": "poor"}
CELLS = [(row, situation, fate) for row in (*ROWS, *SOCKET_ROWS) for situation, fate in fates_of(row).items()]
BOOKED = sum(bool(fate.entry) for *_, fate in CELLS)


def configuration(provider: ProviderStub) -> str:
    """Each host twice: the hasty one waits for nobody."""
    told = {
        name: one.format(openai=provider.url(), anthropic=provider.url("/claude"))
        for name, one in HOSTS.items()
    }
    told |= {f"hasty-{name}": f"{one}, {SILENT}" for name, one in told.items()}
    return "\n".join(
        [
            "providers:",
            *(f"  {name}: {{{one}}}" for name, one in told.items()),
            "models:",
            *("  " + MODEL.format(name=name) for name in told),
            "prices:" + "".join(PRICES.format(name=name) for name in told),
            TENANTS,
        ]
    )


@pytest.fixture(scope="module")
def gateway(serving: Serving, provider: ProviderStub) -> Iterator[GatewayServer]:
    with serving(configuration(provider)) as server:
        yield server
        assert mistakes(server) == []


class Played:
    """One call of the matrix, and what became of it."""

    def __init__(self, gateway: GatewayServer, provider: ProviderStub, row: Row, situation: str) -> None:
        tenant = TENANT_OF.get(situation, "rich")
        key = "wrong" if situation == "bad key" else f"{tenant}-key-0000000001"
        self._caller = Caller(gateway, tenant, key)
        self._provider = provider
        self._row = row
        self._situation = situation
        self.name = fresh("cell")
        self.entries: list[Entry] = []

    def play(self) -> tuple[int, str]:
        """Make the call: the status, and the code of what went wrong."""
        row = self._row
        self._provider.script(self.name, script_for(row, self._situation))
        host = {"silence": f"hasty-{row.host}", "unknown model": "nobody"}.get(self._situation, row.host)
        if row in SOCKET_ROWS:
            return self._on_socket(f"{host}/{self.name}")
        body, media = row.request(f"{host}/{self.name}")
        if self._situation == "client leaves":
            return self._leave(self._caller.request(body, self.name, row.path, Content_Type=media))
        answer = self._caller.post(body, self.name, row.path, Content_Type=media)
        if answer.status != 200:
            assert answer.header("content-type") == "application/json"
            assert (answer.header("retry-after") is not None) is (answer.status == 429)
            assert b"org-secret" not in answer.body
            return answer.status, row.code(answer.json(), self.name)
        assert (answer.header("content-type") or "").startswith("text/event-stream") is row.streams
        if not row.streams:
            return answer.status, ""
        if self._situation == "ok":
            assert row.end in answer.body[answer.body.rindex(b"\n\n", 0, -2) :], answer.body
            return answer.status, ""
        return answer.status, row.late_error(answer.body, self.name)

    def _on_socket(self, model: str) -> tuple[int, str]:
        """The same as one of many requests of a connection."""
        with SocketClient(self._caller.gateway.port, self._caller.key) as client:
            client.ask(self.name, model, request_id=self.name, **self._row.asked)
            *before, last = client.until_over(self.name)[self.name]
        assert last.pop("id") == self.name
        is_cut = self._row.streams and self._situation == "cut"
        assert text_of(before) == ("".join(PIECES[:2]) if is_cut else "")
        return 0, self._row.code(last, self.name)

    def _leave(self, request: bytes) -> tuple[int, str]:
        """A stream is left in its middle, a whole answer before it comes."""
        with Line(self._caller.gateway.port) as line:
            line.send(request)
            assert self._provider.wait_for(lambda: bool(self._provider.heard(self.name)))
            if self._row.streams:
                assert b"200 OK" in line.until(b"\r\n\r\n")
                line.until(b"\n\n")
        left = self._provider.wait_for(lambda: self._provider.heard(self.name)[0].left, NOTICED_WITHIN)
        assert left, "the provider was not let go"
        return 0, "caller_left"

    def booked(self) -> tuple[str, str]:
        """The status and the cost of the one entry, if there is one."""
        assert len(self.entries) <= 1, self.entries
        assert bool(self.entries) is bool(self._provider.heard(self.name))
        if not self.entries:
            return "", ""
        (entry,) = self.entries
        return entry.status, cost_of(entry, self._row.nano)

    def outcomes(self) -> set[str]:
        """How the attempts went."""
        return {outcome for entry in self.entries for outcome in entry.outcomes}


Cell = tuple[Played, "Future[tuple[int, str]]"]


@pytest.fixture(scope="module")
def played(gateway: GatewayServer, provider: ProviderStub) -> dict[tuple[str, str], Cell]:
    """All calls; who leaves does so when it has become quiet, so that a second is a second."""
    cells: dict[tuple[str, str], Cell] = {}
    for leaving, at_once in ((False, AT_ONCE), (True, LEAVING_AT_ONCE)):
        with ThreadPoolExecutor(at_once) as pool:
            for row, situation, _ in CELLS:
                if (situation == "client leaves") is leaving:
                    cell = Played(gateway, provider, row, situation)
                    cells[str(row), situation] = cell, pool.submit(cell.play)
    eventually(lambda: len(gateway.ledger()) >= BOOKED)
    ledger = gateway.ledger()
    for cell, _ in cells.values():
        cell.entries = [entry for entry in ledger if entry.request_id == cell.name]
    return cells


def test_every_door_that_costs_has_its_rows() -> None:
    costly = {path for path, door in {**DOORS, **PREFIXES}.items() if isinstance(door, Inference)}
    assert costly == {row.path for row in ROWS}


@pytest.mark.parametrize(("row", "situation", "fate"), CELLS, ids=[f"{row}-{one}" for row, one, _ in CELLS])
def test_a_call_is_told_and_booked_as_is_right(
    played: dict[tuple[str, str], Cell], row: Row, situation: str, fate: Fate
) -> None:
    cell, told = played[str(row), situation]
    assert Fate(*told.result(), *cell.booked()) == fate
    assert cell.outcomes() == ({fate.code or "ok"} if fate.entry else set())


def test_nothing_else_is_booked_and_nothing_stays_held(
    played: dict[tuple[str, str], Cell], gateway: GatewayServer
) -> None:
    assert gateway.known_calls() == len(gateway.ledger()) == BOOKED
    assert eventually(Caller(gateway, "rich", "").books_agree)
    assert gateway.spent("nano", "poor") == gateway.spent("nano", "limited") == 0
