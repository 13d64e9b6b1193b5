"""Questions to the database: off the loop, and not for ever."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from channels.db import database_sync_to_async
from django.db import Error

from gateway.errors import BooksAway

ANSWERS_WITHIN = 5.0
"""Seconds that it has."""

_Given = ParamSpec("_Given")
_Found = TypeVar("_Found")


async def ask_database(
    question: Callable[_Given, _Found], *given: _Given.args, **named: _Given.kwargs
) -> _Found:
    """The answer; `BooksAway` while it cannot be asked."""
    try:
        async with asyncio.timeout(ANSWERS_WITHIN):
            found: _Found = await database_sync_to_async(question)(*given, **named)
    except (Error, TimeoutError) as error:
        raise BooksAway("The database cannot be asked now.") from error
    return found
