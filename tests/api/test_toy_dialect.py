"""A new dialect is one file and one address: the lane and the engine need not hear of it."""

import json

import pytest

from api.doors import DOORS, Inference
from gateway.errors import ProviderCut
from tests.support import toy_dialect
from tests.support.clock import FakeClock, rule_loop
from tests.support.engine import INPUT_PICO, OUTPUT_PICO, Rig, make_account
from tests.support.lane import Sent, lane_on, send_to
from tests.support.plain_doors import events_of
from tests.support.script import DONE, ROLE, USAGE, Act, chunk, completes, streams

DOOR = "/toy"
NANO = (10 * INPUT_PICO + 5 * OUTPUT_PICO) // 1_000
PIECES = [ROLE, chunk(content="hel"), chunk(content="lo")]
EVENTS = [["piece", "hel"], ["piece", "lo"]]


@pytest.fixture(autouse=True)
def door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DOORS, DOOR, Inference(dialect=toy_dialect, parse=toy_dialect.parse))


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    clock = FakeClock()
    rule_loop(clock, monkeypatch)
    return clock


def rig_of(clock: FakeClock, *acts: Act, limit: int = 10**9) -> Rig:
    return Rig(*acts, clock=clock, accounts=[make_account(limit=limit), make_account("requests")])


async def asked(rig: Rig, question: str, *, model: str = "m", key: str = "gw-alice") -> Sent:
    return await send_to(lane_on(rig), DOOR, json.dumps([model, question]).encode(), key=key)


async def test_a_question_is_answered_and_booked(clock: FakeClock) -> None:
    rig = rig_of(clock, completes("hello"))
    sent = await asked(rig, "hello?")
    assert (sent.status, sent.json()) == (200, ["said", "hello", "alpha"])
    assert (rig.entry.dialect, rig.entry.status, rig.entry.charge_nano) == ("toy", "settled", NANO)
    rig.assert_balanced()


async def test_a_stream_is_told_in_its_words_and_ends_with_what_was_booked(clock: FakeClock) -> None:
    rig = rig_of(clock, streams(*PIECES, USAGE, DONE))
    sent = await asked(rig, "hello!")
    assert sent.headers["content-type"].startswith("text/event-stream")
    assert events_of(sent.body.decode()) == [*EVENTS, ["end", NANO]]
    assert len(sent.pieces) == len(PIECES)
    assert (rig.entry.status, rig.entry.charge_nano) == ("settled", NANO)
    rig.assert_balanced()


async def test_an_error_within_a_stream_is_its_last_event(clock: FakeClock) -> None:
    rig = rig_of(clock, streams(*PIECES, ProviderCut()))
    sent = await asked(rig, "hello!")
    assert events_of(sent.body.decode()) == [*EVENTS, ["error", "provider_cut", "r-1"]]
    assert (rig.entry.status, rig.entry.estimated) == ("settled", True)
    rig.assert_balanced()


@pytest.mark.parametrize(
    ("body", "key", "limit", "status", "code"),
    [
        (b"hello", "gw-alice", 10**9, 400, "invalid_request"),
        (b'["m","hello"]', "gw-bob", 10**9, 401, "invalid_api_key"),
        (b'["n","hello"]', "gw-alice", 10**9, 404, "model_not_found"),
        (b'["m","hello"]', "gw-alice", 1, 429, "budget_exceeded"),
    ],
)
async def test_what_is_refused_is_told_in_its_words(
    clock: FakeClock, body: bytes, key: str, limit: int, status: int, code: str
) -> None:
    rig = rig_of(clock, completes(), limit=limit)
    sent = await send_to(lane_on(rig), DOOR, body, key=key)
    assert (sent.status, sent.json()) == (status, ["error", code, "r-1"])
    assert (rig.entries, rig.script.requests) == ([], [])
