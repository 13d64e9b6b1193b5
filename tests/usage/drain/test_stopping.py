"""A drainer that waits for a server ends when it is told to, and not when its pause is over."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from types import FrameType

import pytest

from tests.support.waiting import eventually
from usage.drain import drainer as drainer_module
from usage.drain.drainer import Drainer
from usage.drain.journal import Journal
from usage.drain.ledger import Ledger

NOWHERE = "127.0.0.1:1"


@pytest.fixture
def drainer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Drainer]:
    """One that finds no servers, and looks again in an hour."""
    monkeypatch.setattr(drainer_module, "_SHORTEST_PAUSE", 3_600.0)
    ledger = Ledger(f"postgresql://{NOWHERE}/none")
    drainer = Drainer(journal=Journal(f"redis://{NOWHERE}"), ledger=ledger, upkeep=list)
    yield drainer
    drainer.close()


@contextmanager
def alarm(seconds: float, ring: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """A signal to this thread, however it waits, and another one if it waits on."""
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 5.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_it_stops_while_it_waits(drainer: Drainer, caplog: pytest.LogCaptureFixture) -> None:
    thread = Thread(target=drainer.run, daemon=True)
    thread.start()
    assert eventually(lambda: "the drain waits: PostgreSQL" in caplog.text)
    drainer.stop()
    thread.join(timeout=5)
    assert not thread.is_alive()


def test_a_signal_stops_it_while_it_waits(drainer: Drainer, caplog: pytest.LogCaptureFixture) -> None:
    """Signals come to the thread that waits itself."""
    rung = Event()

    def ring(*_: object) -> None:
        if rung.is_set():
            raise TimeoutError
        rung.set()
        drainer.stop()

    with alarm(0.2, ring):
        drainer.run()
    assert rung.is_set()
    assert "the drain waits: PostgreSQL" in caplog.text
