"""What a provider lets a key or a deployment do, an attempt's wish for a part of it, and why it gets none."""

from uuid import UUID

from msgspec import Struct

from gateway.errors import GatewayError

HIGHEST_PRIORITY = 1_000
"""Priorities beyond this, above or below 0, count as this."""


class Quota(Struct, frozen=True, kw_only=True, gc=False):
    """What a provider lets a key or a deployment do; None where it sets no limit."""

    id: str
    rpm: int | None = None
    """Requests in a minute."""
    tpm: int | None = None
    """Tokens in a minute."""
    parallel: int | None = None
    """Calls at once."""

    @property
    def is_limited(self) -> bool:
        """Whether there is anything to share."""
        return self.rpm is not None or self.tpm is not None or self.parallel is not None

    def need_of(self, tokens: int) -> int:
        """What of its minute a call takes: who asks for more than a whole one gets a whole one."""
        return 0 if self.tpm is None else max(1, min(tokens, self.tpm))


class Turn(Struct, frozen=True, kw_only=True, gc=False):
    """One attempt of a tenant's call, for which a place is wanted."""

    id: UUID
    tenant_id: UUID
    priority: int = 0
    """Of the tenant's own attempts those with the higher number go first."""
    tokens: int = 0
    """The most that it can take, as its hold bounds it."""

    @property
    def rank(self) -> int:
        """Its priority, within what can be told apart."""
        return max(-HIGHEST_PRIORITY, min(HIGHEST_PRIORITY, self.priority))

    @property
    def cost(self) -> int:
        """What it weighs among tenants: nobody waits for nothing."""
        return max(1, self.tokens)


class QuotaUsedUp(GatewayError):
    """The provider lets us make no further call now."""

    code = "quota_used_up"
    status = 429
    retryable = True


class QueueFull(QuotaUsedUp):
    """Too many calls of this tenant wait already."""

    code = "queue_full"
