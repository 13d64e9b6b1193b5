"""Keys to principals: remembered briefly, never past a change, and served while the database is away."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.db import OperationalError

from gateway.call import Origin
from gateway.errors import ConfigurationAway, Forbidden, GatewayError, Unauthenticated
from gateway.principal import EndUser as Person
from gateway.principal import Principal
from tenants import directory as directory_module
from tenants.directory import KEEP_SECONDS, KEEP_UNKNOWN_SECONDS, DatabaseDirectory
from tenants.keys import key_revoke, key_rotate
from tenants.models import ApiKey, EndUser, Tenant
from tests import factories
from tests.support.clock import FakeClock

pytestmark = pytest.mark.django_db(transaction=True)


class Desk:
    """A directory, with what its surroundings are told to be."""

    def __init__(self) -> None:
        self.clock = FakeClock(datetime.now(UTC).timestamp())
        self.revision = 1
        self.directory = DatabaseDirectory(clock=self.clock, revision=lambda: self.revision)
        self.loads = 0
        self.is_away = False

    async def identify(self, credential: str, **origin: Any) -> Principal:
        """Who sends this key."""
        return await self.directory.identify(Origin(credential=credential, **origin))

    async def refusal(self, credential: str, **origin: Any) -> GatewayError:
        """Why nobody does."""
        with pytest.raises(GatewayError) as refused:
            await self.identify(credential, **origin)
        return refused.value


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk whose look-ups are counted, and whose database may be away."""
    desk = Desk()

    def counted(load: Callable[..., Any]) -> Callable[..., Any]:
        def loaded(**arguments: Any) -> Any:
            desk.loads += 1
            if desk.is_away:
                raise OperationalError("the database is away")
            return load(**arguments)

        return loaded

    for name in ("known_load", "end_user_load"):
        monkeypatch.setattr(directory_module, name, counted(getattr(directory_module, name)))
    return desk


def _in_thread(function: Callable[..., Any], *arguments: Any, **fields: Any) -> Awaitable[Any]:
    call: Awaitable[Any] = database_sync_to_async(function)(*arguments, **fields)
    return call


@pytest.fixture
def tenant() -> Tenant:
    """A tenant."""
    return factories.make_tenant(markup_bps=1_000, default_chat_model="gpt-4o-mini")


@pytest.fixture
def key(tenant: Tenant) -> tuple[ApiKey, str]:
    """Alice's key."""
    return factories.make_key(tenant, models=["gpt-*"])


async def test_a_key_is_who_it_was_issued_to(desk: Desk, tenant: Tenant, key: tuple[ApiKey, str]) -> None:
    principal = await desk.identify(key[1])
    assert (principal.tenant_id, principal.tenant, principal.key_id) == (tenant.id, "acme", key[0].id)
    assert (principal.models, principal.terms.markup_bps) == (("gpt-*",), 1_000)
    assert principal.default_models == {"chat": "gpt-4o-mini"}


async def test_a_known_key_is_remembered_from_its_loading_and_no_longer(
    desk: Desk, key: tuple[ApiKey, str]
) -> None:
    for _ in range(4):
        await desk.identify(key[1])
        desk.clock.advance(KEEP_SECONDS / 4 - 0.01)
    assert desk.loads == 1
    desk.clock.advance(0.1)
    await desk.identify(key[1])
    assert desk.loads == 2


async def test_a_change_is_seen_with_the_next_revision(desk: Desk, key: tuple[ApiKey, str]) -> None:
    await desk.identify(key[1])
    await _in_thread(key_revoke, key=key[0])
    desk.revision += 1
    assert type(await desk.refusal(key[1])) is Unauthenticated


async def test_a_change_during_the_loading_is_not_missed(desk: Desk, key: tuple[ApiKey, str]) -> None:
    loading = asyncio.ensure_future(desk.identify(key[1]))
    await asyncio.sleep(0)
    desk.revision += 1
    await loading
    await desk.identify(key[1])
    assert desk.loads == 2


async def test_those_who_come_together_are_looked_up_once(desk: Desk, key: tuple[ApiKey, str]) -> None:
    """A first look-up that each made for itself would keep the database busy, and seem to be its failure."""
    coming = [asyncio.ensure_future(desk.identify(key[1])) for _ in range(20)]
    await asyncio.sleep(0)
    coming[0].cancel()
    assert {(await one).key_id for one in coming[1:]} == {key[0].id}
    assert desk.loads == 1


async def test_an_unknown_key_is_remembered_more_briefly(desk: Desk) -> None:
    for _ in range(3):
        assert type(await desk.refusal("gw-guess")) is Unauthenticated
    assert desk.loads == 1
    desk.clock.advance(KEEP_UNKNOWN_SECONDS)
    await desk.refusal("gw-guess")
    assert desk.loads == 2


