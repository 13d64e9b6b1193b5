"""Embeddings of one tenant that are asked for within a few milliseconds become one call of the provider.

Each call keeps its own hold and its own entry; what the provider counted is divided exactly. Where the
common call comes to nothing, each is made on its own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from hashlib import blake2b

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from gateway.call import JSON, METERS, Ask, Reply, Usage
from gateway.errors import GatewayError, ProviderMalformed
from gateway.members import join_members
from gateway.ports import Clock
from gateway.tab import Tab

Make = Callable[[Tab], Awaitable[Reply]]
"""The way to the provider, for a tab."""


class _Answer(Struct):
    data: list[dict[str, Raw]]
    model: Raw = Raw(b"null")


class _Seat:
    """One call in a common one."""

    __slots__ = ("done", "inputs", "tab")

    def __init__(self, tab: Tab, inputs: list[Raw], done: "asyncio.Future[Reply | None]") -> None:
        self.tab = tab
        self.inputs = inputs
        self.done = done


class _Gathered:
    """Calls that wait for company, and then travel together."""

    def __init__(self) -> None:
        self.seats: list[_Seat] = []
        self.count = 0
        self.task: asyncio.Task[None] | None = None
        self.full = asyncio.Event()


class Gatherer:
    """Brings embeddings together, where their model says so."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[bytes, _Gathered] = {}
        self.journeys = 0
        """Calls of providers so far that were made for several."""
        self.travelled = 0
        """Those that they were made for."""

    async def answer(self, tab: Tab, make: Make) -> Reply:
        """The provider's answer to this one call, whoever it travels with."""
        inputs = _texts(tab.call.ask)
        if inputs is None or not 0 < len(inputs) < tab.model.batch_size:
            return await make(tab)
        gathered = self._place(tab, len(inputs), make)
        seat = _Seat(tab, inputs, asyncio.get_running_loop().create_future())
        gathered.seats.append(seat)
        gathered.count += len(inputs)
        if gathered.count >= tab.model.batch_size:
            gathered.full.set()
        try:
            reply = await asyncio.shield(seat.done)
        except asyncio.CancelledError:
            await _leave(gathered, seat)
            raise
        return reply if reply is not None else await make(tab)

    def _place(self, tab: Tab, count: int, make: Make) -> _Gathered:
        """Those who wait for company and have room, or the beginning of new company."""
        name = _company(tab)
        gathered = self._open.get(name)
        if gathered is not None and gathered.count + count > tab.model.batch_size:
            gathered.full.set()
            gathered = None
        if gathered is None or gathered.full.is_set():
            gathered = self._open[name] = _Gathered()
            gathered.task = asyncio.create_task(self._travel(name, gathered, make, tab.model.batch_seconds))
        return gathered

    async def _travel(self, name: bytes, gathered: _Gathered, make: Make, seconds: float) -> None:
        seats = gathered.seats
        try:
            timer = asyncio.ensure_future(self._clock.sleep(seconds))
            timer.add_done_callback(lambda _: gathered.full.set())
            await gathered.full.wait()
            timer.cancel()
            if self._open.get(name) is gathered:
                del self._open[name]
            if len(seats) > 1:
                self.journeys += 1
                self.travelled += len(seats)
                await _together(seats, make)
        finally:
            for seat in seats:
                if not seat.done.done():
                    seat.done.set_result(None)  # alone, then


async def _together(seats: Sequence[_Seat], make: Make) -> None:
    """Make the common call, and tell each what is its own of the answer."""
    common = _common_tab(seats)
    try:
        reply = await make(common)
        bodies = _divide(reply.body, [len(seat.inputs) for seat in seats])
    except GatewayError:
        for seat in seats:
            _note(seat.tab, common)
        return
    except asyncio.CancelledError:
        for seat in seats:
            _note(seat.tab, common)
        raise
    shares = _shares(reply.usage, [sum(map(_length, seat.inputs)) for seat in seats])
    for seat, body, usage in zip(seats, bodies, shares, strict=True):
        _note(seat.tab, common)
        seat.tab.served, seat.tab.usage, seat.tab.service_tier = common.served, usage, common.service_tier
        counts = b"" if usage is None else _counts(usage)
        whole = join_members(body | ({"usage": Raw(counts)} if counts else {}))
        if not seat.done.done():
            seat.done.set_result(replace(reply, body=whole, usage=usage, counts=counts))


async def _leave(gathered: _Gathered, seat: _Seat) -> None:
    """The caller left: before the common call nothing is owed, during it the share that it will come to."""
    if not gathered.full.is_set():
        gathered.seats.remove(seat)
        gathered.count -= len(seat.inputs)
        return
    seat.done.cancel()
    task, current = gathered.task, asyncio.current_task()
    if task is None or task.done() or current is None:
        return
    if all(one.done.cancelled() for one in gathered.seats):
        task.cancel()
    current.uncancel()  # its leaving is told again when this is over
    await asyncio.wait([task])


