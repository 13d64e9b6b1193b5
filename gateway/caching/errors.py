"""What can go wrong with kept answers, where somebody has to be told."""

from gateway.errors import GatewayError


class CacheAway(GatewayError):
    """The cache cannot be reached now."""

    code = "cache_unavailable"
    status = 503
    retryable = True
