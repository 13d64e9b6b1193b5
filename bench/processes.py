"""The processes of a benchmark: started on a core of their own, waited for, weighed and stopped."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROC = Path("/proc")
KEPT = ("PATH", "HOME", "TMPDIR", "LANG")
READY_SECONDS = 60.0
STOP_SECONDS = 15.0


class BenchError(Exception):
    """Something went wrong that makes the figures worthless."""


@dataclass(kw_only=True, frozen=True)
class Process:
    """A running server and where it listens."""

    name: str
    pid: int
    port: int

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def cores() -> tuple[int | None, int | None]:
    """The server's core and the core of stub and load; None where there is no second core, or no pinning."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[0], allowed[1]) if len(allowed) > 1 else (None, None)


@contextlib.contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Children started inside inherit the core with their first thread."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """A bare environment, so that a developer's own settings do not colour the figures."""
    return {name: os.environ[name] for name in KEPT if name in os.environ} | dict(extra)


def run(arguments: Sequence[str], *, core: int | None = None, extra: Mapping[str, str] | None = None) -> str:
    """Run Python with `arguments` to its end and return what it printed; loud when it fails."""
    command = [sys.executable, *arguments]
    with pinned(core):
        done = subprocess.run(
            command, cwd=ROOT, env=environment(extra or {}), capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise BenchError(f"{' '.join(arguments)} failed:\n{done.stderr[-3000:] or done.stdout[-3000:]}")
    return done.stdout


@contextlib.contextmanager
def server(
    name: str,
    arguments: Sequence[str],
    *,
    core: int | None,
    ready: str,
    log: Path,
    extra: Mapping[str, str] | None = None,
) -> Iterator[Process]:
    """Start Python with `arguments --port <free port>`, wait until `ready` answers, stop it in the end."""
    port = free_port()
    with log.open("wb") as output, pinned(core):
        child = subprocess.Popen(
            [sys.executable, *arguments, "--port", str(port)],
            cwd=ROOT,
            env=environment(extra or {}),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        if not await_ready(child, port, ready):
            raise BenchError(f"{name} did not get ready:\n{log.read_text(errors='replace')[-3000:]}")
        yield Process(name=name, pid=child.pid, port=port)
    finally:
        stop(child)


def await_ready(child: "subprocess.Popen[bytes]", port: int, path: str) -> bool:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until and child.poll() is None:
        with contextlib.suppress(OSError, BenchError):
            get(port, path)
            return True
        time.sleep(0.05)
    return False


def stop(child: "subprocess.Popen[bytes]") -> None:
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def get(port: int, path: str) -> bytes:
    """The body of a 200, else a BenchError."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        body = reply.read()
    finally:
        connection.close()
    if reply.status != http.HTTPStatus.OK:
        raise BenchError(f"GET {path} answered {reply.status}: {body[:300]!r}")
    return body


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, its living descendants and those it reaped; 0 where there is no /proc."""
    return sum(sum(map(int, stat(member)[11:15])) for member in family(pid)) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    """Resident memory of a process and its living descendants; 0 where there is no /proc."""
    pages = sum(int(stat(member)[21]) for member in family(pid))
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def family(pid: int) -> list[int]:
    if not PROC.is_dir():
        return []
    parents: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (fields := stat(int(entry.name))):
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    members = [pid]
    for member in members:
        members.extend(parents.get(member, []))
    return members


def stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat after the name, which may hold spaces; none when it has gone."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
