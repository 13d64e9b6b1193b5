"""What a hit asks of the books: once, and one entry."""

import asyncio
from collections.abc import Sequence

from msgspec.structs import replace

from gateway.accounts import Order, Settlement, Verdict
from gateway.errors import BooksAway
from gateway.memory import MemoryBooks
from tests.support.clock import FakeClock
from tests.support.engine import BOUNDED
from tests.support.keeping import KEEPS, Keeping
from tests.support.script import completes


class CountingBooks(MemoryBooks):
    """Books that remember how they were asked."""

    def __init__(self, books: MemoryBooks) -> None:
        super().__init__(books.clock)
        self.tally, self.entries = books.tally, books.entries
        self.posts: list[list[type]] = []
        self.revision = 0

    async def post(self, orders: Sequence[Order]) -> Sequence[Verdict]:
        self.posts.append([type(order) for order in orders])
        if self.revision:
            told, self.revision = Verdict(revision=self.revision), 0
            return [told]
        return await super().post(orders)


async def test_a_hit_goes_to_the_books_once(clock: FakeClock) -> None:
    rig = Keeping(completes(), clock=clock, accounts=BOUNDED, books=CountingBooks)
    await rig.run()
    books = rig.gateway.teller.books
    assert isinstance(books, CountingBooks)
    books.posts.clear()
    assert await rig.told() == "hit"
    assert books.posts == [[Settlement]]
    rig.assert_balanced()


async def test_a_hit_by_an_old_configuration_is_looked_at_anew(clock: FakeClock) -> None:
    rig = Keeping(completes(), clock=clock, accounts=BOUNDED, books=CountingBooks)
    await rig.run()
    books = rig.gateway.teller.books
    assert isinstance(books, CountingBooks)
    books.revision = 7
    assert await rig.told() == "hit"
    assert [entry.status for entry in rig.entries] == ["settled", "cached"]
    rig.assert_balanced()


async def test_without_the_books_a_hit_is_told_where_the_policy_allows_it(clock: FakeClock) -> None:
    class AwayBooks(MemoryBooks):
        away = False

        async def post(self, orders: Sequence[Order]) -> Sequence[Verdict]:
            if self.away:
                raise BooksAway
            return await super().post(orders)

    books = AwayBooks(clock)  # type: ignore[arg-type]
    policy = replace(KEEPS, books_away="allow")
    rig = Keeping(completes(), clock=clock, policy=policy, books=lambda _: books)
    await rig.run()
    books.away = True
    running = asyncio.create_task(rig.run())
    await clock.turn(5)
    assert (await running).served.cache == "hit"
    (spilled,) = rig.spill.settlements.values()
    assert (spilled.entry.status, spilled.entry.charge_nano) == ("cached", 0)
