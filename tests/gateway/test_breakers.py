"""What opens or closes at one process does so at all; by hand it does so whatever the processes saw."""

import asyncio

import pytest
from msgspec.structs import replace

from gateway.breakers import LOOK_EVERY
from gateway.signs import Sign, key_of
from tests.support.boards import REST, Boards, admits, make_board, open_on
from tests.support.clock import BEGIN, FakeClock
from tests.support.engine import make_deployment

ONE, OTHER = make_deployment("one"), make_deployment("other")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def boards(clock: FakeClock) -> Boards:
    return Boards(clock)


async def test_what_opens_here_opens_there(boards: Boards) -> None:
    open_on(boards.all[0], ONE)
    await boards.look()
    assert await boards.admits(ONE) == [False, False]
    assert await boards.admits(OTHER) == [True, True]
    assert [board.state(ONE) for board in boards.all] == ["open", "open"]


async def test_it_is_told_at_once_and_heard_at_the_next_look(boards: Boards, clock: FakeClock) -> None:
    running = asyncio.create_task(boards.all[1].run())
    open_on(boards.all[0], ONE)
    await clock.turn(LOOK_EVERY)
    assert not await admits(boards.all[1], ONE)
    running.cancel()


async def test_what_is_open_elsewhere_rests_no_longer_than_it_does_there(boards: Boards) -> None:
    open_on(boards.all[0], ONE)
    await boards.look(REST / 2)
    await boards.look(REST / 2)
    assert [board.state(ONE) for board in boards.all] == ["half_open", "half_open"]


async def test_one_probe_goes_through_over_all_of_them(boards: Boards) -> None:
    open_on(boards.all[0], ONE)
    await boards.look()
    await boards.look(REST)
    answers = [*await boards.admits(ONE), *await boards.admits(ONE)]
    assert answers.count(True) == 1


async def test_a_probe_is_claimed_by_one_even_when_all_ask_together(clock: FakeClock) -> None:
    boards = Boards(clock, count=5)
    open_on(boards.all[0], ONE)
    await boards.look()
    await boards.look(REST)
    answers = await asyncio.gather(*(admits(board, ONE) for board in boards.all * 3))
    assert answers.count(True) == 1


@pytest.mark.parametrize("prober", [0, 1])
async def test_a_good_probe_closes_all(boards: Boards, prober: int) -> None:
    open_on(boards.all[0], ONE)
    await boards.look()
    await boards.look(REST)
    assert await admits(boards.all[prober], ONE)
    boards.all[prober].succeeded(ONE)
    await boards.look()
    assert await boards.admits(ONE) == [True, True]
    assert boards.all[0].get(ONE).is_well


async def test_a_bad_probe_makes_all_rest_again(boards: Boards) -> None:
    open_on(boards.all[0], ONE)
    await boards.look()
    await boards.look(REST)
    assert await admits(boards.all[1], ONE)
    boards.all[1].failed(ONE)
    await boards.look()
    assert [board.state(ONE) for board in boards.all] == ["open", "open"]


async def test_a_probe_that_never_reports_gives_its_place_to_another(boards: Boards) -> None:
    open_on(boards.all[0], ONE)
    await boards.look()
    await boards.look(REST)
    assert await admits(boards.all[0], ONE)
    await boards.look(REST)
    assert (await boards.admits(ONE)).count(True) == 1


async def test_nobody_is_asked_for_what_is_well(boards: Boards) -> None:
    for _ in range(10):
        assert await boards.admits(ONE) == [True, True]
        boards.all[0].succeeded(ONE)
        boards.all[0].failed(ONE)
        boards.all[0].succeeded(ONE)
    assert boards.signs.asked == []


async def test_nobody_is_asked_while_it_rests(boards: Boards) -> None:
    open_on(boards.all[0], ONE)
    await boards.look()
    for _ in range(10):
        assert await boards.admits(ONE) == [False, False]
    assert "claim" not in boards.signs.asked