def _common_tab(seats: Sequence[_Seat]) -> Tab:
    """A tab for the common call: what it says of attempts is noted for each of those who travel."""
    first = seats[0].tab
    members = dict(first.call.ask.members)
    members["input"] = Raw(b"[%b]" % b",".join(bytes(one) for seat in seats for one in seat.inputs))
    ask = replace(first.call.ask, members=members, body=join_members(members))
    started = min(seat.tab.call.started for seat in seats)
    call = replace(first.call, ask=ask, started=started)
    common = Tab(call, first.principal, first.models, first.model, first.accounts, first.at_ms)
    common.hold, common.may_top_up = first.hold, False
    common.note("gathered", "calls", str(len(seats)))
    return common


def _note(tab: Tab, common: Tab) -> None:
    """The attempts of the common call are each one's own; what nobody saw counts at each one's own bound."""
    nano = tab.attempt_amounts.nano
    tab.attempts += [replace(one, unknown_nano=nano if one.unknown_nano else 0) for one in common.attempts]
    tab.maybe_billed += common.maybe_billed
    tab.reached = common.reached
    tab.upstream_seconds += common.upstream_seconds
    tab.waited += common.waited
    tab.see_position(common.position)
    tab.candidates += common.candidates
    tab.notes += common.notes


def _texts(ask: Ask) -> list[Raw] | None:
    """The texts to embed; None for what else there may be, which travels alone."""
    if ask.kind != "embedding" or ask.format != "openai" or ask.media != JSON or "input" not in ask.members:
        return None
    given = ask.members["input"]
    if bytes(given).lstrip()[:1] == b'"':
        return [given]
    try:
        many = _many(given)
    except msgspec.DecodeError:
        return None
    return many if all(bytes(one)[:1] == b'"' for one in many) else None


def _company(tab: Tab) -> bytes:
    """What calls must have in common to travel together: all but their texts."""
    origin, ask = tab.call.origin, tab.call.ask
    rest = {name: value for name, value in sorted(ask.members.items()) if name != "input"}
    who = f"{tab.principal.tenant_id} {tab.model.name} {ask.provider} {origin.sensitivity} {origin.timeout}\n"
    return blake2b(who.encode() + join_members(rest), digest_size=16).digest()


def _divide(body: bytes, counts: Sequence[int]) -> list[dict[str, Raw]]:
    """The members of each one's answer, its vectors counted from 0."""
    try:
        answer = _answer.decode(body)
        data = sorted(answer.data, key=lambda one: _index(one["index"]))
        if [_index(one["index"]) for one in data] != list(range(sum(counts))):
            raise ProviderMalformed
    except (msgspec.DecodeError, KeyError) as error:
        raise ProviderMalformed from error
    bodies, start = [], 0
    for count in counts:
        own = [one | {"index": Raw(b"%d" % turn)} for turn, one in enumerate(data[start : start + count])]
        listed = Raw(b"[%b]" % b",".join(map(join_members, own)))
        bodies.append({"object": Raw(b'"list"'), "data": listed, "model": answer.model})
        start += count
    return bodies


def _length(text: Raw) -> int:
    """Bytes without the quotation marks."""
    return max(1, memoryview(text).nbytes - 2)


def _shares(usage: Usage | None, weights: Sequence[int]) -> list[Usage | None]:
    """Tokens in proportion to the texts: their sum is what the provider counted, meter by meter."""
    if usage is None:
        return [None for _ in weights]
    counted = {name: _proportions(getattr(usage, name), weights) for name in METERS if getattr(usage, name)}
    return [
        Usage(doubtful=usage.doubtful, **{name: shares[turn] for name, shares in counted.items()})
        for turn in range(len(weights))
    ]


def _proportions(total: int, weights: Sequence[int]) -> list[int]:
    """By largest remainder."""
    exact = [divmod(total * weight, sum(weights)) for weight in weights]
    left = total - sum(share for share, _ in exact)
    luckiest = sorted(range(len(weights)), key=lambda turn: (-exact[turn][1], turn))[:left]
    return [share + (turn in luckiest) for turn, (share, _) in enumerate(exact)]


def _counts(usage: Usage) -> bytes:
    return b'{"prompt_tokens":%d,"total_tokens":%d}' % (usage.prompt_tokens, usage.tokens)


_answer = msgspec.json.Decoder(_Answer)
_many = msgspec.json.Decoder(list[Raw]).decode
_index = msgspec.json.Decoder(int).decode