async def test_guessing_does_not_fill_memory(
    desk: Desk, key: tuple[ApiKey, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory_module, "_REMEMBERED_AT_MOST", 3)
    for number in range(6):
        await desk.refusal(f"gw-guess-{number}")
    await desk.identify(key[1])
    loads = desk.loads
    await desk.identify(key[1])
    assert desk.loads == loads
    await desk.refusal("gw-guess-0")
    assert desk.loads == loads + 1


async def test_while_the_database_is_away_a_known_key_is_served(desk: Desk, key: tuple[ApiKey, str]) -> None:
    known = await desk.identify(key[1])
    await desk.refusal("gw-guess")
    desk.is_away = True
    desk.clock.advance(60)
    desk.revision += 1
    assert await desk.identify(key[1]) == known
    for stranger in ("gw-guess", "gw-other"):
        assert type(await desk.refusal(stranger)) is ConfigurationAway


async def test_a_key_ends_to_the_second_though_it_is_remembered(desk: Desk, tenant: Tenant) -> None:
    expires = datetime.fromtimestamp(desk.clock.now() + 5, UTC)
    _, secret = await _in_thread(factories.make_key, tenant, expires_at=expires)
    await desk.identify(secret)
    desk.clock.advance(5)
    assert "expired" in (await desk.refusal(secret)).message
    assert desk.loads == 1


async def test_a_rotated_key_is_good_for_its_grace(desk: Desk, key: tuple[ApiKey, str]) -> None:
    new, secret = await _in_thread(key_rotate, key=key[0], grace_seconds=5)
    assert (await desk.identify(key[1])).key_id == key[0].id
    assert (await desk.identify(secret)).key_id == new.id
    desk.clock.advance(6)
    assert type(await desk.refusal(key[1])) is Unauthenticated
    await desk.identify(secret)


@pytest.mark.parametrize(
    ("address", "lets_in"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("2001:db8::7", True),
        ("11.1.2.3", False),
        ("2001:db9::7", False),
        ("", False),
        ("unix:", False),
    ],
)
async def test_a_key_is_good_from_its_networks_only(
    address: str, lets_in: bool, desk: Desk, tenant: Tenant
) -> None:
    networks = ["10.0.0.0/8", "2001:db8::/32"]
    _, secret = await _in_thread(factories.make_key, tenant, networks=networks)
    if lets_in:
        await desk.identify(secret, address=address)
    else:
        assert type(await desk.refusal(secret, address=address)) is Forbidden


async def test_a_platform_key_acts_for_the_tenant_it_names(desk: Desk, tenant: Tenant) -> None:
    other = await _in_thread(factories.make_tenant, "other")
    _, all_tenants = await _in_thread(factories.make_key, None, "ops", all_tenants=True)
    _, granted = await _in_thread(factories.make_key, None, "some", granted_tenants=[other])
    assert (await desk.identify(all_tenants, tenant="acme")).tenant_id == tenant.id
    assert (await desk.identify(granted, tenant="other")).tenant_id == other.id
    told = [await desk.refusal(all_tenants), await desk.refusal(granted, tenant="acme")]
    told.append(await desk.refusal(all_tenants, tenant="nobody"))
    assert {type(error) for error in told} == {Forbidden}
    assert "X-Tenant-ID" in told[0].message
    assert told[1].message == told[2].message


async def test_a_tenants_key_acts_for_no_other_tenant(desk: Desk, key: tuple[ApiKey, str]) -> None:
    await desk.identify(key[1], tenant="acme")
    assert type(await desk.refusal(key[1], tenant="other")) is Forbidden


async def test_a_key_of_a_project_acts_for_no_other_project(desk: Desk, tenant: Tenant) -> None:
    project = await _in_thread(factories.make_project, tenant, cost_centre="CC-42")
    await _in_thread(factories.make_project, tenant, "billing")
    _, bound = await _in_thread(factories.make_key, tenant, "bound", project=project)
    _, free = await _in_thread(factories.make_key, tenant, "free")
    assert (await desk.identify(bound)).cost_centre == "CC-42"
    assert (await desk.identify(free, project="billing")).project == "billing"
    for secret, name in ((bound, "billing"), (free, "nowhere")):
        assert type(await desk.refusal(secret, project=name)) is Forbidden


@pytest.mark.parametrize("what", ["tenant", "project", "key"])
async def test_what_is_blocked_does_not_call(what: str, desk: Desk, tenant: Tenant) -> None:
    project = await _in_thread(factories.make_project, tenant)
    key, secret = await _in_thread(factories.make_key, tenant, project=project)
    row: Any = {"tenant": tenant, "project": project, "key": key}[what]
    row.blocked = True
    await _in_thread(row.save)
    assert type(await desk.refusal(secret)) in (Forbidden, Unauthenticated)


async def test_without_a_key_nobody_calls(desk: Desk) -> None:
    assert type(await desk.refusal("")) is Unauthenticated
    assert type(await desk.refusal("", tenant="acme")) is Unauthenticated


async def test_an_end_user_gets_one_row_however_many_calls_they_make(
    desk: Desk, key: tuple[ApiKey, str]
) -> None:
    principal = await desk.identify(key[1])
    found: list[Person] = await asyncio.gather(
        *(desk.directory.end_user(principal, "charlie") for _ in range(8))
    )
    desk.clock.advance(KEEP_SECONDS)
    found.append(await desk.directory.end_user(principal, "charlie"))
    row = await EndUser.objects.aget()
    assert {person.id for person in found} == {row.id}
    assert row.name == "charlie"


async def test_a_persons_tenant_is_theirs(desk: Desk, key: tuple[ApiKey, str]) -> None:
    other = await _in_thread(factories.make_tenant, "other")
    _, secret = await _in_thread(factories.make_key, other)
    people = [
        await desk.directory.end_user(await desk.identify(credential), "bob")
        for credential in (key[1], secret)
    ]
    assert people[0].id != people[1].id


async def test_a_blocked_end_user_is_known_as_such(
    desk: Desk, tenant: Tenant, key: tuple[ApiKey, str]
) -> None:
    await _in_thread(factories.make_end_user, tenant, "charlie", blocked=True)
    assert (await desk.directory.end_user(await desk.identify(key[1]), "charlie")).blocked


async def test_a_key_that_expired_before_it_was_met_is_refused(desk: Desk, tenant: Tenant) -> None:
    expires = datetime.now(UTC) - timedelta(seconds=1)
    _, secret = await _in_thread(factories.make_key, tenant, expires_at=expires)
    assert type(await desk.refusal(secret)) is Unauthenticated
