"""Calls wait in line for their tenant's own limits, and the books hear of the one in front alone."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import pytest
from msgspec.structs import replace

from gateway.accounts import Refusal, Verdict
from gateway.errors import BooksAway
from gateway.queueing import LocalQueue
from gateway.turns import QueueFull
from tests.support.clock import FakeClock, idle
from tests.support.engine import make_account

PLACES = make_account("concurrency", limit=1, window="none")
CALLS = make_account("requests", limit=1, window="minute")


def _refused(retry_ms: int = 60_000, account: object = PLACES) -> Verdict:
    assert account in (PLACES, CALLS)
    return Verdict(refusal=Refusal(account=PLACES if account is PLACES else CALLS, retry_ms=retry_ms))


class Room:
    """Books with so many places, and the calls that wait for them."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.queue = LocalQueue(clock, Random(1))
        self.free = 0
        self.asked: list[str] = []
        self.asks = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()
        self.let_in: list[str] = []
        self.positions: list[int] = []
        self.says: dict[str, Verdict] = {}
        """What the books say to some, whatever is free."""

    def wait(
        self, name: str, *, priority: int = 0, seconds: float = 1_000, most_waiting: int = 100
    ) -> "asyncio.Task[Verdict]":
        """A call that was refused waits."""

        async def waiting() -> Verdict:
            verdict = await self.queue.wait_turn(
                _refused(),
                priority=priority,
                until=self.clock.monotonic() + seconds,
                retry=self._retry(name),
                most_waiting=most_waiting,
                seen=self.positions.append,
            )
            if verdict.refusal is None:
                self.let_in.append(name)
            return verdict

        return asyncio.ensure_future(waiting())

    async def settle(self, count: int = 1) -> None:
        """So many calls settle here."""
        self.free += count
        self.queue.settled([PLACES, replace(PLACES, id="somebody:else")])
        await idle(100)

    def _retry(self, name: str) -> Callable[[], Awaitable[Verdict]]:
        async def retry() -> Verdict:
            self.asked.append(name)
            self.asks.set()
            await asyncio.sleep(0)
            await self.answers.wait()
            if name in self.says:
                return self.says[name]
            if not self.free:
                return _refused()
            self.free -= 1
            return Verdict()

        return retry


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still until it is turned."""
    return FakeClock()


@pytest.fixture
def room(clock: FakeClock) -> Room:
    """Nothing is free in it."""
    return Room(clock)


async def _begun(*tasks: "asyncio.Task[Verdict]") -> None:
    await idle()
    assert not any(task.done() for task in tasks)


async def test_a_settled_call_lets_the_first_one_in_at_once(room: Room) -> None:
    tasks = [room.wait(name) for name in "abc"]
    await _begun(*tasks)
    assert (room.asked, room.positions) == ([], [1, 2, 3])
    await room.settle()
    assert room.let_in == ["a"]
    assert room.asked == ["a", "b"]  # the next one sees whether there is more
    await room.settle(2)
    assert (await tasks[1], await tasks[2]) == (Verdict(), Verdict())
    assert room.let_in == ["a", "b", "c"]


async def test_higher_priorities_go_first_then_who_came_first(room: Room) -> None:
    tasks = [
        room.wait(name, priority=priority) for name, priority in (("a", 0), ("b", 5), ("c", 0), ("d", 5))
    ]
    await _begun(*tasks)
    await room.settle(4)
    assert room.let_in == ["b", "d", "a", "c"]


async def test_only_the_one_in_front_asks_and_ever_more_rarely(room: Room, clock: FakeClock) -> None:
    tasks = [room.wait(f"caller {number}") for number in range(50)]
    await _begun(*tasks)
    began, times = clock.monotonic(), []
    for _ in range(40):
        count = len(room.asked)
        await clock.turn(0.1)
        times += [round(clock.monotonic() - began, 1)] * (len(room.asked) - count)
    assert set(room.asked) == {"caller 0"}
    assert 8 <= len(times) <= 18  # 25 to 50 ms, then twice that, up to 250 to 500
    assert len([one for one in times if one <= 0.5]) >= 3
    for task in tasks:
        task.cancel()


async def test_the_books_are_asked_when_they_said_if_that_is_soon(room: Room, clock: FakeClock) -> None:
    room.says["a"] = _refused(retry_ms=10)
    task = room.wait("a")
    await clock.turn(1)
    asked = len(room.asked)
    await clock.turn(1)
    assert len(room.asked) - asked == pytest.approx(100, abs=2)
    task.cancel()


async def test_a_call_that_settles_while_the_books_are_asked_is_not_missed(
    room: Room, clock: FakeClock
) -> None:
    task = room.wait("a")
    await _begun(task)
    room.queue.settled([PLACES])
    await room.asks.wait()
    room.queue.settled([PLACES])  # refused already, and not heard yet
    await idle()
    assert room.asked == ["a", "a"]
    task.cancel()


async def test_who_comes_to_the_front_while_another_asks_asks_next(room: Room, clock: FakeClock) -> None:
    task = room.wait("a")
    await _begun(task)
    room.answers.clear()
    room.queue.settled([PLACES])
    await room.asks.wait()
    urgent = room.wait("urgent", priority=1)
    await idle()
    room.answers.set()
    await idle()
    room.free = 1
    await clock.turn(1)  # nobody tells
    assert room.let_in == ["urgent"]
    assert urgent.done()
    task.cancel()


async def test_the_newest_refusal_is_told_when_the_time_is_over(room: Room, clock: FakeClock) -> None:
    room.says["a"] = _refused(retry_ms=77_000)
    tasks = [room.wait("a", seconds=5), room.wait("b", seconds=3)]
    await clock.turn(3)
    assert (await tasks[1]).refusal == Refusal(account=PLACES, retry_ms=77_000)
    assert not tasks[0].done()
    await clock.turn(2)
    assert (await tasks[0]).refusal == Refusal(account=PLACES, retry_ms=77_000)
    assert set(room.asked) == {"a"}


async def test_who_may_not_wait_is_not_asked_for(room: Room) -> None:
    assert await room.wait("a", seconds=0) == _refused()
    assert room.asked == []


async def test_a_line_has_an_end(room: Room) -> None:
    tasks = [room.wait(name) for name in "ab"]
    await _begun(*tasks)
    with pytest.raises(QueueFull):
        await room.wait("c", most_waiting=2)
    await room.settle(2)
    assert room.let_in == ["a", "b"]


async def test_who_leaves_the_front_makes_way(room: Room) -> None:
    tasks = [room.wait(name) for name in "abc"]
    await _begun(*tasks)
    tasks[0].cancel()
    tasks[1].cancel()
    await idle()
    await room.settle()
    assert room.let_in == ["c"]


async def test_who_is_cancelled_while_it_asks_makes_way(room: Room) -> None:
    tasks = [room.wait(name) for name in "ab"]
    await _begun(*tasks)
    room.queue.settled([PLACES])
    await room.asks.wait()
    tasks[0].cancel()
    await idle()
    await room.settle()
    assert room.let_in == ["b"]


async def test_another_account_that_refuses_has_its_own_line(room: Room, clock: FakeClock) -> None:
    room.says["a"] = _refused(account=CALLS)
    tasks = [room.wait(name) for name in "ab"]
    await _begun(*tasks)
    await room.settle()
    assert room.let_in == ["b"]  # the place was not for the other one
    del room.says["a"]
    room.free = 1
    room.queue.settled([CALLS])
    await idle()
    assert room.let_in == ["b", "a"]


async def test_what_goes_wrong_is_told_to_who_asked(room: Room) -> None:
    async def away() -> Verdict:
        raise BooksAway

    asking = room.queue.wait_turn(_refused(1), priority=0, until=room.clock.monotonic() + 9, retry=away)
    task = asyncio.ensure_future(asking)
    await room.clock.turn(1)
    with pytest.raises(BooksAway):
        await task
    other = room.wait("b")
    await _begun(other)
    await room.settle()
    assert await other == Verdict()
