"""The engine on memory ports, with a provider that follows a script."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any
from uuid import UUID

import msgspec

from gateway.accounts import Account, Amounts, Hold
from gateway.call import Ask, Call, Event, Origin, Outcome, Served
from gateway.catalog import Deployment, Model, Provider, Snapshot
from gateway.entry import Entry, Line
from gateway.exchange import Request
from gateway.ids import uuid7
from gateway.members import read_members
from gateway.memory import CannedAnswer, MemoryBooks, MemoryCatalog, MemoryDirectory, NoCache
from gateway.pipeline import Gateway
from gateway.ports import Answer, Books
from gateway.pricing import Price, PriceCard, make_sheet
from gateway.principal import Principal
from gateway.retry import Effort
from tests.support.clock import FakeClock

TENANT = UUID(int=0xACE)
OTHER_TENANT = UUID(int=0xBAD)
KEY = "gw-alice"
INPUT_PICO, OUTPUT_PICO = 1_000_000, 2_000_000
"""$1 and $2 per million tokens: 1,000 and 2,000 nano-dollars a token."""

Act = Callable[[Request], Awaitable[Answer]]
Piece = bytes | Exception | asyncio.Event


def make_card(version: str = "v1", **meters: int) -> PriceCard:
    """A card with one sheet, of pico-dollars by meter."""
    picos = meters or {"input": INPUT_PICO, "output": OUTPUT_PICO}
    prices = {meter: Price(pico=pico, row=row) for row, (meter, pico) in enumerate(picos.items(), start=1)}
    return PriceCard(version=version, sheets=(make_sheet(prices),))


def make_provider(name: str = "alpha", **fields: Any) -> Provider:
    """A provider that speaks OpenAI's format."""
    return Provider(
        **{"id": uuid7(), "name": name, "wire": "openai", "base_url": f"https://{name}.example/v1"} | fields
    )


def make_deployment(name: str = "alpha", upstream: str = "m", **fields: Any) -> Deployment:
    """A model at a provider of that name."""
    provider = fields.pop("provider", None) or make_provider(name)
    return Deployment(
        **{"id": uuid7(), "provider": provider, "upstream": upstream, "cards": (make_card(),)} | fields
    )


def make_model(*deployments: Deployment, name: str = "m", **fields: Any) -> Model:
    """A model with answers of at most 100 tokens."""
    chosen = deployments or (make_deployment(),)
    return Model(**{"name": name, "deployments": chosen, "max_output": 100} | fields)


def make_snapshot(*models: Model, **fields: Any) -> Snapshot:
    """A catalog of these models."""
    return Snapshot(
        **{"models": {model.name: model for model in models}, "aliases": {}, "defaults": {}} | fields
    )


def make_account(unit: str = "nano", limit: int = 10**9, window: str = "total", **fields: Any) -> Account:
    """An account of the tenant's."""
    identity = {"id": f"tenant:{unit}:{window}", "scope": "tenant", "name": "acme"}
    return Account(**identity | {"unit": unit, "limit": limit, "window": window} | fields)


def make_principal(*accounts: Account, **fields: Any) -> Principal:
    """Alice's key."""
    return Principal(**{"tenant_id": TENANT, "tenant": "acme", "key": "app", "accounts": accounts} | fields)


def make_entry(nano: int = 0, identifier: UUID | None = None, **fields: Any) -> Entry:
    """An entry whose one line is worth so much."""
    line = Line(meter="bound", units=1, pico=0, cost_nano=nano, charge_nano=nano, price=0)
    names: tuple[str, ...] = (
        "project",
        "cost_centre",
        "key",
        "model_asked",
        "model",
        "provider",
        "deployment",
    )
    nobody: dict[str, Any] = dict.fromkeys(
        ("project_id", "key_id", "end_user_id", "provider_id", "deployment_id"), None
    )
    call = {"request_id": "req-1", "dialect": "openai", "kind": "chat", "status": "settled"}
    money = {"cost_nano": nano, "charge_nano": nano, "lines": (line,) if nano else ()}
    who = {"id": identifier or uuid7(), "at_ms": 1_767_225_600_000, "tenant_id": TENANT, "tenant": "acme"}
    return Entry(**dict.fromkeys(names, "") | nobody | who | call | money | fields)


def make_hold(*accounts: Account, identifier: UUID | None = None, **amounts: int) -> Hold:
    """A hold of these amounts; its skeleton books the money of it."""
    chosen = Amounts(**{"requests": 1, "concurrency": 1} | amounts)
    skeleton = make_entry(chosen.nano, identifier, status="unsettled", estimated=True)
    return Hold(id=skeleton.id, accounts=accounts, amounts=chosen, skeleton=skeleton)


def make_ask(text: str = "hello", *, stream: bool = False, model: str = "m", **members: Any) -> Ask:
    """A chat in OpenAI's format; usage in its stream is wanted unless told otherwise."""
    wants_usage = members.pop("wants_usage", True)
    messages = members.pop("messages", [{"role": "user", "content": text}])
    body = msgspec.json.encode({"model": model, "messages": messages, **members})
    return ask_of(
        body, model=model, stream=stream, wants_usage=wants_usage, max_output=members.get("max_tokens")
    )


def ask_of(body: bytes, **fields: Any) -> Ask:
    """What a dialect would make of a body."""
    read = {"dialect": "openai", "kind": "chat", "format": "openai", "model": "m", "body": body}
    return Ask(**read | {"members": read_members(body)} | fields)


