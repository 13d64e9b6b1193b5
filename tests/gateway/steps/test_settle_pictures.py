"""Pictures are charged by what has a price: nothing that a host counts otherwise, or not at all, is free."""

import msgspec
import pytest

from gateway.errors import Unbounded, Unpriced
from gateway.pricing import PriceCard
from tests.support.clock import FakeClock
from tests.support.engine import BOUNDED, Rig, ask_of, make_card, make_deployment, make_model
from tests.support.script import answers

CAT = ask_of(b'{"model":"m","prompt":"a cat","n":2}', kind="image", choices=2)
SILENT = b'{"data":[{"url":"a"},{"url":"b"}]}'
ONE_OF_TWO = b'{"data":[{"url":"a"}]}'
TELLING = (
    b'{"data":[{"url":"a"},{"url":"b"}],"usage":{"input_tokens":10,"output_tokens":70,"total_tokens":80}}'
)
BY_PIECE = make_card(image=40_000_000_000)
BY_TOKEN = make_card(input=5_000_000, image_out=40_000_000)
BY_BOTH = make_card(input=5_000_000, image_out=40_000_000, image=40_000_000_000)
BESIDE_TEXTS = make_card(input=1_000_000, output=2_000_000, image=40_000_000_000)
TEXTS_ALONE = make_card(input=1_000_000, output=2_000_000)


@pytest.mark.parametrize(
    ("card", "answer", "meters", "nano", "estimated"),
    [
        (BY_PIECE, SILENT, {"image": 2}, 80_000_000, False),
        (BY_PIECE, ONE_OF_TWO, {"image": 1}, 40_000_000, False),
        (BY_PIECE, TELLING, {"image": 2, "input": 10}, 80_000_000, False),
        (BESIDE_TEXTS, TELLING, {"image": 2, "input": 10}, 80_000_000 + 10_000, False),
        (BY_TOKEN, TELLING, {"input": 10, "image_out": 70}, 50_000 + 2_800_000, False),
        (BY_BOTH, TELLING, {"input": 10, "image_out": 70}, 50_000 + 2_800_000, False),
        (BY_BOTH, SILENT, {"image": 2}, 80_000_000, False),
        (BY_TOKEN, SILENT, {"image_out": 1_000}, 40_000_000, True),
    ],
    ids=[
        "by piece, silent",
        "by piece, fewer came",
        "by piece, tokens told",
        "by piece beside texts, tokens told",
        "by token, tokens told",
        "by both, tokens told",
        "by both, silent",
        "by token, silent",
    ],
)
async def test_pictures_are_charged_by_what_has_a_price(
    card: PriceCard,
    answer: bytes,
    meters: dict[str, int],
    nano: int,
    estimated: bool,
    clock: FakeClock,
) -> None:
    model = make_model(make_deployment(cards=(card,)), kind="image", max_output=500)
    rig = Rig(answers(answer), clock=clock, models=[model], accounts=BOUNDED)
    await rig.run(CAT)
    assert msgspec.to_builtins(rig.entry.meters) == meters
    assert (rig.entry.charge_nano, rig.entry.estimated) == (nano, estimated)
    rig.assert_balanced()


@pytest.mark.parametrize(
    ("card", "refusal"), [(TEXTS_ALONE, Unpriced), (BY_TOKEN, Unbounded)], ids=["texts", "tokens without end"]
)
async def test_with_a_budget_what_could_end_as_nothing_is_refused_at_the_door(
    card: PriceCard, refusal: type[Exception], clock: FakeClock
) -> None:
    """What a text costs says nothing of a picture that nobody counts."""
    model = make_model(make_deployment(cards=(card,)), kind="image", max_output=None)
    rig = Rig(answers(SILENT), clock=clock, models=[model], accounts=BOUNDED)
    with pytest.raises(refusal):
        await rig.run(CAT)
    assert (rig.script.hosts, rig.entries) == ([], [])
