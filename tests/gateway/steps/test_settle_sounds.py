"""Sounds whose seconds are known and whose price is by the token are not free."""

import msgspec
import pytest

from tests.support.clock import FakeClock
from tests.support.engine import Rig, ask_of, make_card, make_deployment, make_model
from tests.support.script import answers

BY_TOKEN = make_card("v1", input=1_000_000, output=2_000_000)
BY_SECOND = make_card("v1", audio_second=5_000_000)
HEARD = b'{"text":"hello","usage":{"type":"duration","seconds":3}}'


@pytest.mark.parametrize(
    ("card", "meters", "charge", "estimated"),
    [
        (BY_TOKEN, {"audio_in": 150}, 150_000, True),
        (BY_SECOND, {"audio_second": 3}, 15_000, False),
    ],
    ids=["by token", "by second"],
)
async def test_seconds_become_tokens_where_only_those_have_a_price(
    clock: FakeClock, card: object, meters: dict[str, int], charge: int, estimated: bool
) -> None:
    model = make_model(make_deployment(cards=(card,)), kind="audio")
    rig = Rig(answers(HEARD), clock=clock, models=[model])
    ask = ask_of(b'{"model":"m"}', kind="transcription")
    await rig.run(ask)
    assert msgspec.to_builtins(rig.entry.meters) == meters
    assert (rig.entry.charge_nano, rig.entry.estimated) == (charge, estimated)
