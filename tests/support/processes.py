"""Management commands in processes of their own, in a bare environment, each with a log."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
_KEPT = ("PATH", "HOME", "TMPDIR", "LANG")
_COMMAND_SECONDS = 60.0
_END_SECONDS = 20.0


class Running:
    """A command that runs until it is ended, and may be started again."""

    def __init__(self, *arguments: str, environment: Mapping[str, str], log: Path) -> None:
        self._arguments = arguments
        self._environment = environment
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What it wrote so far, in all its lives."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def pid(self) -> int:
        """Its process, which must be there."""
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; it is not ready yet."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", *self._arguments],
                cwd=ROOT,
                env=bare(self._environment),
                stdout=output,
                stderr=output,
            )

    def stop(self) -> int:
        """Ask it to end, and wait for that; its exit code."""
        return self.end(signal.SIGTERM)

    def kill(self) -> None:
        """End it on the spot."""
        self.end(signal.SIGKILL)

    def end(self, how: signal.Signals) -> int:
        """Send it a signal that ends it; its exit code."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(how)
        try:
            return process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def manage(*arguments: str, environment: Mapping[str, str], told: str = "") -> str:
    """What a command prints that ends by itself; loud when it fails."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=bare(environment),
        input=told,
        capture_output=True,
        text=True,
        check=False,
        timeout=_COMMAND_SECONDS,
    )
    assert done.returncode == 0, f"{arguments} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


@contextmanager
def frozen(process: int) -> Iterator[None]:
    """Let a process stand still meanwhile: its connections stand, and it says nothing."""
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def bare(environment: Mapping[str, str]) -> dict[str, str]:
    """The least of our own environment, and this."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | {"DJANGO_SETTINGS_MODULE": "gateway_project.settings"} | {**environment}
