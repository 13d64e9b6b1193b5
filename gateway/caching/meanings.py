"""What prompts mean, in the memory of one process."""

from collections import OrderedDict
from collections.abc import Sequence
from uuid import UUID

from gateway.caching.nearness import Near, Space, pointer_of

SPACES_AT_MOST = 256


class MemoryMeanings:
    """Spaces that were asked about longest ago give way. Answers whose time is over are no longer found."""

    def __init__(self, *, spaces_at_most: int = SPACES_AT_MOST) -> None:
        self._most = spaces_at_most
        self._spaces: OrderedDict[tuple[UUID, str], Space] = OrderedDict()

    async def nearest(self, tenant: UUID, space: str, vector: Sequence[float]) -> Near | None:
        """The key whose prompt means the most alike."""
        pointer, found = pointer_of(vector), self._spaces.get((tenant, space))
        if pointer is None or found is None:
            return None
        self._spaces.move_to_end((tenant, space))
        return found.nearest(pointer)

    async def keep(
        self, tenant: UUID, space: str, key: str, vector: Sequence[float], *, seconds: float
    ) -> None:
        """Remember what a prompt means."""
        pointer = pointer_of(vector)
        if pointer is None:
            return
        self._spaces.setdefault((tenant, space), Space()).add(key, pointer)
        self._spaces.move_to_end((tenant, space))
        if len(self._spaces) > self._most:
            self._spaces.popitem(last=False)
