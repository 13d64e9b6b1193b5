"""What limits, limits everywhere: three processes at once, and none lets through what the others have taken.

The provider keeps its own bill, and counts whom it has at the same time.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from textwrap import dedent
from typing import Any

import psycopg
import pytest

from tests.support.accounts_proof import BooksProof
from tests.support.caller import Caller, fresh
from tests.support.crowd import Call, Made, Try, keep_calling, make_all
from tests.support.gateway_server import GatewayServer, served_fleet
from tests.support.provider_paces import Crowding, answer_in_time, break_off
from tests.support.provider_scripts import COMPLETION_TOKENS, PROMPT_TOKENS, fails
from tests.support.provider_stub import ProviderStub, Script, Turn
from tests.support.waiting import eventually

pytestmark = pytest.mark.chaos

INPUT_NANO, OUTPUT_NANO = 1_000, 1_400_000
CALL_NANO = PROMPT_TOKENS * INPUT_NANO + COMPLETION_TOKENS * OUTPUT_NANO
DOLLAR = 10**9
CALM_WITHIN = 20.0
REFUSED_WITHIN = 1.0
CONFIGURATION = """
providers:
  stub: {{wire: openai, base_url: "{url}"}}
  poor: {{wire: openai, base_url: "{other}"}}
models:
  "stub/*": {{deployments: [{{provider: stub, model: "*"}}]}}
  "pair/*":
    deployments:
      - {{provider: poor, model: "*", priority: 0}}
      - {{provider: stub, model: "*", priority: 1}}
prices:
  - {{provider: stub, model: "*", input: 1, output: 1400}}
  - {{provider: poor, model: "*", input: 1, output: 1400}}
tenants:
  acme:
    budgets: [{{amount: 1, window: total, hard: true}}]
    keys: [{{name: app, secret: acme-key-0000000001}}]
  globex:
    projects:
      search: {{budgets: [{{amount: 1, window: total, hard: true}}]}}
    keys:
      - {{name: searching, secret: globex-key-00000001, project: search}}
      - {{name: app, secret: globex-key-00000002, budgets: [{{amount: 1, window: total, hard: true}}]}}
      - {{name: shared, secret: globex-key-00000003}}
      - {{name: pair, secret: globex-key-00000004, budgets: [{{amount: 1, window: total, hard: true}}]}}
      - {{name: slow, secret: globex-key-00000005, limits: {{rpm: 100}}}}
      - {{name: narrow, secret: globex-key-00000006, limits: {{parallel: 10}}}}
      - {{name: lost, secret: globex-key-00000007}}
      - {{name: other, secret: globex-key-00000008, budgets: [{{amount: 1, window: total, hard: true}}]}}
"""
PERSON_WITH_A_BUDGET = """
from tenants.models import Budget, EndUser, Tenant
person = EndUser.objects.create(tenant=Tenant.objects.get(name="globex"), name="charlie")
Budget.objects.create(end_user=person, amount_nano=10**9, window="total")
"""
BLOCKED = """
tenants:
  globex:
    keys: [{name: lost, blocked: true}]
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderStub]:
    with ProviderStub(answer_in_time) as stub:
        yield stub


@pytest.fixture(scope="module")
def gateway(provider: ProviderStub) -> Iterator[GatewayServer]:
    configuration = CONFIGURATION.format(url=provider.url(), other=provider.url("/poor"))
    with served_fleet(configuration) as server:
        server.manage("shell", "-c", dedent(PERSON_WITH_A_BUDGET))
        yield server


def calls_with(gateway: GatewayServer, key: str, count: int, *, user: str = "", **asked: Any) -> list[Call]:
    """So many calls at once, each for at most as many tokens as the provider answers with."""
    caller = Caller(gateway, "acme" if key.startswith("acme") else "globex", key)
    told: dict[str, Any] = {"model": f"stub/{fresh('cap')}", "seconds": 0.2} | asked
    members = {"max_tokens": COMPLETION_TOKENS} | ({"user": user} if user else {})
    return [Call(name=fresh("call"), caller=caller, members=members, **told) for _ in range(count)]


def answered(made: Sequence[Made]) -> list[Made]:
    return [one for one in made if one.answered]


def bill(provider: ProviderStub, name: str) -> int:
    """What the provider asks for."""
    told = provider.bill(name)
    return told.prompt_tokens * INPUT_NANO + told.completion_tokens * OUTPUT_NANO


