"""What the orders of one transaction on the embedded books come to."""

from gateway.entry import Entry
from gateway.tally import Held
from usage.books.mirror import Closed

STRAIGHT_AT = 16
"""So many calls of one post that were never held go to the ledger at once: their rows would be written for
nothing, and the tips of the indexes are written once for all of them."""


class Changes:
    """What is to be written."""

    __slots__ = ("closed", "corrections", "holds", "taken", "unusual")

    def __init__(self) -> None:
        self.holds: dict[int, Held] = {}
        """By the numbers of their ids."""
        self.closed: list[Closed] = []
        self.taken: list[Closed] = []
        """Calls that were settled as they were admitted: there is no hold to write over."""
        self.corrections: list[Entry] = []
        self.unusual = False
        """Something went to the ledger past the backlog: the counters go with it."""

    def ended(self) -> tuple[list[Closed], list[Closed]]:
        """Calls that came to their end: those that take a row, and those that go straight to the ledger."""
        if len(self.taken) < STRAIGHT_AT:
            return self.closed + self.taken, []
        return self.closed, self.taken
