"""What the orders of one transaction on the embedded books come to."""

from uuid import UUID

from gateway.entry import Entry
from gateway.tally import Held
from usage.books.mirror import Closed


class Changes:
    """What is to be written."""

    __slots__ = ("closed", "corrections", "holds", "taken", "unusual")

    def __init__(self) -> None:
        self.holds: dict[UUID, Held] = {}
        self.closed: list[Closed] = []
        self.taken: list[Closed] = []
        """Calls that were settled as they were admitted: there is no hold to write over."""
        self.corrections: list[Entry] = []
        self.unusual = False
        """Something went to the ledger past the backlog: the counters go with it."""
