"""Who is next among tenants that wait: deficit round robin by tokens, so that each gets its share of them.

Tenants stand in a ring. The one in front goes as long as its credit pays for its first attempt; then it gets
a quantum more and steps to the back. Within a tenant higher priorities go first, then who came first. What a
tenant did not use while nobody waited is not saved: its credit goes when its last attempt does.

The script in `providers/turns/turns.lua` does the same on Redis.
"""

from bisect import insort
from collections import deque
from uuid import UUID

from gateway.turns import Turn

QUANTUM = 256
"""Tokens that a tenant may take before the next one's turn.

As many as small calls take: whoever comes waits for one or two of those of each other tenant.
Larger calls wait until they have been given enough, round by round.
"""

_Place = tuple[int, int, Turn]
"""What a line is sorted by: the rank, highest first, and when it came."""


class FairQueue:
    """Attempts that wait, tenant by tenant."""

    def __init__(self, *, quantum: int = QUANTUM) -> None:
        self.quantum = quantum
        self._ring: deque[UUID] = deque()
        self._credits: dict[UUID, int] = {}
        self._lines: dict[UUID, list[_Place]] = {}
        self._places: dict[UUID, _Place] = {}
        self._arrivals = 0

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, identifier: UUID) -> bool:
        return identifier in self._places

    def waiting_of(self, tenant_id: UUID) -> int:
        """How many attempts of a tenant wait."""
        return len(self._lines.get(tenant_id, ()))

    def position(self, identifier: UUID) -> int:
        """The place of one in its tenant's line, 1 being the next."""
        place = self._places[identifier]
        return self._lines[place[2].tenant_id].index(place) + 1

    def add(self, turn: Turn) -> int:
        """Let one wait; its place in its tenant's line."""
        if turn.id not in self._places:
            self._arrivals += 1
            place = self._places[turn.id] = (-turn.rank, self._arrivals, turn)
            if turn.tenant_id not in self._lines:
                self._ring.append(turn.tenant_id)
                self._credits[turn.tenant_id] = self.quantum
                self._lines[turn.tenant_id] = []
            insort(self._lines[turn.tenant_id], place)
        return self.position(turn.id)

    def next(self) -> Turn | None:
        """Who goes next; asking again gives the same answer."""
        if not self._ring:
            return None
        if not self._step_until_paid():
            self._pay_all()
            self._step_until_paid()
        return self._first(self._ring[0])

    def take(self) -> Turn | None:
        """The next one, who waits no longer and has paid."""
        turn = self.next()
        if turn is not None:
            self._credits[turn.tenant_id] -= turn.cost
            self.remove(turn.id)
        return turn

    def remove(self, identifier: UUID) -> Turn | None:
        """Let one wait no longer, without a turn."""
        place = self._places.pop(identifier, None)
        if place is None:
            return None
        turn = place[2]
        line = self._lines[turn.tenant_id]
        line.remove(place)
        if not line:
            self._ring.remove(turn.tenant_id)
            del self._lines[turn.tenant_id], self._credits[turn.tenant_id]
        return turn

    def _first(self, tenant_id: UUID) -> Turn:
        return self._lines[tenant_id][0][2]

    def _step_until_paid(self) -> bool:
        """Turn the ring until who is in front can pay; False if nobody could in a whole round."""
        for _ in range(len(self._ring)):
            tenant_id = self._ring[0]
            if self._credits[tenant_id] >= self._first(tenant_id).cost:
                return True
            self._credits[tenant_id] += self.quantum
            self._ring.rotate(-1)
        return False

    def _pay_all(self) -> None:
        """As many rounds at once as it takes until somebody can pay."""
        missing = min(self._first(one).cost - self._credits[one] for one in self._ring)
        rounds = max(0, -(-missing // self.quantum))
        for tenant_id in self._ring:
            self._credits[tenant_id] += rounds * self.quantum
