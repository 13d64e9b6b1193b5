"""Processes that share what they see of deployments, all on one clock."""

from collections.abc import Sequence

from gateway.breaker import Breaker
from gateway.breakers import LOOK_EVERY, Board
from gateway.catalog import Deployment
from gateway.memory import MemorySigns
from gateway.ports import Signs
from gateway.signs import Key, Sign, SignsAway
from tests.support.clock import FakeClock, idle

THRESHOLD, REST = 3, 60.0


class TroubledSigns:
    """Signs that may be away."""

    def __init__(self, signs: Signs) -> None:
        self.away = False
        self.asked: list[str] = []
        """What was asked of it, in order."""
        self._signs = signs

    async def tell(self, sign: Sign) -> int:
        self._ask("tell")
        return await self._signs.tell(sign)

    async def heard(self, within: float) -> Sequence[Sign]:
        self._ask("heard")
        return await self._signs.heard(within)

    async def claim(self, key: Key, rest: float) -> bool:
        self._ask("claim")
        return await self._signs.claim(key, rest)

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.away:
            raise SignsAway


class Boards:
    """Some boards on one port."""

    def __init__(self, clock: FakeClock, count: int = 2) -> None:
        self.clock = clock
        self.signs = TroubledSigns(MemorySigns(clock))
        self.all = [make_board(clock, self.signs) for _ in range(count)]

    async def look(self, seconds: float = LOOK_EVERY) -> None:
        """Let so much time pass, and all of them look."""
        await idle()
        self.clock.advance(seconds)
        for _ in range(2):
            for board in self.all:
                await board.look()

    async def admits(self, deployment: Deployment) -> list[bool]:
        """What each says to a call."""
        return [await admits(board, deployment) for board in self.all]


def make_board(clock: FakeClock, signs: Signs | None = None, **fields: int) -> Board:
    """A board whose breakers open after a few failures."""
    return Board(
        clock=clock, make_breaker=lambda: Breaker(threshold=THRESHOLD, rest=REST), signs=signs, **fields
    )


def open_on(board: Board, deployment: Deployment) -> None:
    """Let so many calls fail that its breaker opens."""
    for _ in range(THRESHOLD):
        board.failed(deployment, "provider_error")


async def admits(board: Board, deployment: Deployment) -> bool:
    """As a call asks."""
    return board.is_clear(deployment) or await board.lets_through(deployment)
