"""A gateway as it is run: `manage.py serve` in processes of its own, on a home that is thrown away.

Embedded it is one process. With a Redis and a PostgreSQL it is several web processes, each on a port of
its own as if on several machines, and a drainer.
"""

import http.client
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from tests.support.gateway_books import BooksReading, DistributedReading, EmbeddedReading
from tests.support.gateway_books import Row as Row
from tests.support.ports import free_port
from tests.support.prepared import apply, configured_home, migrated_database
from tests.support.processes import Running, manage
from tests.support.servers import redis_database
from tests.support.waiting import eventually

_READY_SECONDS = 30.0


class WebProcess(Running):
    """What answers on a port: one web process, or a supervisor of several and of a drainer."""

    def __init__(self, workers: int, *, environment: Mapping[str, str], log: Path) -> None:
        self.port = free_port()
        parts = ("--workers", str(workers)) if workers else ("--only", "web")
        super().__init__("serve", *parts, "--port", str(self.port), environment=environment, log=log)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def await_ready(self) -> None:
        """Wait until it takes calls."""
        ready = eventually(lambda: not self.runs or is_ready(self.port), within=_READY_SECONDS)
        assert ready, f"it did not get ready:\n{self.log[-3000:]}"
        assert self.runs, f"it ended:\n{self.log[-3000:]}"


class GatewayServer:
    """A gateway on a home of its own, which may be started again after it was stopped or killed."""

    def __init__(
        self,
        home: Path,
        environment: Mapping[str, str],
        books: BooksReading,
        *,
        webs: int = 1,
        workers: int = 0,
        drains: int = 0,
    ) -> None:
        self.home = home
        self.environment = {**environment, "GATEWAY_HOME": str(home)}
        self.webs = tuple(
            WebProcess(workers, environment=self.environment, log=home / f"web-{number}.log")
            for number in range(webs)
        )
        self.drains = tuple(
            Running("drain", environment=self.environment, log=home / f"drain-{number}.log")
            for number in range(drains)
        )
        self._books = books
        self._turns = count()

    @property
    def port(self) -> int:
        """Where it answers: of several web processes, one that runs, each in its turn."""
        running = [web for web in self.webs if web.runs]
        return running[next(self._turns) % len(running)].port

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def runs(self) -> bool:
        """Whether any of it runs."""
        return any(process.runs for process in (*self.webs, *self.drains))

    @property
    def log(self) -> str:
        """What all of it wrote so far."""
        return "".join(process.log for process in (*self.webs, *self.drains))

    def manage(self, *arguments: str, told: str = "") -> str:
        """What a management command prints; loud when it fails."""
        return manage(*arguments, environment=self.environment, told=told)

    def start(self) -> None:
        """Serve; all of it is ready when this returns."""
        for process in (*self.webs, *self.drains):
            process.start()
        for web in self.webs:
            web.await_ready()

    def stop(self) -> int:
        """Ask all of it to end, those last who drain, and wait; the worst exit code."""
        codes = [process.stop() for process in (*self.webs, *self.drains)]
        return max(codes, key=lambda code: (code not in (0, -signal.SIGTERM), abs(code)))

    def kill(self) -> None:
        """End all of it on the spot."""
        for process in (*self.webs, *self.drains):
            process.kill()

    def ledger(self, *, tenant: str = "", request: str = "") -> list[Row]:
        """The entries of a tenant or a request, oldest first."""
        return [row for row in self._books.ledger(tenant) if request in ("", row.request_id)]

    def open_holds(self) -> int:
        """How many calls' worst cases are still set aside."""
        return self._books.open_holds()

    def known_calls(self) -> int:
        """How many calls the books know at all: in flight, settled just now, or in the ledger."""
        return self._books.known_calls()

    def spent(self, unit: str, tenant: str) -> int:
        """What a tenant's own accounts of a unit have counted, all windows together."""
        return self._books.spent(unit, tenant)


@contextmanager
def served_gateway(configuration: str, **options: Any) -> Iterator[GatewayServer]:
    """A running gateway; options are those of `configured_gateway`."""
    with configured_gateway(configuration, **options) as server:
        server.start()
        yield server


@contextmanager
def served_fleet(configuration: str, **options: Any) -> Iterator[GatewayServer]:
    """A running gateway of several processes, on databases that are its own."""
    with configured_fleet(configuration, **options) as server:
        server.start()
        yield server


@contextmanager
def configured_fleet(configuration: str, **options: Any) -> Iterator[GatewayServer]:
    """The same, not started yet."""
    with (
        redis_database() as redis,
        migrated_database() as database,
        configured_gateway(configuration, redis=redis, database=database, migrate=False, **options) as server,
    ):
        yield server


@contextmanager
def configured_gateway(
    configuration: str,
    *,
    redis: str = "",
    database: str = "",
    webs: int = 3,
    workers: int = 0,
    migrate: bool = True,
    **environment: str,
) -> Iterator[GatewayServer]:
    """A gateway with this configuration, not started yet; nothing of it is left in the end.

    Without servers it is embedded. With them it is so many web processes and a drainer, each started by
    itself, or one supervisor that keeps so many workers and a drainer. A database that has its tables
    already need not be migrated.
    """
    with tempfile.TemporaryDirectory(prefix="gateway-served-") as folder:
        home = Path(folder, "home")
        if redis:
            home.mkdir()
            servers = {"REDIS_URL": redis, "DATABASE_URL": database}
            books = DistributedReading(redis=redis, database=database)
            parts = {"workers": workers} if workers else {"webs": webs, "drains": 1}
            server = GatewayServer(home, environment | servers, books, **parts)
            if migrate:
                server.manage("migrate", "--skip-checks", "--verbosity", "0")
            apply(configuration, server.environment)
        else:
            shutil.copytree(configured_home(configuration), home)
            server = GatewayServer(home, environment, EmbeddedReading(home / "gateway.sqlite3"))
        try:
            yield server
        finally:
            server.stop()


def is_ready(port: int) -> bool:
    """Whether a web process takes calls there."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        line.request("GET", "/health/ready")
        return line.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        line.close()
