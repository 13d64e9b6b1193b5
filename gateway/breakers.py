"""The breakers of all deployments, as this process and others see them.

A closed breaker costs its calls a look into a dict. What opens or closes here is told to others, and what
others told is heard a few times a second. While nobody can be heard, each process decides by itself.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable

from gateway.breaker import Breaker, State
from gateway.catalog import Deployment
from gateway.ports import Clock, Signs
from gateway.signs import Key, Sign, SignsAway, key_of

BREAKERS_AT_MOST = 10_000
"""A star lets callers invent names."""
LOOK_EVERY = 0.25
ANSWERS_WITHIN = 6.0
"""Seconds that others have to be told, or heard: a database file may be busy for five of them."""
CLAIMED_WITHIN = 0.5
"""Seconds that a call waits to hear whether the probe is its own."""
OVERLAP = 10.0
"""Seconds that each look goes back beyond the one before: what was told then may have been seen late."""

MakeBreaker = Callable[[], Breaker]
_Spot = tuple[int, str]
"""A key with the number of its id, which is looked up faster than the id itself."""

logger = logging.getLogger(__name__)


class _Known:
    """A breaker, with what the shared state is compared by."""

    __slots__ = ("breaker", "detail", "forgiven_at", "name", "opened_at", "version")

    def __init__(self, breaker: Breaker, name: str) -> None:
        self.breaker = breaker
        self.name = name
        self.opened_at = 0.0
        self.forgiven_at = 0.0
        self.version = 0
        self.detail = ""


class Board:
    """All breakers of a process. `run` keeps them together with those of others."""

    def __init__(
        self,
        *,
        clock: Clock,
        make_breaker: MakeBreaker = Breaker,
        signs: Signs | None = None,
        most: int = BREAKERS_AT_MOST,
        answers_within: float = ANSWERS_WITHIN,
    ) -> None:
        self.failing = False
        """Others could not be heard lately."""
        self._clock = clock
        self._make_breaker = make_breaker
        self._signs = signs
        self._most = most
        self._answers_within = answers_within
        self._known: dict[_Spot, _Known] = {}
        self._untold: dict[Key, None] = {}
        self._heard_at = clock.monotonic()
        self._turn = asyncio.Lock()
        self._telling: asyncio.Task[None] | None = None

    def is_clear(self, deployment: Deployment) -> bool:
        """Whether nothing speaks against a call; if something does, ask `lets_through`."""
        known = self._known.get((deployment.id.int, deployment.upstream))
        return (known is None or known.breaker.until is None) and not deployment.held_open

    async def lets_through(self, deployment: Deployment) -> bool:
        """Whether a call may go there all the same: one probe of all processes' after a rest."""
        if deployment.held_open:
            return False
        known, now = self._known.get(_spot(key_of(deployment))), self._clock.monotonic()
        if known is None:
            return True
        _forgive(known, deployment)
        if not known.breaker.admits(now):
            return False
        return known.breaker.until is None or await self._claims(key_of(deployment), known.breaker)

    def succeeded(self, deployment: Deployment) -> None:
        """A call was answered there."""
        known = self._known.get((deployment.id.int, deployment.upstream))
        if known is None or not known.name:
            self.get(deployment)
        if known is None or known.breaker.is_well:
            return
        if known.breaker.succeeded(self._clock.monotonic()):
            self._tell(key_of(deployment))

    def failed(self, deployment: Deployment, detail: str = "") -> None:
        """A call failed there in a way that says that it is ill; the detail is a word of ours."""
        self.get(deployment)
        known = self._known[_spot(key_of(deployment))]
        _forgive(known, deployment)
        if known.breaker.failed(self._clock.monotonic()):
            known.opened_at, known.detail = self._clock.now(), detail
            self._tell(key_of(deployment))

    def get(self, deployment: Deployment) -> Breaker:
        """The breaker of a deployment."""
        known = self._known.get((deployment.id.int, deployment.upstream))
        if known is None:
            known = self._meet(key_of(deployment), deployment.name)
        elif not known.name:  # others were the first to tell of it
            known.name = deployment.name
        return known.breaker

    def state(self, deployment: Deployment) -> State:
        """How a deployment's breaker is, whoever decided so."""
        known = self._known.get(_spot(key_of(deployment)))
        if known is not None:
            _forgive(known, deployment)
        if deployment.held_open:
            return "open"
        return "closed" if known is None else known.breaker.state(self._clock.monotonic())

    def states_of(self, deployment: Deployment) -> list[State]:
        """The same, of every model that was met behind a star."""
        if "*" not in deployment.upstream or deployment.held_open:
            return [self.state(deployment)]
        now = self._clock.monotonic()
        met = [known for (row, _), known in list(self._known.items()) if row == deployment.id.int]
        for known in met:
            _forgive(known, deployment)
        return [known.breaker.state(now) for known in met]

    def states(self) -> dict[str, State]:
        """By a deployment's name, of all that were met; the worst, where several are called so."""
        now, states = self._clock.monotonic(), dict[str, State]()
        for known in list(self._known.values()):
            state = known.breaker.state(now)
            if _BADNESS[state] >= _BADNESS[states.get(known.name, "closed")]:
                states[known.name] = state
        return states

    async def run(self) -> None:
        """Tell and hear until cancelled."""
        while self._signs is not None:
            await self.look()
            await self._clock.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Tell what is to be told and hear what others told; that this fails is noted, and tried again."""
        if self._signs is None:
            return
        try:
            async with self._turn, asyncio.timeout(self._answers_within):
                await self._tell_all()
                await self._hear()
        except Exception as error:  # noqa: BLE001 - whatever the others' place does, calls go on
            if not self.failing:
                logger.warning("breakers are not shared: %s", type(error).__name__)
            self.failing = True
        else:
            self.failing = False

    def hear(self, signs: Iterable[Sign]) -> None:
        """Do as was done elsewhere, where that is news and nothing newer happened here."""
        for sign in signs:
            known = self._known.get(_spot(sign.key))
            if sign.key in self._untold or (known is None and not sign.is_open):
                continue
            known = known or self._meet(sign.key, "")
            if sign.version <= known.version:
                continue
            known.version, known.opened_at, known.detail = sign.version, sign.opened_at, sign.detail
            if sign.is_open:
                known.breaker.open(self._clock.monotonic() + min(sign.rest, known.breaker.rest))
            else:
                known.breaker.close()

    def _meet(self, key: Key, name: str) -> _Known:
        if len(self._known) >= self._most:
            self._known = {key: one for key, one in self._known.items() if not one.breaker.is_well}
        known = self._known[_spot(key)] = _Known(self._make_breaker(), name)
        return known

    async def _claims(self, key: Key, breaker: Breaker) -> bool:
        """Whether the probe is this call's; it is, as far as we know, where nobody can be asked."""
        if self._signs is None:
            return True
        try:
            async with asyncio.timeout(CLAIMED_WITHIN):
                claimed = await self._signs.claim(key, breaker.rest)
        except (SignsAway, TimeoutError):
            return True
        if not claimed:
            breaker.stand_back(self._clock.monotonic() + LOOK_EVERY)
        return claimed

    def _tell(self, key: Key) -> None:
        if self._signs is None:
            return
        self._untold[key] = None
        if self._telling is None or self._telling.done():
            self._telling = asyncio.get_running_loop().create_task(self.look())

    async def _tell_all(self) -> None:
        while self._untold and self._signs is not None:
            key = next(iter(self._untold))
            del self._untold[key]
            known = self._known.get(_spot(key))
            if known is None:
                continue
            try:
                version = await self._signs.tell(self._sign(key, known))
            except BaseException:
                self._untold[key] = None  # unless it changes once more, this is told at the next look
                raise
            known.version = max(known.version, version)

    def _sign(self, key: Key, known: _Known) -> Sign:
        until = known.breaker.until
        rest = 0.0 if until is None else until - self._clock.monotonic()
        return Sign(
            key=key,
            is_open=until is not None,
            rest=rest,
            opened_at=known.opened_at,
            detail=known.detail,
        )

    async def _hear(self) -> None:
        if self._signs is None:
            return
        began = self._clock.monotonic()
        self.hear(await self._signs.heard(began - self._heard_at + OVERLAP))
        self._heard_at = began


def _spot(key: Key) -> _Spot:
    return key[0].int, key[1]


def _forgive(known: _Known, deployment: Deployment) -> None:
    """An operator's closing ends what was before it, once."""
    if deployment.closed_at > known.forgiven_at:
        known.forgiven_at = deployment.closed_at
        if deployment.closed_at > known.opened_at:
            known.breaker.close()


_BADNESS: dict[State, int] = {"closed": 0, "half_open": 1, "open": 2}
