"""A process that takes places and waits for more, until it is killed."""

import asyncio
import sys

from gateway.turns import Quota
from providers.turns.clerk import Terms
from providers.turns.redis import RedisTurnstile
from tests.support.turns import Guest, make_turn

SHORT = Terms(lease_ms=1_500, waiting_lease_ms=600)
"""Leases that a test can wait for."""


async def take_turns(url: str, name: str, parallel: int) -> None:
    """Take every place, wait for two more, say so, and never leave."""
    turnstile = RedisTurnstile(url, terms=SHORT)
    quota = Quota(id=name, parallel=parallel)
    for _ in range(parallel):
        await turnstile.enter(quota, make_turn(), wait=0, most_waiting=0)
    for _ in range(2):
        await Guest(turnstile, quota, make_turn(), wait=600).stands_in_line()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await turnstile.tend()


if __name__ == "__main__":
    asyncio.run(take_turns(sys.argv[1], sys.argv[2], int(sys.argv[3])))
