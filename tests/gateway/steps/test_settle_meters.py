"""What a provider counted in its own way, or not at all, as an entry."""

from typing import Any

import msgspec
import pytest

from gateway.call import Ask, Usage
from gateway.entry import Entry
from gateway.steps.settle import settlement_of
from gateway.tokens import TokenCounter
from tests.support.clock import FakeClock
from tests.support.engine import (
    BOUNDED,
    Rig,
    ask_of,
    make_card,
    make_deployment,
    make_model,
)
from tests.support.script import (
    answers,
    completes,
)


async def _entry(clock: FakeClock, **counts: Any) -> Entry:
    usage = {"prompt_tokens": 10, "completion_tokens": 5} | counts
    body = msgspec.json.encode({"choices": [{"message": {"content": "hi"}}], "usage": usage})
    rig = Rig(answers(body), clock=clock, accounts=BOUNDED)
    await rig.run()
    rig.assert_balanced()
    return rig.entry


async def test_figures_that_make_no_sense_are_marked(clock: FakeClock) -> None:
    entry = await _entry(clock, completion_tokens=-5)
    assert (entry.status, entry.estimated, entry.charge_nano) == ("settled", True, 10_000)
    assert msgspec.to_builtins(entry.meters) == {"input": 10}


async def test_figures_that_do_are_not(clock: FakeClock) -> None:
    entry = await _entry(clock)
    assert (entry.estimated, entry.charge_nano) == (False, 20_000)


async def test_counts_without_a_good_figure_are_counted_here(clock: FakeClock) -> None:
    entry = await _entry(clock, prompt_tokens=-1, completion_tokens="five")
    assert (entry.estimated, entry.meters) == (True, Usage(input=1, output=1))


async def test_a_call_that_costs_more_than_was_held_is_charged_and_told_of(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    await _entry(clock, completion_tokens=100)
    assert not caplog.records
    entry = await _entry(clock, completion_tokens=10_000)
    assert entry.charge_nano == 10 * 1_000 + 10_000 * 2_000
    assert [str(entry.id) in record.getMessage() for record in caplog.records] == [True]


async def test_a_class_that_nobody_knows_is_a_line_without_a_price(clock: FakeClock) -> None:
    entry = await _entry(clock, citation_tokens=70, prompt_tokens_details={"video_tokens": 4})
    lines = {line.meter: (line.units, line.price, line.charge_nano) for line in entry.lines}
    assert lines == {
        "input": (6, 1, 6_000),
        "output": (5, 2, 10_000),
        "unknown_in": (4, 0, 4_000),
        "unknown": (70, 0, 0),
    }


@pytest.mark.parametrize(
    ("ask", "meters", "nano"),
    [
        (ask_of(b'{"model":"m","prompt":"a cat","n":2}', kind="image", choices=2), Usage(image=2), 80_000),
        (ask_of(b'{"model":"m","input":"hi"}', kind="speech"), Usage(audio_second=4), 1_000),
        (ask_of(b'{"file":"%b"}' % (b"s" * 1_989), kind="transcription"), Usage(audio_second=2), 500),
    ],
    ids=["pictures", "speech", "transcription"],
)
async def test_what_is_paid_by_the_piece_needs_no_count_of_the_provider(
    ask: Ask, meters: Usage, nano: int, clock: FakeClock
) -> None:
    card = make_card(image=40_000_000, audio_second=250_000)
    deployment = make_deployment(cards=(card,))
    model = make_model(deployment, kind="image" if ask.kind == "image" else "audio", max_output=None)
    rig = Rig(completes(), clock=clock, models=[model])
    tab = rig.admitted(rig.call(ask))
    tab.served = deployment
    settlement = await settlement_of(tab, monotonic=clock.monotonic(), counter=TokenCounter())
    entry = settlement.entry
    assert (entry.meters, entry.charge_nano, entry.estimated) == (meters, nano, True)


async def test_a_judgement_that_nobody_counted_is_counted_by_its_texts(clock: FakeClock) -> None:
    ask = ask_of(b'{"query":"why?","documents":["because"]}', kind="rerank")
    rig = Rig(completes(), clock=clock, models=[make_model(kind="rerank")])
    tab = rig.admitted(rig.call(ask))
    tab.served = tab.model.deployments[0]
    settlement = await settlement_of(tab, monotonic=clock.monotonic(), counter=TokenCounter())
    assert settlement.entry.meters.input > 0