def check_refused(one: Try, status: int, code: str, account: str) -> None:
    """It says what refused it, and when to come back."""
    assert (one.status, one.json()["error"]["code"]) == (status, code)
    assert account in one.json()["error"]["message"]
    assert float(one.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("key", "user", "account"),
    [
        ("acme-key-0000000001", "", "tenant 'acme'"),
        ("globex-key-00000001", "", "project 'search'"),
        ("globex-key-00000002", "", "key 'app'"),
        ("globex-key-00000003", "charlie", "end user 'charlie'"),
    ],
    ids=["tenant", "project", "key", "end user"],
)
async def test_a_hard_budget_is_never_overspent(
    gateway: GatewayServer, provider: ProviderStub, key: str, user: str, account: str
) -> None:
    calls = calls_with(gateway, key, 200, user=user)
    made = await make_all(calls)
    assert 0.9 * DOLLAR <= bill(provider, calls[0].model.rpartition("/")[2]) <= DOLLAR
    refused = [one for one in made if not one.answered]
    for one in refused:
        check_refused(one.last, 429, "budget_exceeded", account)
    BooksProof(gateway).await_calm(CALM_WITHIN)
    booked = {row.request_id for row in gateway.ledger()}
    assert booked.isdisjoint(one.last.request for one in refused)
    assert {one.last.request for one in answered(made)} <= booked


@pytest.mark.parametrize(
    ("key", "failing"),
    [("globex-key-00000004", fails(500)), ("globex-key-00000008", break_off)],
    ids=["refused", "done and not seen"],
)
async def test_a_hard_budget_is_not_overspent_by_second_attempts(
    gateway: GatewayServer, provider: ProviderStub, key: str, failing: Script
) -> None:
    """One that failed may have to be paid for too, so that both are held."""

    async def answer_second(turn: Turn) -> None:
        await (failing if turn.heard.path.startswith("/poor/") else answer_in_time)(turn)

    name = fresh("pair")
    provider.script(name, answer_second)
    for count in (60, 200):
        await make_all(calls_with(gateway, key, count, model=f"pair/{name}"))
    while answered(await make_all(calls_with(gateway, key, 20, model=f"pair/{name}"))):
        assert bill(provider, name) <= DOLLAR
    assert 0.9 * DOLLAR <= bill(provider, name) <= DOLLAR
    assert {one.path.split("/")[1] for one in provider.heard(name)} == {"poor", "v1"}
    BooksProof(gateway).await_calm(CALM_WITHIN)


async def test_a_limit_admits_as_many_as_it_says(gateway: GatewayServer) -> None:
    made = await make_all(calls_with(gateway, "globex-key-00000005", 300, seconds=0))
    assert len(answered(made)) == 100
    for one in made:
        if not one.answered:
            check_refused(one.last, 429, "rate_limited", "key 'slow'")


async def test_places_are_shared_by_all_processes(gateway: GatewayServer, provider: ProviderStub) -> None:
    calls = calls_with(gateway, "globex-key-00000006", 60, persists=True)
    crowding = Crowding()
    provider.script(calls[0].model.removeprefix("stub/"), crowding)
    made = await make_all(calls)
    assert len(answered(made)) == len(calls)
    assert crowding.most == 10
    assert {one.status for each in made for one in each.tries} == {200, 429}


async def test_a_blocked_key_is_refused_everywhere_within_a_second(gateway: GatewayServer) -> None:
    key, stop = "globex-key-00000007", asyncio.Event()
    calling = asyncio.create_task(keep_calling(lambda: calls_with(gateway, key, 1, seconds=0)[0], 50, stop))
    blocking = asyncio.create_task(asyncio.to_thread(gateway.manage, "apply", "-", told=BLOCKED))
    blocked = await asyncio.to_thread(wait_until_blocked, gateway, "lost")
    await blocking
    await asyncio.sleep(max(0, blocked + 2 * REFUSED_WITHIN - time.monotonic()))
    stop.set()
    tries = [one.last for one in await calling]
    before = [one for one in tries if one.ended < blocked]
    after = [one for one in tries if one.began > blocked + REFUSED_WITHIN]
    ports = {web.port for web in gateway.webs}
    assert {one.port for one in before} == {one.port for one in after} == ports
    assert {one.status for one in before} == {200}
    assert {one.status for one in after} == {401}


def wait_until_blocked(gateway: GatewayServer, name: str) -> float:
    """When others can see that a key is blocked."""
    query = "SELECT 1 FROM tenants_apikey WHERE name = %s AND blocked"
    with psycopg.connect(gateway.environment["DATABASE_URL"], autocommit=True) as connection:
        assert eventually(lambda: connection.execute(query, [name]).fetchone(), within=30)
    return time.monotonic()
