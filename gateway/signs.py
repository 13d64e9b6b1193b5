"""What processes, probes and operators tell each other of deployments that are ill, or well again."""

from typing import Literal
from uuid import UUID

from msgspec import Struct

from gateway.catalog import Deployment
from gateway.errors import GatewayError

Key = tuple[UUID, str]
"""A deployment, and the model there: a star stands for many."""
Source = Literal["process", "probe", "operator"]


class SignsAway(GatewayError):
    """What others say of deployments cannot be heard now."""

    code = "signs_away"
    status = 503
    retryable = True


class Sign(Struct, frozen=True, kw_only=True, gc=False):
    """A breaker that was opened or closed somewhere."""

    key: Key
    is_open: bool
    rest: float = 0.0
    """Seconds that are left until a probe may go through; below 0 that moment is past."""
    opened_at: float = 0.0
    """When it was opened, in seconds since the epoch."""
    version: int = 0
    """Later ones have higher numbers; nobody has given it one that was not told yet."""
    by: Source = "process"
    detail: str = ""


def key_of(deployment: Deployment) -> Key:
    """What a deployment's breaker is known by."""
    return deployment.id, deployment.upstream
