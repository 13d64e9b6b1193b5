"""The most that a call can cost, known before it is made."""

from typing import Any

import msgspec
import pytest

from gateway.bounds import bound_of, has_opaque_part, input_bound, output_bound
from gateway.errors import BudgetExceeded, Unbounded, Unpriced
from gateway.extents import extent_of
from gateway.pricing import Price, PriceCard, Terms, make_sheet
from gateway.tokens import TokenCounter
from tests.support.clock import FakeClock
from tests.support.engine import Rig, ask_of, make_account, make_ask, make_card, make_deployment, make_model
from tests.support.script import completes

IMAGE = [
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]}
]
BUDGET = make_account("nano", limit=10**12)
SEARCHED = make_card(input=1_000_000, output=2_000_000, search=10_000_000_000)


def _hidden(name: str, at: int) -> bytes:
    """A JSON name with one of its letters behind an escape."""
    return b'"' + name[:at].encode() + b"\\u%04x" % ord(name[at]) + name[at + 1 :].encode() + b'"'


@pytest.mark.parametrize(
    "text", ["hello", "🙂" * 50, "\u0000\u0001", '"\\', "e\u0301", "<|endoftext|>", "a" * 999]
)
def test_a_prompt_has_never_more_tokens_than_its_bytes(text: str) -> None:
    ask = make_ask(text)
    assert TokenCounter().count_now(text) <= len(text.encode())
    assert (input_bound(extent_of(ask), make_model()) or 0) > len(text.encode())


@pytest.mark.parametrize(
    "part", ["image_url", "input_audio", "file", "video_url", "audio", "audio_url", "document_url", "image"]
)
def test_a_part_of_unknown_size_counts_as_the_whole_context(part: str) -> None:
    ask = make_ask(messages=[{"role": "user", "content": [{"type": part, part: {"x": "y"}}]}])
    assert input_bound(extent_of(ask), make_model(context_window=128_000)) == 128_000
    assert input_bound(extent_of(ask), make_model()) is None


@pytest.mark.parametrize("at", range(len("image_url")))
def test_it_counts_as_that_also_behind_an_escape(at: int) -> None:
    name = _hidden("image_url", at)
    as_type = b'[{"content":[{"type":%b,"url":"u"}]}]' % name
    as_key = b'[{"content":[{%b:{"url":"u"}}]}]' % name
    assert has_opaque_part(msgspec.Raw(as_type))
    assert has_opaque_part(msgspec.Raw(as_key))


def test_words_about_images_are_words() -> None:
    told = [{"role": "user", "content": 'what is \u0001 an "image_url"?'}]
    assert not has_opaque_part(msgspec.Raw(msgspec.json.encode(told)))
    assert not has_opaque_part(None)


@pytest.mark.parametrize(
    ("asked", "model", "bound"),
    [
        ({"max_output": 50}, {"max_output": 100}, 50),
        ({}, {"max_output": 100}, 100),
        ({"max_output": 50, "choices": 3}, {}, 150),
        ({}, {"max_output": None, "context_window": 8_000}, 8_000),
        ({}, {"max_output": None}, None),
        ({"kind": "embedding"}, {"max_output": None}, 0),
    ],
)
def test_an_answer_is_bounded_by_what_is_asked_else_by_the_model(
    asked: dict[str, Any], model: dict[str, Any], bound: int | None
) -> None:
    ask = ask_of(b'{"model":"m"}', **asked)
    assert output_bound(extent_of(ask), make_model(**model)) == bound


async def test_a_model_without_a_price_is_refused_where_there_is_a_budget(clock: FakeClock) -> None:
    models = [make_model(make_deployment(cards=()))]
    rig = Rig(completes(), clock=clock, models=models, accounts=[BUDGET])
    with pytest.raises(Unpriced):
        await rig.run()
    assert rig.entries == []
    free = Rig(completes(), clock=clock, models=models)
    await free.run()
    assert (free.entry.charge_nano, free.entry.price_version) == (0, "")
    assert {line.price for line in free.entry.lines} == {0}


