"""A gateway as it is run: `manage.py serve` in a process of its own, on a home that is thrown away."""

import atexit
import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parent.parent.parent
_KEPT = ("PATH", "HOME", "TMPDIR", "LANG")
_READY_SECONDS = 30.0
_STOP_SECONDS = 15.0
_COMMAND_SECONDS = 60.0
_READ = "SELECT * FROM usage_ledgerentry WHERE (:tenant = '' OR tenant = :tenant) ORDER BY id"
_JSON = ("meters", "attempts", "lines", "tags")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the ledger, as the file has it."""

    id: str
    request_id: str
    tenant: str
    status: str
    model: str
    provider: str
    meters: dict[str, int]
    cost_nano: int
    charge_nano: int
    estimated: bool
    attempts: list[dict[str, Any]]
    tags: dict[str, str]
    corrects: str | None

    @property
    def outcomes(self) -> list[str]:
        """How its attempts went, in turn."""
        return [attempt["outcome"] for attempt in self.attempts]


class GatewayServer:
    """A gateway on a home of its own, which may be started again after it was stopped or killed."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self.home = home
        self.port = _free_port()
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it wrote so far."""
        return (self.home / "server.log").read_text(errors="replace")

    def manage(self, *arguments: str, told: str = "") -> str:
        """What a management command prints; loud when it fails."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self._env(),
            input=told,
            capture_output=True,
            text=True,
            check=False,
            timeout=_COMMAND_SECONDS,
        )
        assert done.returncode == 0, f"{arguments} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def start(self) -> None:
        """Serve; it is ready when this returns."""
        with (self.home / "server.log").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "serve", "--port", str(self.port)],
                cwd=ROOT,
                env=self._env(),
                stdout=output,
                stderr=output,
            )
        process = self._process
        eventually(lambda: self._is_ready() or process.poll() is not None, within=_READY_SECONDS)
        assert self._is_ready(), f"it did not get ready:\n{self.log[-3000:]}"

    def stop(self) -> int:
        """Ask it to end, and wait for that; its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it on the spot."""
        self._end(signal.SIGKILL)

    def ledger(self, *, tenant: str = "", request: str = "") -> list[Row]:
        """The entries of a tenant or a request, oldest first."""
        with self._reading() as connection:
            found = [_row(row) for row in connection.execute(_READ, {"tenant": tenant})]
        return [row for row in found if request in ("", row.request_id)]

    def open_holds(self) -> int:
        """How many calls' worst cases are still set aside."""
        return int(self._one("SELECT count(*) FROM usage_hold WHERE state = 0"))

    def known_calls(self) -> int:
        """How many calls the books know at all: in flight, settled just now, or in the ledger."""
        known = "SELECT id FROM usage_ledgerentry UNION SELECT call_id FROM usage_hold"
        return int(self._one(f"SELECT count(*) FROM ({known})"))  # noqa: S608

    def spent(self, unit: str, tenant: str) -> int:
        """What a tenant's own accounts of a unit have counted, all windows together."""
        owner = self._one("SELECT id FROM tenants_tenant WHERE name = ?", tenant)
        account = f"tenant:{owner}:{unit}:%"
        return int(
            self._one("SELECT coalesce(sum(spent), 0) FROM usage_counter WHERE account LIKE ?", account)
        )

    def _one(self, query: str, *values: str) -> Any:
        with self._reading() as connection:
            return connection.execute(query, values).fetchone()[0]

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.home / "gateway.sqlite3", timeout=10)) as connection:
            connection.row_factory = sqlite3.Row
            yield connection

    def _is_ready(self) -> bool:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            line.request("GET", "/health/ready")
            return line.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
        finally:
            line.close()

    def _end(self, how: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(how)
        try:
            return process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def _env(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return (
            kept
            | {"GATEWAY_HOME": str(self.home), "DJANGO_SETTINGS_MODULE": "gateway_project.settings"}
            | {**self._environment}
        )


@contextmanager
def served_gateway(configuration: str, **environment: str) -> Iterator[GatewayServer]:
    """A running gateway with this configuration."""
    with configured_gateway(configuration, **environment) as server:
        server.start()
        yield server


@contextmanager
def configured_gateway(configuration: str, **environment: str) -> Iterator[GatewayServer]:
    """A gateway with this configuration, not started yet; nothing of it is left in the end."""
    with tempfile.TemporaryDirectory(prefix="gateway-served-") as folder:
        home = shutil.copytree(_template(), Path(folder, "home"))
        server = GatewayServer(home, environment)
        server.manage("apply", "-", told=configuration)
        try:
            yield server
        finally:
            server.stop()


@cache
def _template() -> Path:
    """A home with a migrated database: made once, copied for each gateway."""
    home = Path(tempfile.mkdtemp(prefix="gateway-template-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    GatewayServer(home, {}).manage("migrate", "--verbosity", "0")
    return home


def _row(row: sqlite3.Row) -> Row:
    told = {name: row[name] for name in Row.__dataclass_fields__}
    return Row(**told | {name: json.loads(row[name]) for name in _JSON if name in told})


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
