"""What is kept of responses: each tenant its own, the latest, for a month; in memory as in the table."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError

from gateway.call import JSON, Reply
from gateway.memory import GlassVault, MemoryConversations
from gateway.ports import Conversations
from gateway.responses.errors import ConversationsAway, UnknownResponse
from gateway.responses.keeping import KEPT_SECONDS, LONGEST_KEPT, Keeper
from tenants.vault import RingVault
from tests.support.clock import FakeClock
from tests.support.engine import OTHER_TENANT, TENANT, ask_of
from usage import conversations
from usage.conversations import DatabaseConversations
from usage.models import KeptResponse

pytestmark = pytest.mark.django_db(transaction=True)

MOST = 5


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["memory", "table"])
def kept(request: pytest.FixtureRequest, clock: FakeClock) -> Conversations:
    if request.param == "memory":
        return MemoryConversations(clock, most=MOST)
    return DatabaseConversations(clock=clock, most=MOST, cut_every=1)


async def test_what_is_kept_is_found_by_its_tenant_alone(kept: Conversations) -> None:
    await kept.keep(TENANT, "resp_1", b"one")
    assert await kept.find(TENANT, "resp_1") == b"one"
    assert await kept.find(OTHER_TENANT, "resp_1") is None
    assert await kept.find(TENANT, "resp_2") is None


async def test_the_same_name_is_another_thing_for_another_tenant(kept: Conversations) -> None:
    await kept.keep(TENANT, "resp_1", b"one")
    await kept.keep(OTHER_TENANT, "resp_1", b"other")
    assert await kept.find(TENANT, "resp_1") == b"one"
    assert not await kept.forget(UUID(int=1), "resp_1")
    assert await kept.forget(OTHER_TENANT, "resp_1")
    assert await kept.find(TENANT, "resp_1") == b"one"


async def test_what_is_kept_again_is_the_later(kept: Conversations) -> None:
    await kept.keep(TENANT, "resp_1", b"one")
    await kept.keep(TENANT, "resp_1", b"two")
    assert await kept.find(TENANT, "resp_1") == b"two"


async def test_what_is_forgotten_is_gone(kept: Conversations) -> None:
    await kept.keep(TENANT, "resp_1", b"one")
    assert await kept.forget(TENANT, "resp_1")
    assert not await kept.forget(TENANT, "resp_1")
    assert await kept.find(TENANT, "resp_1") is None


async def test_after_a_month_it_is_gone(kept: Conversations, clock: FakeClock) -> None:
    await kept.keep(TENANT, "resp_1", b"one")
    clock.advance(KEPT_SECONDS - 1)
    assert await kept.find(TENANT, "resp_1") == b"one"
    clock.advance(2)
    assert await kept.find(TENANT, "resp_1") is None


async def test_the_oldest_give_way_and_other_tenants_do_not(kept: Conversations) -> None:
    await kept.keep(OTHER_TENANT, "resp_0", b"theirs")
    for number in range(MOST + 2):
        await kept.keep(TENANT, f"resp_{number}", b"mine")
    found = [await kept.find(TENANT, f"resp_{number}") for number in range(MOST + 2)]
    assert found == [None, None, *[b"mine"] * MOST]
    assert await kept.find(OTHER_TENANT, "resp_0") == b"theirs"


async def test_rows_of_any_tenant_leave_the_table_when_they_are_old(clock: FakeClock) -> None:
    table = DatabaseConversations(clock=clock, cut_every=1)
    await table.keep(OTHER_TENANT, "resp_1", b"one")
    clock.advance(KEPT_SECONDS + 1)
    await table.keep(TENANT, "resp_2", b"two")
    assert [row.name async for row in KeptResponse.objects.all()] == ["resp_2"]


async def test_a_table_that_is_away_is_told(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(conversations, "_find", broken)
    with pytest.raises(ConversationsAway):
        await DatabaseConversations(clock=clock).find(TENANT, "resp_1")


def reply(name: str = "resp_1", said: str = "hello") -> Reply:
    item = b'{"type":"message","id":"msg_1","role":"assistant","content":"%b"}' % said.encode()
    body = b'{"id":"%b","output":[{"type":"reasoning","id":"rs_1","summary":[]},%b]}' % (name.encode(), item)
    return Reply(status=200, content_type=JSON, body=body)


async def test_the_table_holds_nothing_that_can_be_read(clock: FakeClock) -> None:
    keeper = Keeper(DatabaseConversations(clock=clock), RingVault())
    await keeper.keep(ask_of(b'{"input":"a secret"}'), reply(said="another secret"), TENANT)
    row = await KeptResponse.objects.aget()
    assert b"secret" not in bytes(row.sealed)
    assert b"another secret" in await keeper.read(TENANT, "resp_1")


async def test_what_was_said_stands_in_front_of_the_input(kept: Conversations) -> None:
    """Without the ids and thoughts that only the host of the first response knows."""
    keeper = Keeper(kept, GlassVault())
    await keeper.keep(ask_of(b'{"input":"one"}'), reply(), TENANT)
    asked = ask_of(
        b'{"previous_response_id":"resp_1","input":[{"role":"user","content":"tw\\u00f6"}],"x":1.50}',
        previous="resp_1",
    )
    on = await keeper.continued(asked, TENANT)
    assert on.body == (
        b'{"input":[{"role":"user","content":"one"},'
        b'{"type":"message","role":"assistant","content":"hello"},'
        b'{"role":"user","content":"tw\\u00f6"}],"x":1.50}'
    )
    with pytest.raises(UnknownResponse):
        await keeper.continued(asked, OTHER_TENANT)


async def test_what_is_too_long_is_not_kept(kept: Conversations) -> None:
    keeper = Keeper(kept, GlassVault())
    await keeper.keep(ask_of(b'{"input":"%b"}' % (b"x" * LONGEST_KEPT)), reply(), TENANT)
    with pytest.raises(UnknownResponse):
        await keeper.read(TENANT, "resp_1")
    with pytest.raises(UnknownResponse):
        await keeper.read(TENANT, "r" * 10_000)


class Stuck:
    """Conversations that cannot be kept."""

    def __init__(self, hinder: Callable[[], Any]) -> None:
        self._hinder = hinder

    async def keep(self, tenant: UUID, name: str, sealed: bytes) -> None:
        await self._hinder()

    async def find(self, tenant: UUID, name: str) -> bytes | None:
        return None

    async def forget(self, tenant: UUID, name: str) -> bool:
        return False


async def test_an_answer_goes_out_though_it_cannot_be_kept(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse() -> None:
        raise ConversationsAway

    monkeypatch.setattr("gateway.responses.keeping.KEPT_WITHIN", 0.01)
    for hinder in (refuse, asyncio.Event().wait):
        await Keeper(Stuck(hinder), GlassVault()).keep(ask_of(b'{"input":"one"}'), reply(), TENANT)
    assert [record.getMessage() for record in caplog.records] == ["a response could not be kept"] * 2