def answers(body: bytes, status: int = 200, **headers: str) -> Act:
    """The provider answers whole."""

    async def act(_: Request) -> Answer:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return CannedAnswer(status, {"content-type": "application/json"} | names, [body])

    return act


def completes(text: str = "hello", prompt: int = 10, completion: int = 5) -> Act:
    """The provider answers a chat, and counts its tokens."""
    usage = {"prompt_tokens": prompt, "completion_tokens": completion}
    choices = [{"index": 0, "message": {"role": "assistant", "content": text}}]
    return answers(msgspec.json.encode({"choices": choices, "usage": usage}))


def fails(error: Exception) -> Act:
    """The provider cannot be reached, or does not answer."""

    async def act(_: Request) -> Answer:
        raise error

    return act


def hangs() -> Act:
    """The provider never answers."""

    async def act(_: Request) -> Answer:
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]  # never comes

    return act


def streams(*pieces: Piece) -> Act:
    """The provider streams: bytes go out, an event is waited for, an exception ends it."""

    async def act(_: Request) -> Answer:
        return _Stream(pieces)

    return act


def chunk(**delta: Any) -> bytes:
    """An event of a streamed chat."""
    return event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})


def event(data: Mapping[str, Any]) -> bytes:
    """An event with JSON in it."""
    return b"data: " + msgspec.json.encode(data) + b"\n\n"


ROLE = chunk(role="assistant", content="")
USAGE = event({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5}})
DONE = b"data: [DONE]\n\n"


class _Stream:
    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.status = 200
        self.headers = {"content-type": "text/event-stream"}
        self._pieces = pieces

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self.chunks()])

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            await asyncio.sleep(0)
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, asyncio.Event):
                await piece.wait()
            else:
                yield piece


class Script:
    """A transport that plays one act a request; the last is repeated."""

    def __init__(self, *acts: Act) -> None:
        self.acts = list(acts)
        self.requests: list[Request] = []

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncIterator[Answer]:
        """Play the next act."""
        self.requests.append(request)
        act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
        await asyncio.sleep(0)
        yield await act(request)

    @property
    def hosts(self) -> list[str]:
        """The providers that were asked, in turn."""
        return [request.url.split("//")[1].split(".")[0] for request in self.requests]


class Listener:
    """A relay that writes down what comes."""

    def __init__(self) -> None:
        self.served: Served | None = None
        self.heard: list[bytes] = []

    async def start(self, served: Served) -> None:
        """The answer is committed."""
        assert self.served is None
        self.served = served
        await asyncio.sleep(0)

    async def send(self, event: Event) -> None:
        """A piece of it."""
        assert self.served is not None
        self.heard.append(event.data)
        await asyncio.sleep(0)


class Rig:
    """One tenant's key, one gateway, and a provider that plays a script."""

    def __init__(
        self,
        *acts: Act,
        clock: FakeClock,
        models: Sequence[Model] = (),
        accounts: Sequence[Account] = (),
        books: Callable[[MemoryBooks], Books] = lambda books: books,
        effort: Effort | None = None,
        **principal: Any,
    ) -> None:
        self.clock = clock
        self.books = MemoryBooks(clock)  # type: ignore[arg-type]
        self.script = Script(*acts)
        self.principal = make_principal(*accounts, **principal)
        self.gateway = Gateway(
            books=books(self.books),
            directory=MemoryDirectory({KEY: self.principal}),
            catalog=MemoryCatalog(make_snapshot(*(models or (make_model(),)))),
            cache=NoCache(),
            clock=clock,
            transport_for=lambda _: self.script,
            effort=effort,
            random=Random(1),
        )

    def call(self, ask: Ask | None = None, **origin: Any) -> Call:
        """A call of Alice's."""
        credential = {"credential": KEY, "request_id": "req-1"}
        return Call(
            id=uuid7(),
            ask=ask or make_ask(),
            origin=Origin(**credential | origin),
            started=self.clock.monotonic(),
        )

    async def run(self, ask: Ask | None = None, **origin: Any) -> Outcome:
        """Make a call and wait for its answer."""
        return await self.gateway.run(self.call(ask, **origin))

    async def stream(self, listener: Listener, **origin: Any) -> Outcome:
        """Make a streamed call."""
        return await self.gateway.run(self.call(make_ask(stream=True), **origin), listener)

    @property
    def entries(self) -> list[Entry]:
        """The ledger."""
        return list(self.books.entries.values())

    @property
    def entry(self) -> Entry:
        """The only entry in the ledger."""
        (only,) = self.entries
        return only

    def spent(self, unit: str) -> int:
        """What all accounts of a unit have spent."""
        counters = self.books.tally.counters
        return sum(counter.spent for (account, _), counter in counters.items() if f":{unit}:" in account)

    def assert_balanced(self) -> None:
        """Nothing is held any more, every entry is the sum of its lines, and counters are the sum of entries."""
        tally = self.books.tally
        assert not tally.holds
        assert not self.gateway.open
        assert {counter.held for counter in tally.counters.values()} <= {0}
        for entry in self.entries:
            assert sum(line.cost_nano for line in entry.lines) == entry.cost_nano
            assert sum(line.charge_nano for line in entry.lines) == entry.charge_nano
        assert self.spent("nano") == sum(entry.charge_nano for entry in self.entries)
        assert self.spent("requests") == sum(entry.corrects is None for entry in self.entries)
        assert self.spent("concurrency") == 0


BOUNDED = (make_account("nano"), make_account("requests", 100), make_account("concurrency", 5, "none"))
"""Accounts that every pipeline test has, so that every one of them checks the sums."""
