"""A nats-server of a test's own, from the wheel."""

import json
import socket
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support.ports import answers, free_port
from tests.support.waiting import eventually

_PATIENCE_SECONDS = 10.0
_PORT = 4222


@contextmanager
def own_nats(folder: Path, *options: str) -> Iterator[str]:
    """The address of a running server that keeps what it has in a folder, and is ended whatever comes."""
    binary = Path(sysconfig.get_path("scripts"), "nats-server")
    assert binary.exists(), "There is no nats-server in .venv: `make setup` installs it."
    port = free_port()
    told = ["--addr", "127.0.0.1", "--port", str(port), "--jetstream", "--store_dir", str(folder)]
    log = folder / "nats.log"
    with subprocess.Popen([binary, *told, "--log", log, *options]) as process:
        try:
            assert eventually(lambda: answers("127.0.0.1", port)), f"nats-server did not start:\n{_read(log)}"
            yield f"nats://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(_PATIENCE_SECONDS)
            finally:
                process.kill()


def nats_greeting(url: str) -> dict[str, Any]:
    """What a server says of itself to whoever connects, before anything is asked."""
    at = urlsplit(url if "://" in url else f"nats://{url}")
    with socket.create_connection((at.hostname, at.port or _PORT), timeout=_PATIENCE_SECONDS) as line:
        verb, _, told = line.makefile("rb").readline().partition(b" ")
    assert verb == b"INFO", f"What answers at port {at.port or _PORT} is no NATS server."
    greeting: dict[str, Any] = json.loads(told)
    return greeting


def _read(log: Path) -> str:
    return log.read_text() if log.exists() else ""
