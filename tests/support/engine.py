"""The engine on memory ports, and the values it is fed with, each with the least that it needs."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any
from uuid import UUID

import msgspec

from gateway.accounts import Account, Amounts, Hold
from gateway.call import Ask, Call, Origin, Outcome
from gateway.catalog import Deployment, Model, Provider, Snapshot
from gateway.entry import Entry, Line
from gateway.ids import uuid7
from gateway.members import read_members
from gateway.memory import GlassVault, MemoryBooks, MemoryCatalog, MemoryDirectory, MemorySpill, NoCache
from gateway.pipeline import Gateway
from gateway.ports import Books, Cache, Meanings
from gateway.pricing import Price, PriceCard, make_sheet
from gateway.principal import Principal
from gateway.reasons import Reasons
from gateway.retry import Effort
from gateway.steps.admit import open_tab, worst_hold
from gateway.strategies import Facts
from gateway.tab import Tab
from gateway.vitals import Vitals
from tests.support.clock import FakeClock
from tests.support.script import Act, Listener, Script

TENANT = UUID(int=0xACE)
OTHER_TENANT = UUID(int=0xBAD)
KEY = "gw-alice"
INPUT_PICO, OUTPUT_PICO = 1_000_000, 2_000_000
"""$1 and $2 per million tokens: 1,000 and 2,000 nano-dollars a token."""


def _filled(fields: dict[str, Any], **least: Any) -> dict[str, Any]:
    return least | fields


def make_card(version: str = "v1", /, **meters: int) -> PriceCard:
    """A card with one sheet, of pico-dollars by meter."""
    picos = meters or {"input": INPUT_PICO, "output": OUTPUT_PICO}
    prices = {meter: Price(pico=pico, row=row) for row, (meter, pico) in enumerate(picos.items(), start=1)}
    return PriceCard(version=version, sheets=(make_sheet(prices),))


def make_provider(name: str = "alpha", **fields: Any) -> Provider:
    """A provider that speaks OpenAI's format."""
    url = f"https://{name}.example/v1"
    return Provider(**_filled(fields, id=uuid7(), name=name, wire="openai", base_url=url))


def make_deployment(name: str = "alpha", **fields: Any) -> Deployment:
    """A model at a provider of that name."""
    fields.setdefault("provider", make_provider(name))
    return Deployment(**_filled(fields, id=uuid7(), upstream="m", cards=(make_card(),)))


def make_model(*deployments: Deployment, **fields: Any) -> Model:
    """A model with answers of at most 100 tokens."""
    chosen = deployments or (make_deployment(),)
    return Model(**_filled(fields, name="m", deployments=chosen, max_output=100))


def make_snapshot(*models: Model, **fields: Any) -> Snapshot:
    """A catalog of these models."""
    named = {model.name: model for model in models}
    return Snapshot(**_filled(fields, models=named, aliases={}, defaults={}))


def make_account(unit: str = "nano", limit: int = 10**9, window: str = "total", **fields: Any) -> Account:
    """An account of the tenant's."""
    identity = {"id": f"tenant:{unit}:{window}", "scope": "tenant", "name": "acme"}
    return Account(**_filled(fields, unit=unit, limit=limit, window=window, **identity))


def make_principal(*accounts: Account, **fields: Any) -> Principal:
    """Alice's key."""
    return Principal(**_filled(fields, tenant_id=TENANT, tenant="acme", key="app", accounts=accounts))


def make_facts(ask: Ask | None = None, **fields: Any) -> Facts:
    """What is known of a call of Alice's where nobody has called anyone yet."""
    facts = {"ask": ask or make_ask(), "principal": make_principal(), "now_ms": 0}
    return Facts(**_filled(fields, **facts, look=Vitals().look, random=Random(1)))


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


def make_reasons(request_id: str = "req-1", tenant_id: UUID = TENANT, **fields: Any) -> Reasons:
    """Why a call of Alice's went as it did."""
    least = {"call_id": uuid7(), "at_ms": 0, "tenant": "acme", "key": "app", "model_asked": "m"}
    return Reasons(**_filled(fields, **least), request_id=request_id, tenant_id=tenant_id)


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


class Rig:
    """One tenant's key, one gateway, and a provider that plays a script."""

    def __init__(
        self,
        *acts: Act,
        clock: FakeClock,
        models: Sequence[Model] = (),
        accounts: Sequence[Account] = (),
        books: Callable[[MemoryBooks], Books] = lambda books: books,
        spill: MemorySpill | None = None,
        effort: Effort | None = None,
        cache: Cache | None = None,
        meanings: Meanings | None = None,
        **principal: Any,
    ) -> None:
        self.clock = clock
        self.books = MemoryBooks(clock)  # type: ignore[arg-type]
        self.spill = spill or MemorySpill()
        self.script = Script(*acts)
        self.principal = make_principal(*accounts, **principal)
        self.gateway = Gateway(
            books=books(self.books),
            spill=self.spill,
            vault=GlassVault(),
            directory=MemoryDirectory({KEY: self.principal}),
            catalog=MemoryCatalog(make_snapshot(*(models or (make_model(),)))),
            cache=cache or NoCache(),
            meanings=meanings,
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

    def admitted(self, call: Call) -> Tab:
        """The tab of a call that is about to be held."""
        tab = open_tab(call, self.principal, None, self.gateway.catalog.snapshot(), self.clock.now())
        tab.hold = worst_hold(tab)
        return tab

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
        """Nothing is held, entries are the sum of their lines, and counters are the sum of entries."""
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
