"""What the cache is asked for one call, and what it then is to keep."""

from collections.abc import Sequence

from gateway.caching.keys import Key
from gateway.caching.wishes import Terms
from gateway.call import Ask


class Plan:
    """Noted while the call runs."""

    __slots__ = ("ask", "key", "leads", "terms", "vector")

    def __init__(self, ask: Ask, key: Key, terms: Terms) -> None:
        self.ask = ask
        """As the key was made of it: the answer to another one, cut to a budget say, is not kept."""
        self.key = key
        self.terms = terms
        self.leads = False
        """Others may wait for this answer."""
        self.vector: Sequence[float] | None = None
        """What the prompt means, where that was asked."""
