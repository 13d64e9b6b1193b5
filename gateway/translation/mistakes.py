"""What litellm's exceptions mean: one table, for requests it cannot write and answers it cannot read.

Their messages go no further: they may hold prompts, keys and addresses.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.errors import (
    ContentRefused,
    ContextTooLong,
    GatewayError,
    ProviderMalformed,
    Untranslatable,
)
from gateway.translation.library import NetworkBarred, part

_Meaning = Callable[[], GatewayError]


def _unsayable() -> GatewayError:
    return Untranslatable()


def _not_understood() -> GatewayError:
    return Untranslatable("The request could not be put into the format of this model's provider.")


def _pointing() -> GatewayError:
    return Untranslatable("This model's provider takes no addresses: what is shown must be in the request.")


def _table() -> tuple[tuple[type[Exception], _Meaning, _Meaning], ...]:
    """By exception, the first that fits: what it means of a request, and of an answer."""
    return (
        (NetworkBarred, _pointing, ProviderMalformed),
        (part("UnsupportedParamsError"), _unsayable, ProviderMalformed),
        (part("ContextWindowExceededError"), _not_understood, ContextTooLong),
        (part("ContentPolicyViolationError"), _not_understood, ContentRefused),
        (part("BaseLLMException"), _not_understood, ProviderMalformed),
        (Exception, _not_understood, ProviderMalformed),
    )


@contextmanager
def writing() -> Iterator[None]:
    """Whatever fails within means that a request cannot be translated."""
    try:
        yield
    except GatewayError:
        raise
    except Exception as error:  # noqa: BLE001  litellm raises whatever it meets in a caller's JSON
        raise _meant(error)[0]() from None


@contextmanager
def reading() -> Iterator[None]:
    """Whatever fails within means that an answer cannot be read."""
    try:
        yield
    except GatewayError:
        raise
    except Exception as error:  # noqa: BLE001  litellm raises bare Exceptions too
        raise _meant(error)[1]() from None


def _meant(error: Exception) -> tuple[_Meaning, _Meaning]:
    of_request, of_answer = next(row[1:] for row in _table() if _causes(error, row[0]))
    return of_request, of_answer


def _causes(error: BaseException | None, kind: type[Exception]) -> bool:
    """litellm wraps what it meets; what was at the bottom counts."""
    while error is not None:
        if isinstance(error, kind):
            return True
        error = error.__cause__ or error.__context__
    return False
