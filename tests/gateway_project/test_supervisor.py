"""Children that are started again when they die, and that end in their order."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from gateway_project.supervisor import LONGEST_PAUSE, Child, pause_after
from tests.support.processes import ROOT
from tests.support.waiting import eventually

LIVES = """
import os, signal, sys
open(sys.argv[1], "a").write(f"{os.getpid()}\\n")
signal.pause()
"""
STAYS = """
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1], "a").write(f"{os.getpid()}\\n")
while True:
    signal.pause()
"""
WAITS_FOR_WORD = """
import os, signal, sys
name, told, word = sys.argv[1:]
def end(*_):
    print(name, "is asked", file=open(told, "a"))
    open(word).read()
    print(name, "ends", file=open(told, "a"))
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print(name, "lives", file=open(told, "a"))
while True:
    signal.pause()
"""
SUPERVISES = """
import asyncio, sys
from gateway_project.supervisor import Child, supervise
told, word, program = sys.argv[1:]
ranks = [[Child(name, (sys.executable, "-c", program, name, told, word))] for name in ("web", "drain")]
ending = lambda: print("it ends", file=open(told, "a"))
sys.exit(0 if asyncio.run(supervise(*ranks, ending=ending)) else 1)
"""


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """What children write."""
    file = tmp_path / "told"
    file.touch()
    return file


def child_of(program: str, told: Path, patience: float = 10.0) -> Child:
    return Child("web 1", (sys.executable, "-c", program, str(told)), patience=patience)


def is_written(told: Path, line: str) -> bool:
    return line in told.read_text()


async def seen(look: Callable[[], bool]) -> None:
    assert await asyncio.to_thread(eventually, look)


def lives(told: Path) -> list[int]:
    """The process of each life."""
    return [int(line) for line in told.read_text().splitlines()]


async def test_a_child_that_is_killed_is_started_again(told: Path, caplog: pytest.LogCaptureFixture) -> None:
    child = child_of(LIVES, told)
    keeping = asyncio.create_task(child.keep())
    await seen(lambda: len(lives(told)) == 1)
    os.kill(lives(told)[0], signal.SIGKILL)
    await seen(lambda: len(lives(told)) == 2)
    assert "web 1 was ended by signal 9 (Killed)" in caplog.text
    child.tell()
    assert await keeping is True
    with pytest.raises(ProcessLookupError):
        os.kill(lives(told)[1], 0)


async def test_a_child_that_ends_by_itself_is_started_again(
    told: Path, caplog: pytest.LogCaptureFixture
) -> None:
    child = child_of("import sys; open(sys.argv[1], 'a').write('1\\n'); sys.exit(3)", told)
    keeping = asyncio.create_task(child.keep())
    await seen(lambda: len(lives(told)) == 2)
    assert "web 1 ended by itself with exit code 3: it is started again in 0.5 s" in caplog.text
    child.tell()
    await keeping


async def test_a_child_that_does_not_end_is_killed_and_that_is_not_well(told: Path) -> None:
    child = child_of(STAYS, told, patience=0.1)
    keeping = asyncio.create_task(child.keep())
    await seen(lambda: len(lives(told)) == 1)
    child.tell()
    assert await asyncio.wait_for(keeping, 10) is False
    with pytest.raises(ProcessLookupError):
        os.kill(lives(told)[0], 0)


async def test_a_program_that_cannot_be_started_is_tried_until_it_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    child = Child("web 1", ("/nowhere/to/be/found",))
    keeping = asyncio.create_task(child.keep())
    await seen(lambda: caplog.text.count("could not be started") == 2)
    child.tell()
    assert await asyncio.wait_for(keeping, 5) is True


def test_the_pause_grows_with_each_short_life_and_has_an_end() -> None:
    pauses = [pause_after(deaths) for deaths in range(12)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0, LONGEST_PAUSE)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_ranks_end_one_after_the_other(told: Path, tmp_path: Path, how: signal.Signals) -> None:
    """The first is still ending, and the last not even asked, until the first has ended."""
    word = tmp_path / "word"
    os.mkfifo(word)
    command = (sys.executable, "-c", SUPERVISES, str(told), str(word), WAITS_FOR_WORD)
    with subprocess.Popen(command, cwd=ROOT) as supervisor:
        try:
            assert eventually(lambda: told.read_text().count("lives") == 2)
            supervisor.send_signal(how)
            assert eventually(partial(is_written, told, "web is asked"))
            assert told.read_text().splitlines()[2:] == ["it ends", "web is asked"]
            for name in ("web", "drain"):
                assert eventually(partial(is_written, told, f"{name} is asked"))
                word.write_text("end")
                assert eventually(partial(is_written, told, f"{name} ends"))
            assert supervisor.wait(10) == 0
        finally:
            with suppress(ProcessLookupError):
                supervisor.kill()
    expected = ["it ends", "web is asked", "web ends", "drain is asked", "drain ends"]
    assert told.read_text().splitlines()[2:] == expected
