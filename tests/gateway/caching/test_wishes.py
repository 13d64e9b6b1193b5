"""Whether a call's answer may be recalled or kept."""

from typing import Any

import pytest
from msgspec.structs import replace

from gateway.caching.wishes import Terms, terms_of
from gateway.call import CacheWish, Origin
from gateway.principal import Policy
from tests.support.engine import make_ask

COLD, WARM = make_ask(temperature=0), make_ask(temperature=1)
ALL = Policy(cache="all", cache_seconds=60)
SOME = Policy(cache="deterministic", cache_seconds=60)
OFF = Policy(cache="off")
SHARING = Policy(cache="off", shares=True)
SHARED = Terms(reads=False, keeps=False, seconds=0.0, joins=True)
BOTH = Terms(reads=True, keeps=True, seconds=60)


def wishing(**wish: Any) -> Origin:
    return Origin(cache=CacheWish(**wish))


@pytest.mark.parametrize(
    ("policy", "ask", "origin", "expected"),
    [
        (ALL, WARM, Origin(), BOTH),
        (SOME, COLD, Origin(), BOTH),
        (SOME, WARM, Origin(), None),
        (OFF, COLD, Origin(), None),
        (SOME, WARM, wishing(seconds=5), replace(BOTH, seconds=5)),
        (SOME, WARM, wishing(asks=True), BOTH),
        (OFF, WARM, wishing(seconds=5, asks=True), None),
        (SOME, COLD, wishing(reads=False), replace(BOTH, reads=False)),
        (SOME, COLD, wishing(reads=False, keeps=False), None),
        (SOME, replace(WARM, cache=CacheWish(asks=True)), Origin(), BOTH),
        (
            SOME,
            replace(WARM, cache=CacheWish(asks=True, reads=False)),
            Origin(),
            replace(BOTH, reads=False),
        ),
        (SOME, replace(WARM, cache=CacheWish(asks=True)), wishing(reads=False, keeps=False), None),
        (SOME, replace(WARM, cache=CacheWish(asks=True)), wishing(seconds=7), replace(BOTH, seconds=7)),
        (SOME, COLD, Origin(idempotency_key="once"), None),
        (SOME, replace(COLD, previous="resp_1"), Origin(), None),
        (SOME, replace(COLD, keeps=True), Origin(), None),
        (ALL, replace(COLD, kind="count"), Origin(), None),
        (ALL, replace(COLD, kind="image"), Origin(), None),
        (ALL, replace(COLD, media="multipart/form-data; boundary=x"), Origin(), None),
        (replace(ALL, cache_seconds=0), COLD, Origin(), None),
        (SHARING, WARM, Origin(), SHARED),
        (SHARING, WARM, wishing(keeps=False), SHARED),
        (SHARING, WARM, wishing(reads=False), None),
        (SHARING, COLD, Origin(idempotency_key="once"), None),
        (SHARING, replace(COLD, kind="image"), Origin(), None),
        (replace(SOME, shares=True), WARM, Origin(), SHARED),
        (replace(SOME, shares=True), COLD, Origin(), BOTH),
    ],
)
def test_the_policy_allows_and_the_caller_wishes(
    policy: Policy, ask: Any, origin: Origin, expected: Terms | None
) -> None:
    assert terms_of(ask, origin, policy) == expected


def test_a_store_that_keeps_nothing_leaves_calls_to_be_shared() -> None:
    assert terms_of(COLD, Origin(), ALL, is_on=False) is None
    assert terms_of(COLD, Origin(), replace(ALL, shares=True), is_on=False) == SHARED
    assert (SHARED.shares, BOTH.shares, replace(BOTH, reads=False).shares) == (True, True, False)
