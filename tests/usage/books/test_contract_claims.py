"""What all books do alike with an `Idempotency-Key`."""

from typing import Any

import pytest
from msgspec.structs import replace

from gateway.accounts import Claim, Claimed, Hold, Settlement
from tests.support.engine import make_account, make_entry, make_hold
from tests.usage.books.shops import Shop, counted

BUDGET = make_account("nano", limit=1_000)
CLAIM = Claim(key="k" * 64, body="b" * 64)
ANSWER = b"\x00\xffsealed\x93"


def claiming(claim: Claim = CLAIM, nano: int = 100) -> Hold:
    return replace(make_hold(BUDGET, nano=nano), claim=claim)


def settlement(hold: Hold, answer: bytes | None = ANSWER, **fields: Any) -> Settlement:
    return Settlement(hold=hold, entry=make_entry(50, hold.id, **fields), tokens=0, answer=answer)


async def claimed(shop: Shop, hold: Hold) -> Claimed | None:
    (verdict,) = await shop.books.post([hold])
    assert verdict.refusal is None
    return verdict.claimed


async def test_the_first_call_has_the_key_and_the_second_nothing(shop: Shop) -> None:
    first = claiming()
    assert await claimed(shop, first) is None
    assert await claimed(shop, claiming()) == Claimed(state="running")
    assert counted(shop, BUDGET) == (0, 100)
    assert shop.open_holds() == {first.id}


async def test_of_two_that_come_together_one_is_first(shop: Shop) -> None:
    verdicts = await shop.books.post([claiming(), claiming()])
    assert [verdict.claimed for verdict in verdicts] == [None, Claimed(state="running")]


async def test_who_asks_again_for_the_same_hold_is_no_other(shop: Shop) -> None:
    hold = claiming()
    for nano in (100, 100, 200):
        raised = replace(hold, amounts=replace(hold.amounts, nano=nano))
        assert await claimed(shop, raised) is None
    assert counted(shop, BUDGET) == (0, 200)


async def test_another_body_is_a_conflict(shop: Shop) -> None:
    await shop.books.post([claiming()])
    other = replace(CLAIM, body="c" * 64)
    assert await claimed(shop, claiming(other)) == Claimed(state="conflict")


@pytest.mark.parametrize("answer", [ANSWER, b""], ids=["kept", "too long"])
async def test_an_answer_is_kept_for_a_day(shop: Shop, answer: bytes) -> None:
    hold = claiming()
    await shop.books.post([hold])
    for _ in range(2):
        await shop.books.post([settlement(hold, answer)])
    assert await claimed(shop, claiming()) == Claimed(state="answered", answer=answer)
    assert counted(shop, BUDGET) == (50, 0)


async def test_a_call_that_ended_without_an_answer_is_unknown(shop: Shop) -> None:
    hold = claiming()
    await shop.books.post([hold])
    await shop.books.post([settlement(hold, None)])
    assert await claimed(shop, claiming()) == Claimed(state="unknown")


async def test_a_call_that_was_swept_is_unknown_until_it_settles_after_all(shop: Shop) -> None:
    hold = claiming()
    await shop.books.post([hold])
    shop.clock.advance(61)
    await shop.books.sweep()
    assert await claimed(shop, claiming()) == Claimed(state="unknown")
    await shop.books.post([settlement(hold)])
    assert await claimed(shop, claiming()) == Claimed(state="answered", answer=ANSWER)


async def test_a_call_that_came_to_nothing_frees_the_key(shop: Shop) -> None:
    hold = claiming()
    await shop.books.post([hold])
    failed = Settlement(hold=hold, entry=make_entry(0, hold.id, status="failed"), tokens=0)
    await shop.books.post([failed])
    assert await claimed(shop, claiming()) is None


async def test_a_hold_that_was_refused_has_no_key(shop: Shop) -> None:
    (verdict,) = await shop.books.post([claiming(nano=2_000)])
    assert verdict.refusal is not None
    assert await claimed(shop, claiming()) is None
