"""The port by which processes tell each other of breakers, over the database and off the loop."""

from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar

from channels.db import database_sync_to_async
from django.db import Error

from gateway.signs import Key, Sign, SignsAway
from providers.health import health_claim, health_heard, health_tell

_P = ParamSpec("_P")
_R = TypeVar("_R")


class DatabaseSigns:
    """What all processes on one database tell each other."""

    async def tell(self, sign: Sign) -> int:
        """Let everybody know."""
        return await _ask(health_tell, sign)

    async def heard(self, within: float) -> Sequence[Sign]:
        """The latest of what is ill, and of what changed lately."""
        return await _ask(health_heard, within)

    async def claim(self, key: Key, rest: float) -> bool:
        """Take the one probe."""
        return await _ask(health_claim, key, rest)


async def _ask(question: Callable[_P, _R], *arguments: _P.args, **named: _P.kwargs) -> _R:
    try:
        answer: _R = await database_sync_to_async(question)(*arguments, **named)
    except Error as error:
        raise SignsAway from error
    return answer