@pytest.mark.parametrize(
    ("ask", "model"),
    [(make_ask(), make_model(max_output=None)), (make_ask(messages=IMAGE), make_model())],
    ids=["endless answer", "image of unknown size"],
)
async def test_a_call_without_a_bound_is_refused_where_there_is_a_budget(
    ask: Any, model: Any, clock: FakeClock
) -> None:
    with pytest.raises(Unbounded):
        await Rig(completes(), clock=clock, models=[model], accounts=[BUDGET]).run(ask)
    await Rig(completes(), clock=clock, models=[model]).run(ask)


async def test_the_dearest_that_may_come_to_answer_sets_the_bound(clock: FakeClock) -> None:
    dear = make_deployment("beta", cards=(make_card(input=9_000_000, output=9_000_000),))
    big = make_model(make_deployment("gamma"), name="big", max_output=50_000, context_window=200_000)
    own = make_model(make_deployment(), fallbacks={"any": ("big",)})
    size = len(make_ask().body) + 16
    expected = [
        ([make_model(make_deployment(), dear)], (size + 100) * 9_000),
        ([own, big], size * 1_000 + 50_000 * 2_000),
    ]
    for models, worst in expected:
        exact = Rig(completes(), clock=clock, models=models, accounts=[make_account("nano", limit=worst)])
        await exact.run()
        short = Rig(completes(), clock=clock, models=models, accounts=[make_account("nano", limit=worst - 1)])
        with pytest.raises(BudgetExceeded):
            await short.run()


async def test_an_image_is_bounded_by_the_widest_model_that_may_see_it(clock: FakeClock) -> None:
    wide = make_model(make_deployment("beta"), name="wide", context_window=1_000_000)
    own = make_model(make_deployment(), context_window=1_000, fallbacks={"context_length": ("wide",)})
    account = make_account("nano", limit=1_000_000 * 1_000)
    with pytest.raises(BudgetExceeded):
        await Rig(completes(), clock=clock, models=[own, wide], accounts=[account]).run(
            make_ask(messages=IMAGE)
        )


@pytest.mark.parametrize(
    "meters", [{"input": 1_000}, {"output": 1_000}, {"request": 1_000}, {"image": 1_000}]
)
async def test_half_a_price_is_none_where_there_is_a_budget(meters: dict[str, int], clock: FakeClock) -> None:
    models = [make_model(make_deployment(cards=(make_card(**meters),)))]
    with pytest.raises(Unpriced):
        await Rig(completes(), clock=clock, models=models, accounts=[BUDGET]).run()
    free = Rig(completes(), clock=clock, models=models)
    await free.run()
    assert 0 in {line.price for line in free.entry.lines}


def test_what_is_foretold_may_be_billed_beside_each_choice() -> None:
    foretold = b'{"type":"content","content":"hello"}'
    ask = ask_of(b'{"model":"m","prediction":%b}' % foretold, max_output=50, choices=2)
    assert output_bound(extent_of(ask), make_model()) == 2 * (50 + len(foretold))


async def test_a_soft_budget_counts_a_call_without_a_bound_and_lets_it_pass(clock: FakeClock) -> None:
    soft = make_account("nano", limit=1, hard=False)
    rig = Rig(completes(), clock=clock, models=[make_model(max_output=None)], accounts=[soft])
    await rig.run()
    assert rig.spent("nano") == rig.entry.charge_nano == 20_000


async def test_what_is_free_needs_no_bound(clock: FakeClock) -> None:
    local = make_model(make_deployment(cards=(make_card(input=0, output=0),)), max_output=None)
    rig = Rig(completes(), clock=clock, models=[local], accounts=[make_account("nano", limit=0)])
    await rig.run()
    assert rig.entry.charge_nano == 0


async def test_the_asked_class_of_service_is_held_for(clock: FakeClock) -> None:
    dear = make_sheet(
        {meter: Price(pico=9_000_000, row=1) for meter in ("input", "output")}, service_tier="priority"
    )
    plain = make_sheet({meter: Price(pico=1_000_000, row=2) for meter in ("input", "output")})
    models = [make_model(make_deployment(cards=(PriceCard(version="v1", sheets=(dear, plain)),)))]
    for tier, price in (("priority", 9_000), ("default", 1_000), ("auto", 9_000), (None, 9_000)):
        ask = make_ask(service_tier=tier)
        worst = (len(ask.body) + 16 + 100) * price
        budget = make_account("nano", limit=worst)
        await Rig(completes(), clock=clock, models=models, accounts=[budget]).run(ask)
        short = make_account("nano", limit=worst - 1)
        with pytest.raises(BudgetExceeded):
            await Rig(completes(), clock=clock, models=models, accounts=[short]).run(ask)


