"""A child does not outlive its parent, however the parent dies."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import ROOT, bare
from tests.support.waiting import eventually

HOLDS = "import fcntl, signal; lock = open({path!r}, 'w'); fcntl.flock(lock, fcntl.LOCK_EX); {then}"
PARENT = """
import asyncio, sys
from pathlib import Path
from gateway_project.lifeline import Lifeline
folder, program = sys.argv[1:]
child = Lifeline(Path(folder)).child("child", ("shell", "--no-imports", "-c", program), {})
asyncio.run(child.keep())
"""
IGNORES = (
    "signal.signal(signal.SIGTERM, signal.SIG_IGN); open({ready!r}, 'w'); [signal.pause() for _ in 'ab']"
)
ENDS = "signal.signal(signal.SIGTERM, lambda *_: exit(3)); open({ready!r}, 'w'); signal.pause()"


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def started(*arguments: str, home: Path, held: int | None = None) -> Iterator["subprocess.Popen[bytes]"]:
    descriptors = () if held is None else (held,)
    environment = bare({"GATEWAY_HOME": str(home)})
    with subprocess.Popen(
        (sys.executable, *arguments), cwd=ROOT, env=environment, pass_fds=descriptors
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    program = HOLDS.format(path=str(lock), then="signal.pause()")
    with started("-c", PARENT, str(ROOT), program, home=tmp_path) as parent:
        assert eventually(lambda: is_held(lock))
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        assert eventually(lambda: not is_held(lock))


@pytest.mark.parametrize(
    ("then", "patience", "code"),
    [(IGNORES, "0.1", -signal.SIGKILL), (ENDS, "60", 3)],
    ids=["killed after a while if it does not care", "not waited for if it does"],
)
def test_a_child_without_a_parent_is(then: str, patience: str, code: int, tmp_path: Path) -> None:
    lock, ready = tmp_path / "lock", tmp_path / "ready"
    program = HOLDS.format(path=str(lock), then=then.format(ready=str(ready)))
    held, kept = os.pipe()
    arguments = (
        "-m",
        "gateway_project.lifeline",
        str(held),
        patience,
        "shell",
        "--no-imports",
        "-c",
        program,
    )
    with started(*arguments, home=tmp_path, held=held) as child:
        assert eventually(ready.exists)
        os.close(kept)
        assert child.wait(10) == code
    os.close(held)
