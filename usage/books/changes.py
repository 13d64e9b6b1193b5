"""What the orders of one transaction on the embedded books come to."""

from uuid import UUID

from gateway.entry import Entry
from gateway.tally import Held
from usage.books.mirror import Closed


class Changes:
    """What is to be written."""

    __slots__ = ("closed", "corrections", "holds", "unusual")

    def __init__(self) -> None:
        self.holds: dict[UUID, Held] = {}
        self.closed: list[Closed] = []
        self.corrections: list[Entry] = []
        self.unusual = False
        """Something went to the ledger past the backlog: the counters go with it."""
