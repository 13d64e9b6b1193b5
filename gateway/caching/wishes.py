"""Whether a call's answer may be recalled, or kept: what the policy allows and the caller wishes. No I/O."""

from msgspec import Struct

from gateway.caching.keys import is_deterministic
from gateway.call import JSON, Ask, CacheWish, Origin
from gateway.principal import Policy

_NEVER = frozenset({"count", "image", "transcription"})
"""Counted for nothing; answered with addresses that do not last; asked with a file."""

BY_POLICY = frozenset({"policy_off", "not_repeatable", "not_deterministic"})
"""Reasons that callers did not give."""

LONGEST_SECONDS = 30 * 86_400


class Terms(Struct, frozen=True, kw_only=True, gc=False):
    """What may be done with the answer of one call."""

    reads: bool
    keeps: bool
    seconds: float
    joins: bool = False
    """One that is under way may be joined though no answer is kept."""

    @property
    def shares(self) -> bool:
        """Whether the answer to an identical call under way will do."""
        return self.reads or self.joins


def terms_of(ask: Ask, origin: Origin, policy: Policy, *, is_on: bool = True) -> Terms | None:
    """Nothing where neither what is kept nor what is under way has a part in a call.

    A call with an `Idempotency-Key` is told again by that alone, and one that is kept, or goes on from what
    was kept, has an id of its own to be answered with.
    """
    keeps = is_on and policy.cache != "off"
    if not (keeps or policy.shares) or not _is_repeatable(ask) or origin.idempotency_key:
        return None
    wish = joined(origin.cache, ask.cache)
    terms = _terms_of_kept(ask, wish, policy) if keeps else None
    return _SHARED if terms is None and policy.shares and wish.reads else terms


def _terms_of_kept(ask: Ask, wish: CacheWish, policy: Policy) -> Terms | None:
    is_asked_for = wish.asks or wish.seconds is not None
    if policy.cache == "deterministic" and not is_asked_for and not is_deterministic(ask):
        return None
    seconds = policy.cache_seconds if wish.seconds is None else wish.seconds
    if seconds <= 0 or not (wish.reads or wish.keeps):
        return None
    return Terms(reads=wish.reads, keeps=wish.keeps, seconds=min(seconds, LONGEST_SECONDS))


def bypass_of(ask: Ask, origin: Origin, policy: Policy) -> str:
    """Why `terms_of` has nothing to say of a call."""
    if policy.cache == "off":
        return "policy_off"
    if not _is_repeatable(ask):
        return "not_repeatable"
    if origin.idempotency_key:
        return "idempotency_key"
    wish = joined(origin.cache, ask.cache)
    if wish.reads or wish.keeps:
        return "not_deterministic"
    return "not_wanted"


def joined(header: CacheWish, body: CacheWish) -> CacheWish:
    """What a caller says in two places: neither may be done where one of them forbids it."""
    if body == _NO_WISH:
        return header
    return CacheWish(
        reads=header.reads and body.reads,
        keeps=header.keeps and body.keeps,
        seconds=header.seconds if body.seconds is None else body.seconds,
        asks=header.asks or body.asks,
    )


_NO_WISH = CacheWish()
_SHARED = Terms(reads=False, keeps=False, seconds=0.0, joins=True)


def _is_repeatable(ask: Ask) -> bool:
    return ask.kind not in _NEVER and ask.media == JSON and not (ask.previous or ask.keeps)
