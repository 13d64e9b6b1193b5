"""Why calls went as they did is kept within bounds: so many calls, so long, and each tenant's by itself."""

from gateway.ids import uuid7
from gateway.reasons import FOUND_AT_MOST, Recent
from tests.support.clock import FakeClock
from tests.support.engine import OTHER_TENANT, TENANT, make_reasons


def test_no_more_are_kept_than_there_is_room_for(clock: FakeClock) -> None:
    recent = Recent(clock, most=3)
    for number in range(10):
        recent.keep(make_reasons(f"req-{number}", code="rate_limited"))
    assert len(recent) == 3
    assert [recent.find(f"req-{number}") != [] for number in range(10)] == [False] * 7 + [True] * 3


def test_what_is_usual_does_not_push_out_what_is_not(clock: FakeClock) -> None:
    recent = Recent(clock, most=3)
    recent.keep(make_reasons("refused", code="rate_limited"))
    for _ in range(10):
        recent.keep(make_reasons("usual", notes=(("ordered", "m", "weighted"),)))
    assert len(recent.find("refused")) == 1
    assert len(recent) == 4


def test_nothing_is_kept_for_longer_than_said(clock: FakeClock) -> None:
    recent = Recent(clock, seconds=60.0)
    recent.keep(make_reasons("old", code="rate_limited"))
    clock.advance(59)
    recent.keep(make_reasons("new"))
    assert len(recent.find("old")) == 1
    clock.advance(1)
    assert (recent.find("old"), len(recent.find("new")), len(recent)) == ([], 1, 1)


def test_the_same_id_of_two_tenants_is_two_requests(clock: FakeClock) -> None:
    recent = Recent(clock)
    own, theirs = make_reasons(), make_reasons(tenant_id=OTHER_TENANT)
    recent.keep(own)
    recent.keep(theirs)
    assert recent.find("req-1", {TENANT}) == [own]
    assert recent.find("req-1", {OTHER_TENANT}) == [theirs]
    assert recent.find("req-1", set()) == []
    assert set(recent.find("req-1")) == {own, theirs}


def test_of_an_id_that_is_chosen_again_and_again_the_newest_are_told(clock: FakeClock) -> None:
    recent = Recent(clock)
    calls = [make_reasons(call_id=uuid7(number)) for number in range(FOUND_AT_MOST + 5)]
    for one in calls:
        recent.keep(one)
    recent.keep(calls[-1])  # told once more, it is still one call
    assert recent.find("req-1") == calls[:4:-1]