async def test_while_nobody_can_be_heard_each_has_its_own(boards: Boards) -> None:
    boards.signs.away = True
    open_on(boards.all[0], ONE)
    await boards.look()
    assert await boards.admits(ONE) == [False, True]
    assert all(board.failing for board in boards.all)
    boards.clock.advance(REST)
    assert await admits(boards.all[0], ONE)  # by itself
    assert not await admits(boards.all[0], ONE)


async def test_what_could_not_be_told_is_told_later(boards: Boards) -> None:
    boards.signs.away = True
    open_on(boards.all[0], ONE)
    await boards.look()
    boards.signs.away = False
    await boards.look(20.0)
    assert await boards.admits(ONE) == [False, False]
    await boards.look(REST - 20.0)
    assert boards.all[1].state(ONE) == "half_open"


async def test_what_is_older_changes_nothing(boards: Boards) -> None:
    (board, _) = boards.all
    key = key_of(ONE)
    board.hear([Sign(key=key, is_open=True, rest=REST, version=5), Sign(key=key, is_open=False, version=4)])
    assert board.state(ONE) == "open"
    board.hear([Sign(key=key, is_open=False, version=6), Sign(key=key, is_open=True, rest=REST, version=5)])
    assert board.state(ONE) == "closed"


async def test_what_happened_here_and_is_untold_wins_over_what_was_told_before(boards: Boards) -> None:
    (board, _) = boards.all
    open_on(board, ONE)
    board.hear([Sign(key=key_of(ONE), is_open=False, version=9)])
    assert board.state(ONE) == "open"


async def test_whoever_starts_later_hears_it_too(boards: Boards) -> None:
    open_on(boards.all[0], ONE)
    await boards.look(REST / 2)
    late = make_board(boards.clock, boards.signs)
    await late.look()
    assert not await admits(late, ONE)


async def test_held_open_lets_nothing_through_however_well_it_is(boards: Boards, clock: FakeClock) -> None:
    held = replace(ONE, held_open=True)
    boards.all[0].succeeded(held)
    for _ in range(2):
        assert await boards.admits(held) == [False, False]
        clock.advance(10 * REST)
    assert boards.all[0].state(held) == "open"
    assert await boards.admits(ONE) == [True, True]


async def test_closing_by_hand_ends_what_was_before_it(boards: Boards, clock: FakeClock) -> None:
    open_on(boards.all[0], ONE)
    await boards.look(1.0)
    closed = replace(ONE, closed_at=clock.now())
    assert await boards.admits(closed) == [True, True]
    assert [board.state(closed) for board in boards.all] == ["closed", "closed"]
    clock.advance(1.0)
    open_on(boards.all[0], closed)
    await boards.look()
    assert await boards.admits(closed) == [False, False]


async def test_closing_by_hand_forgets_failures(boards: Boards) -> None:
    (board, _) = boards.all
    for _ in range(2):
        board.failed(ONE)
    board.failed(replace(ONE, closed_at=BEGIN + 1))
    assert await admits(board, ONE)


async def test_closing_by_hand_long_ago_says_nothing_of_now(boards: Boards) -> None:
    old = replace(ONE, closed_at=BEGIN - 1)
    open_on(boards.all[0], old)
    await boards.look()
    assert await boards.admits(old) == [False, False]


async def test_boards_are_bounded_and_keep_what_is_ill(clock: FakeClock) -> None:
    board = make_board(clock, most=10)
    open_on(board, ONE)
    for number in range(100):
        board.succeeded(replace(OTHER, upstream=f"m{number}"))
    assert len(board.states()) <= 10
    assert board.state(ONE) == "open"


async def test_a_star_has_a_breaker_for_each_model(clock: FakeClock) -> None:
    board = make_board(clock)
    star = replace(ONE, upstream="*")
    assert board.states_of(star) == []
    open_on(board, replace(ONE, upstream="ill"))
    board.succeeded(replace(ONE, upstream="well"))
    assert sorted(board.states_of(star)) == ["closed", "open"]
    assert board.states() == {"one/ill": "open", "one/well": "closed"}
    assert board.states_of(replace(star, held_open=True)) == ["open"]
