"""Many callers at once, some of whom leave in the middle, and some of whom ask until they are answered."""

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.support.caller import CHAT, Caller, hello
from tests.support.provider_scripts import PIECES

_WHOLE_WITHIN = 60.0
_ASK_AGAIN_AFTER = 0.5
_BREATH = 0.02
_TRIES_AT_MOST = 20
_PASSING = frozenset({429, 502, 503, 504})
"""What somebody who asks until they are answered takes as no answer yet."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """What somebody is going to ask."""

    name: str
    caller: Caller
    after: float = 0.0
    """When, in seconds from the beginning."""
    model: str = "stub/any"
    seconds: float = 0.0
    """How long the provider is to take."""
    stream: bool = False
    leaves_after: float | None = None
    persists: bool = False
    """Asked again and again until there is an answer."""
    once: bool = False
    """Asked with an `Idempotency-Key`."""
    members: Mapping[str, Any] = field(default_factory=dict)
    """More of the body."""
    path: str = CHAT
    whole: bytes = b""
    """The very body, where the provider need not know the call by it."""

    @property
    def body(self) -> bytes:
        """The same at each try; the provider knows the call by it."""
        if self.whole:
            return self.whole
        told = {"stream": self.stream, "call_name": self.name, "seconds": self.seconds}
        return hello(self.model, **told, **self.members)


@dataclass(kw_only=True)
class Try:
    """One request, and how it went."""

    request: str
    began: float
    port: int = 0
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    left: bool = False
    """The caller did not wait for the end."""
    whole: bool = False
    """The answer came to its end."""
    ended: float = 0.0

    @property
    def seconds(self) -> float:
        """How long the caller waited."""
        return self.ended - self.began

    def json(self) -> Any:
        """The answer, read."""
        return json.loads(self.body)

    @property
    def pieces(self) -> int:
        """How many pieces of a stream arrived."""
        return sum(self.body.count(f'"{piece}"'.encode()) for piece in PIECES)


@dataclass(frozen=True, kw_only=True)
class Made:
    """A call that was made."""

    call: Call
    tries: list[Try]

    @property
    def last(self) -> Try:
        """How it went in the end."""
        return self.tries[-1]

    @property
    def answered(self) -> bool:
        """Whether the caller got an answer to its end."""
        return any(one.whole for one in self.tries)

    @property
    def left(self) -> bool:
        """Whether the caller left while it was made."""
        return any(one.left for one in self.tries)


async def make_all(calls: Iterable[Call]) -> list[Made]:
    """Make all calls, each in its time."""
    async with _session() as session:
        return await asyncio.gather(*(_make(session, call) for call in calls))


async def keep_calling(asked: Callable[[], Call], callers: int, until: asyncio.Event) -> list[Made]:
    """So many callers make one call after the other, until they are told to stop."""

    async def call_on(session: aiohttp.ClientSession) -> list[Made]:
        made = []
        while not until.is_set():
            made.append(await _make(session, asked()))
            await asyncio.sleep(_BREATH)
        return made

    async with _session() as session:
        return [
            one for made in await asyncio.gather(*(call_on(session) for _ in range(callers))) for one in made
        ]


def _session() -> aiohttp.ClientSession:
    whole = aiohttp.ClientTimeout(total=_WHOLE_WITHIN)
    return aiohttp.ClientSession(timeout=whole, connector=aiohttp.TCPConnector(limit=0, force_close=True))


async def _make(session: aiohttp.ClientSession, call: Call) -> Made:
    await asyncio.sleep(call.after)
    tries = [await _try(session, call, 0)]
    while call.persists and _is_unanswered(tries[-1]) and len(tries) < _TRIES_AT_MOST:
        await asyncio.sleep(_ASK_AGAIN_AFTER)
        tries.append(await _try(session, call, len(tries)))
    return Made(call=call, tries=tries)


async def _try(session: aiohttp.ClientSession, call: Call, number: int) -> Try:
    """One request, to whichever process takes connections."""
    one = Try(request=f"{call.name}.{number}", began=time.monotonic())
    once = {"Idempotency-Key": call.name} if call.once else {}
    headers = call.caller.headers(one.request) | once
    while not one.port:
        one.port = call.caller.gateway.port
        try:
            async with asyncio.timeout(call.leaves_after):
                await _exchange(session, call, headers, one)
        except aiohttp.ClientConnectorError:
            one.port = 0
            await asyncio.sleep(0.05)
        except TimeoutError:
            one.left = call.leaves_after is not None
        except aiohttp.ClientError:
            one.whole = False
    one.ended = time.monotonic()
    return one


async def _exchange(session: aiohttp.ClientSession, call: Call, headers: dict[str, str], one: Try) -> None:
    url = f"http://127.0.0.1:{one.port}{call.path}"
    async with session.post(url, data=call.body, headers=headers) as response:
        one.status, one.headers = response.status, response.headers
        async for piece in response.content.iter_any():
            one.body += piece
    one.whole = one.status == 200 and (not call.stream or one.body.endswith(b"[DONE]\n\n"))


def _is_unanswered(one: Try) -> bool:
    return not one.whole and (one.status is None or one.status == 200 or one.status in _PASSING)
