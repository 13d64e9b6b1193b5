"""Everything that can go wrong, under one root. A leaf's docstring is its default message."""

from math import ceil
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from gateway.call import Outcome, Rate


class GatewayError(Exception):
    """The gateway could not answer."""

    code: ClassVar[str] = "gateway_error"
    status: int = 500
    retryable: ClassVar[bool] = False

    def __init__(
        self, message: str | None = None, *, param: str | None = None, retry_after: float | None = None
    ) -> None:
        self.message = message or (self.__doc__ or "").strip()
        self.param = param
        self.retry_after = retry_after
        self.rates: tuple[Rate, ...] = ()
        """The quota that is used up."""
        self.outcome: Outcome | None = None
        """What a call came to that was admitted, or waited, and failed then."""
        super().__init__(self.message)

    @property
    def pause(self) -> int | None:
        """Whole seconds until another try makes sense; None where nobody can say."""
        if self.retry_after is None and self.status not in (429, 503):
            return None
        return max(1, ceil(self.retry_after or 1))


class InvalidRequest(GatewayError):
    """The request is not valid."""

    code = "invalid_request"
    status = 400


class Untranslatable(InvalidRequest):
    """The format of this model's provider cannot say all that this request asks for."""


class FailedValidation(InvalidRequest):
    """A value in the request is not valid."""

    code = "validation_failed"
    status = 422


class StreamingDisabled(GatewayError):
    """This gateway answers no stream requests: ask without `stream`."""

    code = "streaming_disabled"
    status = 400


class Unauthenticated(GatewayError):
    """A valid API key is required: send it as `Authorization: Bearer KEY`."""

    code = "invalid_api_key"
    status = 401


class Forbidden(GatewayError):
    """This key may not do that."""

    code = "forbidden"
    status = 403


class ForeignHost(GatewayError):
    """This host name is not served here."""

    code = "foreign_host"
    status = 400


class ForeignOrigin(GatewayError):
    """Calls from this web origin are not accepted without a key."""

    code = "foreign_origin"
    status = 403


class UnknownModel(GatewayError):
    """The model does not exist, or this key may not use it."""

    code = "model_not_found"
    status = 404


class UnknownDoor(GatewayError):
    """There is nothing at this address."""

    code = "not_found"
    status = 404


class WrongMethod(GatewayError):
    """This address does not answer to that method."""

    code = "method_not_allowed"
    status = 405


class TooLarge(GatewayError):
    """The request body is larger than this gateway accepts."""

    code = "request_too_large"
    status = 413


class UnsupportedMedia(GatewayError):
    """The request body is not JSON."""

    code = "unsupported_media_type"
    status = 415


class RateLimited(GatewayError):
    """A limit is used up."""

    code = "rate_limited"
    status = 429


class ConcurrencyLimited(GatewayError):
    """Too many calls at the same time."""

    code = "concurrency_limited"
    status = 429
    retryable = True


class BudgetExceeded(GatewayError):
    """A budget is used up."""

    code = "budget_exceeded"
    status = 429


class Unpriced(GatewayError):
    """The model has no price, and this key has a budget that must not be overspent."""

    code = "unpriced_model"
    status = 403


class Unbounded(GatewayError):
    """The cost of this call has no upper bound, and this key has a budget: set a maximum of output tokens."""

    code = "unbounded_cost"
    status = 400


class BooksAway(GatewayError):
    """The books cannot be reached, so the call was not made."""

    code = "books_unavailable"
    status = 503
    retryable = True


class RevisionMoved(GatewayError):
    """The configuration changed while the call came in. Try again."""

    code = "configuration_moved"
    status = 503
    retryable = True

    def __init__(self, revision: int) -> None:
        super().__init__()
        self.revision = revision


class ConfigurationAway(GatewayError):
    """The configuration cannot be read, so nobody can be told apart."""

    code = "configuration_unavailable"
    status = 503
    retryable = True


class NoSecureProvider(GatewayError):
    """No provider of this model is secure enough for this content."""

    code = "no_secure_provider"
    status = 403


class NoProvider(GatewayError):
    """No provider can take this call now."""

    code = "no_provider"
    status = 503
    retryable = True


class DeadlinePassed(GatewayError):
    """The call took longer than it was given."""

    code = "deadline_exceeded"
    status = 504


class ProviderError(GatewayError):
    """The provider failed."""

    code = "provider_error"
    status = 502
    retryable = True
    counts: ClassVar[bool] = True
    """Whether it says the deployment is ill, so that its breaker counts it."""
    outcome_unknown: ClassVar[bool] = False
    """Whether the provider may have done the whole work unseen: it is booked at its bound."""
    needs_cover: ClassVar[bool] = True
    """Whether a further attempt must be held beside this one, as both may be billed."""

    upstream_status: int | None = None


class ProviderRefusedConnection(ProviderError):
    """The provider could not be reached."""

    code = "provider_unreachable"
    needs_cover = False


class ProviderTimeout(ProviderError):
    """The provider did not answer in time."""

    code = "provider_timeout"
    status = 504
    outcome_unknown = True


class ProviderCut(ProviderError):
    """The provider broke the answer off."""

    code = "provider_cut"
    outcome_unknown = True


class ProviderMalformed(ProviderError):
    """The provider's answer could not be understood."""

    code = "provider_malformed"
    outcome_unknown = True


class ProviderEmpty(ProviderError):
    """The provider's answer was empty."""

    code = "provider_empty"
    outcome_unknown = True
    counts = False


class ProviderOverloaded(ProviderError):
    """The provider is limiting us."""

    code = "provider_rate_limited"
    needs_cover = False
    status = 429
    counts = False


class ProviderRefusedKey(ProviderError):
    """The provider did not accept the gateway's own credentials."""

    code = "provider_credentials"
    needs_cover = False
    counts = False


class ProviderRejected(ProviderError):
    """The provider rejected the request."""

    code = "provider_rejected"
    needs_cover = False
    status = 400
    retryable = False
    counts = False


class ContextTooLong(ProviderRejected):
    """The prompt does not fit the model's context window."""

    code = "context_length_exceeded"


class ContentRefused(ProviderRejected):
    """The provider's content policy refused the request."""

    code = "content_policy_violation"
