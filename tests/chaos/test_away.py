"""A server is away, hangs, or comes back empty: what goes on meanwhile, and how it comes right by itself."""

import asyncio
from collections.abc import Awaitable, Iterator

import pytest

from tests.support.accounts_proof import BooksProof
from tests.support.caller import Caller, fresh
from tests.support.chaos_form import read_form
from tests.support.crowd import Call, Made, keep_calling, make_all
from tests.support.fleet import Fleet, own_fleet
from tests.support.gateway_server import Row
from tests.support.own_servers import lose_everything
from tests.support.processes import frozen
from tests.support.provider_paces import answer_in_time
from tests.support.provider_scripts import COMPLETION_TOKENS, PROMPT_TOKENS
from tests.support.provider_stub import ProviderStub
from tests.support.reckoning import cases_of, complaints_about
from tests.support.waiting import eventually

pytestmark = pytest.mark.chaos

DATABASE_AWAY_SECONDS = 30.0 if read_form().is_long else 5.0
REDIS_HANGS_SECONDS = 5.0
ALIVE_SECONDS = 6.0
"""A call is under way so long, while a process is killed and Redis comes back."""
PROMPT_SECONDS = 2.0
REFUSED_WITHIN = 3.0
"""A second for what the books were asked before, half a one in between, one for its own, and some luck."""
SPILLED_WITHIN = 7.0
"""The books have three seconds to take an entry, beside the one that they had for the hold, and some luck."""
LEASE_SECONDS = 10
"""Longer than Redis hangs, so that nobody who lives is taken for dead."""
BOOKED_WITHIN = LEASE_SECONDS + 10.0
DRAINED_WITHIN = 10.0
CALM_WITHIN = 20.0
CAPPED_CALLERS = 20
EVERY_SECONDS = 0.1
INPUT_NANO, OUTPUT_NANO = 1_000, 1_400_000
CALL_NANO = PROMPT_TOKENS * INPUT_NANO + COMPLETION_TOKENS * OUTPUT_NANO
DOLLAR = 10**9
CONFIGURATION = """
providers:
  stub: {{wire: openai, base_url: "{url}"}}
models:
  "stub/*": {{max_output_tokens: 7, deployments: [{{provider: stub, model: "*"}}]}}
prices:
  - {{provider: stub, model: "*", input: 1, output: 1400}}
tenants:
  acme:
    budgets: [{{amount: 1000, window: total, hard: true}}]
    keys:
      - {{name: app, secret: acme-key-0000000001}}
      - {{name: capped, secret: acme-key-0000000002, budgets: [{{amount: 1, window: total, hard: true}}]}}
  globex:
    budgets: [{{amount: 1000, window: total, hard: false}}]
    policy: {{books_away: allow}}
    keys: [{{name: app, secret: globex-key-00000001}}]
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderStub]:
    with ProviderStub(answer_in_time) as stub:
        yield stub


@pytest.fixture(scope="module")
def fleet(provider: ProviderStub) -> Iterator[Fleet]:
    lease = str(LEASE_SECONDS)
    configuration = CONFIGURATION.format(url=provider.url())
    with own_fleet(configuration, GATEWAY_LEASE_SECONDS=lease) as fleet:
        yield fleet


class Asking:
    """Callers of one tenant, who go on while something is done to the fleet."""

    def __init__(self, fleet: Fleet, tenant: str, key: str, *, seconds: float = 0.05) -> None:
        self._caller = Caller(fleet.gateway, tenant, key)
        self._name = fresh("away")
        self._model = f"stub/{self._name}"
        self._seconds = seconds

    def call(self, after: float = 0.0) -> Call:
        """One of their calls."""
        called = fresh("call")
        return Call(name=called, caller=self._caller, after=after, model=self._model, seconds=self._seconds)

    def calls_within(self, seconds: float) -> list[Call]:
        """Calls that begin one after the other, whether or not those before are answered."""
        return [self.call(after=number * EVERY_SECONDS) for number in range(round(seconds / EVERY_SECONDS))]

    async def once_everywhere(self) -> list[Made]:
        """As many calls at once as leave no process out."""
        return await make_all([self.call() for _ in self._caller.gateway.webs])

    def is_heard(self, provider: ProviderStub, calls: int) -> bool:
        """Whether so many of their calls have reached the provider."""
        return len(provider.heard(self._name)) >= calls

    def billed(self, provider: ProviderStub) -> int:
        """What the provider asks for them all."""
        bill = provider.bill(self._name)
        return bill.prompt_tokens * INPUT_NANO + bill.completion_tokens * OUTPUT_NANO


async def calls_during(trouble: Awaitable[None], *askers: Asking, callers: int = 5) -> list[list[Made]]:
    """What each of them asks until the trouble is over, and how that goes."""
    over = asyncio.Event()
    calling = [asyncio.create_task(keep_calling(asker.call, callers, over)) for asker in askers]
    await trouble
    over.set()
    return [await made for made in calling]


def check_books(fleet: Fleet, provider: ProviderStub, made: list[Made], *, within: float) -> None:
    """Nothing is lost, nothing is charged twice, and the accounts say so too."""
    BooksProof(fleet.gateway).await_calm(within)
    complaints = complaints_about(cases_of(fleet, provider, made, bill=CALL_NANO))
    assert not complaints, "\n".join(complaints)


async def test_known_keys_are_served_without_postgresql(fleet: Fleet, provider: ProviderStub) -> None:
    known = Asking(fleet, "acme", "acme-key-0000000001")
    stranger = Asking(fleet, "acme", fresh("nobody"))
    strangers: list[Made] = []

    async def postgresql_is_away() -> None:
        await asyncio.to_thread(fleet.postgresql.stop)
        await asyncio.sleep(DATABASE_AWAY_SECONDS)
        strangers.extend(await stranger.once_everywhere())
        await asyncio.to_thread(fleet.postgresql.start)

    await known.once_everywhere()
    (made,) = await calls_during(postgresql_is_away(), known)
    check_books(fleet, provider, made, within=DRAINED_WITHIN)
    assert {one.last.status for one in made} == {200}
    assert max(one.last.seconds for one in made) < PROMPT_SECONDS
    assert {(one.last.status, one.last.json()["error"]["code"]) for one in strangers} == {
        (503, "configuration_unavailable")
    }


async def test_a_redis_that_hangs_is_waited_for_as_the_tenant_says(
    fleet: Fleet, provider: ProviderStub
) -> None:
    refusing = Asking(fleet, "acme", "acme-key-0000000001")
    allowing = Asking(fleet, "globex", "globex-key-00000001")

    async def redis_hangs() -> None:
        with frozen(fleet.redis.pid):
            await asyncio.sleep(REDIS_HANGS_SECONDS)

    await refusing.once_everywhere()
    await allowing.once_everywhere()
    hanging = asyncio.create_task(redis_hangs())
    refused, allowed = await asyncio.gather(
        make_all(refusing.calls_within(REDIS_HANGS_SECONDS - REFUSED_WITHIN)),
        make_all(allowing.calls_within(REDIS_HANGS_SECONDS)),
    )
    await hanging
    after = [*await refusing.once_everywhere(), *await allowing.once_everywhere()]
    check_books(fleet, provider, [*refused, *allowed, *after], within=CALM_WITHIN)
    assert {one.last.status for one in refused} == {503}
    assert all(float(one.last.headers["Retry-After"]) > 0 for one in refused)
    assert max(one.last.seconds for one in refused) < REFUSED_WITHIN
    assert {one.last.status for one in (*allowed, *after)} == {200}
    assert max(one.last.seconds for one in allowed) < REDIS_HANGS_SECONDS + PROMPT_SECONDS
    assert max(one.last.seconds for one in after) < PROMPT_SECONDS


async def test_answers_do_not_wait_for_a_redis_that_stays_away(fleet: Fleet, provider: ProviderStub) -> None:
    """Their entries go to disk soon, however long a call may take, and are in the ledger when it is back."""
    allowing = Asking(fleet, "globex", "globex-key-00000001")
    await allowing.once_everywhere()
    await asyncio.to_thread(fleet.redis.kill)
    made = await allowing.once_everywhere()
    await asyncio.to_thread(fleet.redis.start)
    assert {one.last.status for one in made} == {200}
    assert max(one.last.seconds for one in made) < SPILLED_WITHIN
    check_books(fleet, provider, made, within=CALM_WITHIN)


async def test_a_call_that_dies_while_redis_is_away_is_booked_at_its_bound(
    fleet: Fleet, provider: ProviderStub
) -> None:
    """Its hold is on disk before the provider hears of it; those that live are not taken for dead."""
    allowing = Asking(fleet, "globex", "globex-key-00000001", seconds=ALIVE_SECONDS)
    calls = len(fleet.gateway.webs)
    await Asking(fleet, "globex", "globex-key-00000001").once_everywhere()
    await asyncio.to_thread(fleet.redis.kill)
    making = asyncio.create_task(allowing.once_everywhere())
    assert await asyncio.to_thread(provider.wait_for, lambda: allowing.is_heard(provider, calls), 10)
    killed = fleet.gateway.webs[0]
    await fleet.kill(killed)
    await asyncio.to_thread(fleet.redis.start)
    await fleet.start(killed)
    made = await making
    rows = await asyncio.to_thread(eventually, lambda: _rows_of(fleet, made), within=BOOKED_WITHIN)
    assert len(rows) == calls
    dead = [row for one, row in zip(made, rows, strict=True) if one.last.port == killed.port]
    assert [row.status for row in dead] == ["unsettled"]
    assert dead[0].charge_nano >= CALL_NANO
    assert [row.charge_nano for row in rows if row.status == "settled"] == [CALL_NANO] * (calls - 1)
    check_books(fleet, provider, made, within=CALM_WITHIN)
    assert list((fleet.gateway.home / "spill").iterdir()) == []


def _rows_of(fleet: Fleet, made: list[Made]) -> list[Row]:
    """The only entry of each call, once all are there."""
    rows = [fleet.gateway.ledger(request=one.last.request) for one in made]
    return [row for (row,) in rows] if all(rows) else []


async def test_a_redis_that_comes_back_empty_is_told_again(fleet: Fleet, provider: ProviderStub) -> None:
    """Nobody may spend again what was spent before; what was open when it was lost may come on top."""
    capped = Asking(fleet, "acme", "acme-key-0000000002", seconds=0.3)

    async def redis_loses_everything() -> None:
        assert await has_billed(provider, capped, 0.4)
        await asyncio.to_thread(lose_everything, fleet.redis)
        assert await has_billed(provider, capped, 0.9)
        await asyncio.sleep(2)

    await capped.once_everywhere()
    (made,) = await calls_during(redis_loses_everything(), capped, callers=CAPPED_CALLERS)
    check_books(fleet, provider, made, within=CALM_WITHIN)
    assert capped.billed(provider) <= DOLLAR + CAPPED_CALLERS * CALL_NANO
    assert {one.last.status for one in made} == {200, 429, 503}


async def has_billed(provider: ProviderStub, asker: Asking, dollars: float) -> bool:
    """Wait until the provider has done so much; whether it came to that."""
    enough = dollars * DOLLAR
    return await asyncio.to_thread(provider.wait_for, lambda: asker.billed(provider) >= enough, 30)
