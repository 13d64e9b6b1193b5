"""Identical calls under way at once become one call of the provider.

Whoever comes first leads: its call is made in a task of its own, and what comes of it is kept as long as
others may still join and hear it from the beginning. A leader that leaves while others listen lets its
call go on to the end, since it is the one that pays for it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from copy import copy

from msgspec.structs import replace

from gateway.call import Event, Reply, Served
from gateway.catalog import Deployment
from gateway.errors import DeadlinePassed, GatewayError
from gateway.ports import Relay
from gateway.tab import Tab, served_by

JOINED_UNTIL = 1 << 20
"""Bytes of an answer that are kept for those who come late; a longer one is joined no more."""
AHEAD_AT_MOST = 1 << 18
"""Bytes that a provider may be ahead of the quickest listener."""
FLIGHTS_AT_MOST = 3
"""How often a call waits for others in vain before it is made for itself."""

Make = Callable[[Relay | None], Awaitable[Reply]]


class FlightFailed(Exception):
    """The call that was joined came to nothing before its listener heard anything: ask for yourself."""


class Flight:
    """One call of the provider, and all who listen to it."""

    def __init__(self) -> None:
        self.served: Served | None = None
        self.deployment: Deployment | None = None
        """Who answered, once the answer is whole."""
        self.leader = ""
        """The call that is made for all."""
        self.followers = 0
        self._events: list[Event] = []
        self._dropped = 0
        self._size = 0
        self._heard: dict[object, tuple[int, int]] = {}
        """How many events, and bytes, each listener has been told."""
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._over = False
        self._reply: Reply | None = None
        self._error: Exception | None = None

    @property
    def is_joinable(self) -> bool:
        """Whether it may still be heard from its beginning."""
        return not self._dropped and self._size <= JOINED_UNTIL and not self._over

    async def lead(self, make: Make, relay: Relay | None) -> Reply:
        """Make the call, and be told of it like all others."""
        making = asyncio.ensure_future(self._make(make))
        try:
            return await self._listen(relay, None)
        except BaseException:
            await self._finish(making)
            raise

    async def follow(self, relay: Relay | None, tab: Tab) -> Reply:
        """Be told of a call that another makes; `FlightFailed` if nothing was heard of it."""
        self.followers += 1
        return await self._listen(relay, tab)

    async def start(self, served: Served) -> None:
        """The answer is committed."""
        self.served = served
        self._tell()

    async def send(self, event: Event) -> None:
        """Keep one event for all; the provider waits when even the quickest listener is far behind."""
        self._events.append(event)
        self._size += len(event.data)
        self._tell()
        while self._heard and self._size - max(size for _, size in self._heard.values()) > AHEAD_AT_MOST:
            self._room.clear()
            await self._room.wait()

    def end(self) -> None:
        """Nothing more comes, if anything did."""
        self._over = True
        self._tell()

    async def _make(self, make: Make) -> None:
        try:
            self._reply = await make(self)
        except Exception as error:  # noqa: BLE001 - it is raised again, in the tasks of those who listen
            self._error = error
        finally:
            self.end()

    async def _finish(self, making: "asyncio.Future[None]") -> None:
        """The leader hears no more: its call ends with it, unless others listen."""
        task = asyncio.current_task()
        if self._heard and task is not None:
            task.uncancel()  # its leaving is told again when this is over
        else:
            making.cancel()
        try:
            await asyncio.wait([making])
        except asyncio.CancelledError:
            making.cancel()
            await asyncio.wait([making])
            raise

    async def _listen(self, relay: Relay | None, follower: Tab | None) -> Reply:
        """Pass everything on to one caller; those who follow have quotas and waits of their own."""
        listener, begun = object(), False
        self._heard[listener] = 0, 0
        try:
            while True:
                news = self._news
                if self.served is not None and not begun and relay is not None:
                    begun = True
                    await relay.start(_told_of(self.served, follower))
                await self._pass_on(listener, relay)
                if self._over:
                    break
                await news.wait()
        finally:
            del self._heard[listener]
            self._room.set()
        if self._reply is not None:
            return self._reply
        if follower is not None and not begun:
            raise FlightFailed from self._error
        raise _of_ones_own(self._error)

    async def _pass_on(self, listener: object, relay: Relay | None) -> None:
        count, size = self._heard[listener]
        while count < self._dropped + len(self._events):
            event = self._events[count - self._dropped]
            if relay is not None:
                await relay.send(event)
            count, size = count + 1, size + len(event.data)
            self._heard[listener] = count, size
            self._room.set()
            self._drop()

    def _drop(self) -> None:
        """Keep no more than listeners still have to be told, once nobody can join any more."""
        if self._size > JOINED_UNTIL:
            least = min(count for count, _ in self._heard.values())
            del self._events[: least - self._dropped]
            self._dropped = least

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


class Seat:
    """One call's place in a flight: the leader's, or that of one who follows."""

    __slots__ = ("flight", "leads", "name")

    def __init__(self, name: str, flight: Flight, *, leads: bool) -> None:
        self.name = name
        self.flight = flight
        self.leads = leads


class Flights:
    """The calls of a process that others may join, by what they ask."""

    def __init__(self) -> None:
        self._flights: dict[str, Flight] = {}
        self.joined = 0
        """Calls so far that were answered by another one's."""

    def __len__(self) -> int:
        return len(self._flights)

    def is_joinable(self, name: str) -> bool:
        """Whether one is under way that may be joined."""
        return name in self._flights and self._flights[name].is_joinable

    def board(self, name: str) -> Seat:
        """Follow the one under way, or lead a new one."""
        if self.is_joinable(name):
            return Seat(name, self._flights[name], leads=False)
        flight = self._flights[name] = Flight()
        return Seat(name, flight, leads=True)

    def leave(self, seat: Seat | None) -> None:
        """The call is over; a flight that never began is, too."""
        if seat is not None and seat.leads:
            seat.flight.end()
            if self._flights.get(seat.name) is seat.flight:
                del self._flights[seat.name]

    async def fly(self, tab: Tab, make: Make, relay: Relay | None) -> Reply:
        """The answer to a call, which may be that to another one that asks the same."""
        for _ in range(FLIGHTS_AT_MOST):
            seat = tab.seat
            if seat is None:
                break
            if seat.leads:
                return await _lead(tab, seat.flight, make, relay)
            with suppress(FlightFailed):
                reply = await _follow(tab, seat.flight, relay)
                self.joined += 1
                return reply
            tab.note("joined_in_vain", "call", seat.flight.leader)
            tab.seat = self.board(seat.name)
        return await make(relay)


async def _lead(tab: Tab, flight: Flight, make: Make, relay: Relay | None) -> Reply:
    async def answer(listener: Relay | None) -> Reply:
        reply = await make(listener)
        flight.deployment = tab.served
        return reply

    flight.leader = str(tab.call.id)
    try:
        return await flight.lead(answer, relay)
    finally:
        if flight.followers:
            tab.note("led", "calls", str(flight.followers))


async def _follow(tab: Tab, flight: Flight, relay: Relay | None) -> Reply:
    limit = tab.call.origin.timeout
    try:
        async with asyncio.timeout(limit):
            reply = await flight.follow(relay, tab)
    except TimeoutError:
        raise DeadlinePassed from None
    tab.cache, tab.served, tab.is_paid_for = "shared", flight.deployment, True
    tab.note("joined", "call", flight.leader)
    return reply


def _told_of(served: Served, follower: Tab | None) -> Served:
    if follower is None:
        return served
    own = served_by(follower, None)
    return replace(served, cache="shared", rates=own.rates, position=own.position, waited_ms=own.waited_ms)


def _of_ones_own(error: Exception | None) -> Exception:
    """An error that is noted in several calls must not be one and the same."""
    return copy(error) if error is not None else GatewayError()
