"""What may become of a call, and what became of one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tests.support.gateway_books import Row as Entry
from tests.support.matrix import SOCKET_ROWS, Row
from tests.support.provider_kinds import answer_any, events_then
from tests.support.provider_scripts import chunked, cut_json, event, fails, fall_silent, replies, stream_head
from tests.support.provider_stub import Script, Turn


@dataclass(frozen=True)
class Fate:
    """What becomes of a call."""

    status: int
    """Of HTTP; none for who has left."""
    code: str
    """What went wrong, by the envelope and by the entry."""
    entry: str
    """The status of the one entry, if there is one: then a provider was asked, and only then."""
    cost: str
    """What is charged."""


_NONE = ("", "")
_FAILED = ("failed", "nothing")
_FREE = ("settled", "nothing")
_PAID = ("settled", "its price")
_BOUND = ("unsettled", "the bound of what nobody saw")
_DELIVERED = ("settled", "what was delivered")

PLAIN: Mapping[str, Fate] = {
    "ok": Fate(200, "", *_PAID),
    "bad key": Fate(401, "invalid_api_key", *_NONE),
    "unknown model": Fate(404, "model_not_found", *_NONE),
    "over limit": Fate(429, "rate_limited", *_NONE),
    "over budget": Fate(429, "budget_exceeded", *_NONE),
    "provider 429": Fate(429, "provider_rate_limited", *_FAILED),
    "provider 500": Fate(502, "provider_error", *_FAILED),
    "malformed": Fate(502, "provider_malformed", *_BOUND),
    "cut": Fate(502, "provider_cut", *_BOUND),
    "silence": Fate(504, "provider_timeout", *_BOUND),
    "client leaves": Fate(0, "caller_left", *_BOUND),
}
STREAMED: Mapping[str, Fate] = {
    **PLAIN,
    "cut": Fate(200, "provider_cut", *_DELIVERED),
    "client leaves": Fate(0, "caller_left", *_DELIVERED),
}
COUNTED: Mapping[str, Fate] = {
    **PLAIN,
    "ok": Fate(200, "", *_FREE),
    "over budget": Fate(200, "", *_FREE),
    "malformed": Fate(502, "provider_malformed", *_FAILED),
    "cut": Fate(502, "provider_cut", *_FAILED),
    "silence": Fate(504, "provider_timeout", *_FAILED),
    "client leaves": Fate(0, "caller_left", *_FAILED),
}
"""Counting tokens is free: it needs no money, and leaves nothing to be owed."""


SHOWN_ELSEWHERE = frozenset({"ok", "bad key", "over limit", "over budget", "client leaves"})
"""Of sockets: `tests/api/test_socket.py` and its like show these."""


def fates_of(row: Row) -> Mapping[str, Fate]:
    """What is right for a row; on a socket there is no status."""
    fates = COUNTED if not row.nano else STREAMED if row.streams else PLAIN
    if row in SOCKET_ROWS:
        return {name: replace(fate, status=0) for name, fate in fates.items() if name not in SHOWN_ELSEWHERE}
    return fates


def script_for(row: Row, situation: str) -> Script:
    """What the provider does."""
    return {
        "provider 429": fails(429, message="org-secret is limited"),
        "provider 500": fails(500, message="org-secret is broken"),
        "malformed": events_then([event(b"<html>")]) if row.streams else replies(b"<html>", headers=_PAGE),
        "cut": events_then(row.begun, cut=True) if row.streams else cut_json,
        "silence": fall_silent,
        "client leaves": _begins(row.begun) if row.streams else fall_silent,
    }.get(situation, answer_any)


def cost_of(entry: Entry, nano: int) -> str:
    """What was charged, where an honest answer costs so much."""
    unseen = [attempt.get("unknown_nano", 0) for attempt in entry.attempts]
    if not entry.charge_nano:
        return "nothing"
    if all(unseen) and entry.estimated:
        return "the bound of what nobody saw" if entry.charge_nano == sum(unseen) else f"{entry}"
    if any(unseen):
        return f"{entry}"
    if entry.charge_nano == nano:
        return "its price"
    return "what was delivered" if entry.estimated and entry.charge_nano > 0 else f"{entry}"


_PAGE = (("content-type", "text/html"),)


def _begins(events: Sequence[bytes]) -> Script:
    """A stream that begins, and says nothing more."""

    async def script(turn: Turn) -> None:
        turn.write(stream_head() + b"".join(map(chunked, events)))
        await fall_silent(turn)

    return script