@pytest.mark.parametrize("tool", [{"type": "code_interpreter"}, {"type": "web_search"}])
async def test_a_providers_tool_without_a_maximum_is_refused_where_there_is_a_budget(
    tool: dict[str, Any], clock: FakeClock
) -> None:
    models = [make_model(make_deployment(cards=(SEARCHED,)), context_window=8_000)]
    ask = make_ask(tools=[tool])
    with pytest.raises(Unbounded):
        await Rig(completes(), clock=clock, models=models, accounts=[BUDGET]).run(ask)
    await Rig(completes(), clock=clock, models=models).run(ask)


async def test_searches_are_held_for_and_each_reads_the_prompt_again(clock: FakeClock) -> None:
    models = [make_model(make_deployment(cards=(SEARCHED,)), context_window=8_000)]
    ask = make_ask(tools=[{"type": "web_search_20250305", "name": "web_search", "max_uses": 2}])
    worst = 3 * 8_000 * 1_000 + 100 * 2_000 + 2 * 10_000_000
    await Rig(completes(), clock=clock, models=models, accounts=[make_account("nano", limit=worst)]).run(ask)
    short = make_account("nano", limit=worst - 1)
    with pytest.raises(BudgetExceeded):
        await Rig(completes(), clock=clock, models=models, accounts=[short]).run(ask)


async def test_a_search_without_a_price_is_refused_where_there_is_a_budget(clock: FakeClock) -> None:
    models = [make_model(context_window=8_000)]
    with pytest.raises(Unpriced):
        await Rig(completes(), clock=clock, models=models, accounts=[BUDGET]).run(
            make_ask(web_search_options={})
        )


def test_pictures_are_bounded_by_the_dearest_price_of_all_who_may_make_them() -> None:
    cheap = make_deployment(cards=(make_card(image=20_000_000_000),))
    dear = make_deployment("beta", cards=(make_card(image=40_000_000_000, request=5_000_000),))
    painter = make_model(cheap, dear, kind="image", max_output=None)
    extent = extent_of(ask_of(b'{"model":"m","prompt":"a cat","n":3}', kind="image", choices=3))
    bound = bound_of(extent, (painter,), Terms(), 0)
    assert (bound.charge_nano, bound.priced) == (3 * 40_000_000 + 5_000, True)


def test_pictures_by_tokens_need_a_longest_one() -> None:
    card = make_card(input=5_000_000, image_out=40_000_000)
    extent = extent_of(ask_of(b'{"model":"m","prompt":"a cat","n":2}', kind="image", choices=2))
    longest = make_model(make_deployment(cards=(card,)), kind="image", max_output=6_240)
    size = len(b'{"model":"m","prompt":"a cat","n":2}') + 16
    assert bound_of(extent, (longest,), Terms(), 0).charge_nano == size * 5_000 + 2 * 6_240 * 40_000
    endless = make_model(make_deployment(cards=(card,)), kind="image", max_output=None)
    assert bound_of(extent, (endless,), Terms(), 0).charge_nano is None


def test_an_upload_is_bounded_by_the_longest_that_its_bytes_can_last() -> None:
    whisper = make_model(make_deployment(cards=(make_card(audio_second=100_000_000),)), kind="audio")
    extent = extent_of(ask_of(b'{"x":"' + b"s" * 99_992 + b'"}', kind="transcription"))
    bound = bound_of(extent, (whisper,), Terms(), 0)
    assert (bound.charge_nano, bound.priced) == (100 * 100_000, True)


async def test_dear_sounds_are_held_for(clock: FakeClock) -> None:
    card = make_card(input=1_000_000, output=2_000_000, audio_in=40_000_000, audio_out=80_000_000)
    models = [make_model(make_deployment(cards=(card,)))]
    worst = (len(make_ask().body) + 16) * 40_000 + 100 * 80_000
    rig = Rig(completes(), clock=clock, models=models, accounts=[make_account("nano", limit=worst - 1)])
    with pytest.raises(BudgetExceeded):
        await rig.run()
