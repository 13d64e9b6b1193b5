"""A call that names an `Idempotency-Key`: made once, and answered alike to all who repeat it."""

from collections.abc import Awaitable, Callable
from hashlib import sha256
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.accounts import Claim, Claimed
from gateway.call import JSON, Ask, Call, Event, Outcome, Reply, Served
from gateway.errors import GatewayError
from gateway.forms import boundary_of
from gateway.ports import Clock, Relay, Vault

KEPT_AT_MOST = 1 << 20
"""Bytes; a longer answer is given once, and not again."""

WAIT_SECONDS = 60.0
LOOK_EVERY = 0.25


class IdempotencyConflict(GatewayError):
    """This Idempotency-Key was used with another request body."""

    code = "idempotency_conflict"
    status = 409


class InFlight(GatewayError):
    """The first call with this Idempotency-Key is still under way."""

    code = "idempotency_in_flight"
    status = 409
    retryable = True


class OutcomeUnknown(GatewayError):
    """The first call with this Idempotency-Key was lost and its outcome is unknown; it is not repeated."""

    code = "outcome_unknown"
    status = 409


class AnswerNotKept(GatewayError):
    """The first call with this Idempotency-Key was answered, and its answer was too long to be kept."""

    code = "answer_not_kept"
    status = 409


REFUSALS: dict[str, type[GatewayError]] = {
    "conflict": IdempotencyConflict,
    "running": InFlight,
    "unknown": OutcomeUnknown,
}
"""What is told where the call that came first has no answer to give."""


class ClaimTaken(Exception):
    """Another call has the key."""

    def __init__(self, claimed: Claimed) -> None:
        super().__init__()
        self.claimed = claimed


class Told(Struct, array_like=True, gc=False):
    """All that a caller was told."""

    reply: Reply
    served: Served
    charge_nano: int
    events: bytes = b""


class Recording:
    """Passes a stream on, and remembers it as long as it is short enough to be kept."""

    def __init__(self, relay: Relay | None, *, most: int = KEPT_AT_MOST) -> None:
        self._relay = relay
        self._most = most
        self.served: Served | None = None
        self.events = bytearray()
        self.is_whole = True

    async def start(self, served: Served) -> None:
        """The answer is committed."""
        self.served = served
        if self._relay is not None:
            await self._relay.start(served)

    async def send(self, event: Event) -> None:
        """Pass one event on."""
        self.is_whole = self.is_whole and len(self.events) + len(event.data) <= self._most
        if self.is_whole:
            self.events += event.data
        if self._relay is not None:
            await self._relay.send(event)


def claim_of(call: Call, tenant_id: UUID) -> Claim | None:
    """What a call claims: its tenant's key, for an ask that is the same byte for byte."""
    if not call.origin.idempotency_key:
        return None
    key = sha256(tenant_id.bytes + call.origin.idempotency_key.encode()).hexdigest()
    ask = call.ask
    asked = f"{ask.dialect} {ask.task} {ask.provider} {ask.conversation}\n".encode() + _repeatable(ask)
    return Claim(key=key, body=sha256(asked).hexdigest())


def _repeatable(ask: Ask) -> bytes:
    """The body; a form that is sent again is the same but for its boundary, which is another each time."""
    return ask.body if ask.media == JSON else ask.body.replace(boundary_of(ask.media), b"")


def seal_answer(told: Told, recording: Recording, vault: Vault) -> bytes:
    """An answer as the books keep it; empty if it is too long."""
    if not recording.is_whole or len(recording.events) + len(told.reply.body) > KEPT_AT_MOST:
        return b""
    return vault.seal(_encode(replace(told, events=bytes(recording.events))))


async def run_once(
    run: Callable[[], Awaitable[Outcome]], *, relay: Relay | None, vault: Vault, clock: Clock
) -> Outcome:
    """Make the call, or wait for the one that came first and give its answer."""
    until = clock.monotonic() + WAIT_SECONDS
    while True:
        try:
            return await run()
        except ClaimTaken as taken:
            claimed = taken.claimed
        if claimed.state == "answered":
            return await _tell_again(claimed.answer, vault, relay)
        if claimed.state != "running" or clock.monotonic() + LOOK_EVERY > until:
            raise REFUSALS[claimed.state]()
        await clock.sleep(LOOK_EVERY)


async def _tell_again(sealed: bytes, vault: Vault, relay: Relay | None) -> Outcome:
    if not sealed:
        raise AnswerNotKept
    told = _decode(vault.open(sealed))
    reply = replace(told.reply, headers=told.reply.headers | {"idempotent-replayed": "true"})
    if relay is not None and told.events:
        await relay.start(told.served)
        await relay.send(Event(told.events))
    return Outcome(reply=reply, served=told.served, charge_nano=told.charge_nano, overhead_us=0)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Told).decode
