"""What can go wrong with responses that are kept."""

from gateway.errors import GatewayError


class UnknownResponse(GatewayError):
    """There is no response of that id, or it is kept no longer."""

    code = "response_not_found"
    status = 404


class ConversationsAway(GatewayError):
    """What is kept of responses cannot be reached now."""

    code = "responses_unavailable"
    status = 503
    retryable = True
