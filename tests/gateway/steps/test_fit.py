"""A call whose worst case does not fit is made smaller: its prompt counted, its answer cut."""

from typing import Any

import msgspec
import pytest

from gateway.accounts import Verdict
from gateway.call import Ask
from gateway.errors import Unbounded
from gateway.principal import Policy
from gateway.steps.fit import admit_smaller, with_maximum, worth_counting
from gateway.tab import Tab
from gateway.tokens import TokenCounter
from tests.support.clock import FakeClock
from tests.support.engine import (
    BOUNDED,
    Rig,
    ask_of,
    make_account,
    make_ask,
    make_card,
    make_deployment,
    make_model,
)
from tests.support.script import completes

WORDS = "hello world " * 200
ASK = make_ask(WORDS)
BYTES = len(ASK.body) + 16
TOKENS = TokenCounter().most_now(ASK.body.decode(), ["o200k_base"])["o200k_base"] + 16
COUNTED: dict[str, Any] = {"vocabulary": "o200k_base"}
CLAMP = Policy(over_budget="clamp")


def _price(prompt: int, answer: int) -> int:
    """Nano-dollars at the prices of `make_card`."""
    return prompt * 1_000 + answer * 2_000


class Door:
    """Alice's key at the door of a gateway with one model and some accounts."""

    def __init__(self, clock: FakeClock, *accounts: Any, policy: Policy | None = None, **model: Any) -> None:
        self.rig = Rig(
            completes(),
            clock=clock,
            models=[make_model(**model)],
            accounts=accounts,
            policy=policy or Policy(),
        )
        self.counter = TokenCounter()

    async def knock(self, ask: Ask = ASK) -> tuple[Tab, Verdict]:
        """Ask the books, and once more for less."""
        gateway, principal = self.rig.gateway, self.rig.principal
        snapshot = gateway.catalog.snapshot()
        tab = self.rig.admitted(self.rig.call(ask))
        models = snapshot.reachable(tab.model, principal.tenant_id)
        verdict = await gateway.teller.admit(tab.hold)
        if verdict.refusal is not None:
            verdict = await admit_smaller(tab, models, verdict, teller=gateway.teller, counter=self.counter)
        return tab, verdict

    def held(self, unit: str) -> int:
        """What is set aside now."""
        counters = self.rig.books.tally.counters.values()
        return sum(counter.held for counter in counters if counter.share.unit == unit)


def _budget(nano: int, **fields: Any) -> Any:
    return make_account("nano", limit=nano, **fields)


def _maximum(tab: Tab) -> Any:
    return msgspec.json.decode(tab.call.ask.body).get("max_tokens")


async def test_a_prompt_too_long_by_its_bytes_may_fit_by_its_tokens(clock: FakeClock) -> None:
    door = Door(clock, _budget(_price(TOKENS, 100)), **COUNTED)
    tab, verdict = await door.knock()
    assert TOKENS < BYTES / 3
    assert verdict.refusal is None
    assert door.held("nano") == tab.hold.amounts.nano == tab.skeleton.charge_nano == _price(TOKENS, 100)
    assert tab.call.ask is ASK


async def test_not_if_it_has_one_token_too_many(clock: FakeClock) -> None:
    door = Door(clock, _budget(_price(TOKENS, 100) - 1), **COUNTED)
    _, verdict = await door.knock()
    assert verdict.refusal is not None
    assert door.held("nano") == 0


async def test_a_model_without_a_vocabulary_is_bounded_by_bytes(clock: FakeClock) -> None:
    tab, verdict = await Door(clock, _budget(_price(BYTES, 100) - 1)).knock()
    assert verdict.refusal is not None
    assert tab.hold.amounts.nano == _price(BYTES, 100)


async def test_a_quota_of_tokens_is_asked_again_too(clock: FakeClock) -> None:
    quota = make_account("tokens", limit=TOKENS + 100, window="minute")
    door = Door(clock, quota, **COUNTED)
    assert (await door.knock())[1].refusal is None
    assert door.held("tokens") == TOKENS + 100


async def test_a_quota_of_requests_is_not(clock: FakeClock) -> None:
    tab, verdict = await Door(clock, make_account("requests", limit=0), policy=CLAMP, **COUNTED).knock()
    assert verdict.refusal is not None
    assert tab.hold.amounts.nano == _price(BYTES, 100)


async def test_nobody_counts_what_cannot_fit_in_any_case(clock: FakeClock) -> None:
    door = Door(clock, _budget(_price(16, 100) - 1), **COUNTED)
    tab, verdict = await door.knock()
    assert verdict.refusal is not None
    models = (tab.model,)
    assert worth_counting(tab, ASK, models, verdict.refusal) == frozenset()
    fits = msgspec.structs.replace(verdict.refusal, remaining=_price(16, 100))
    assert worth_counting(tab, ASK, models, fits) == {"o200k_base"}


async def test_an_answer_is_cut_to_what_the_budget_affords(clock: FakeClock) -> None:
    door = Door(clock, _budget(_price(BYTES, 60) + 1_999), policy=CLAMP)
    tab, verdict = await door.knock()
    assert verdict.refusal is None
    assert _maximum(tab) == tab.call.ask.max_output == 60
    assert tab.call.ask.body == ASK.body.removesuffix(b"}") + b',"max_tokens":60}'
    assert door.held("nano") == tab.skeleton.charge_nano == _price(BYTES, 60)


async def test_not_where_the_tenant_would_rather_have_it_refused(clock: FakeClock) -> None:
    tab, verdict = await Door(clock, _budget(_price(BYTES, 60))).knock()
    assert verdict.refusal is not None
    assert tab.call.ask is ASK


@pytest.mark.parametrize(("afforded", "maximum"), [(16, 16), (15, None)])
async def test_an_answer_is_not_cut_to_nothing(afforded: int, maximum: int | None, clock: FakeClock) -> None:
    tab, verdict = await Door(clock, _budget(_price(BYTES, afforded)), policy=CLAMP).knock()
    assert (verdict.refusal is None) == (maximum is not None)
    assert _maximum(tab) == maximum


async def test_a_prompt_is_counted_before_an_answer_is_cut(clock: FakeClock) -> None:
    whole, _ = await Door(clock, _budget(_price(TOKENS, 100)), policy=CLAMP, **COUNTED).knock()
    assert _maximum(whole) is None
    cut, verdict = await Door(clock, _budget(_price(TOKENS, 99)), policy=CLAMP, **COUNTED).knock()
    assert verdict.refusal is None
    assert _maximum(cut) == 99


async def test_a_prompt_is_counted_for_the_sake_of_a_cut_answer(clock: FakeClock) -> None:
    door = Door(clock, _budget(_price(TOKENS, 50)), policy=CLAMP, max_output=1_000, **COUNTED)
    tab, verdict = await door.knock()
    assert verdict.refusal is None
    assert _maximum(tab) == 50


async def test_a_picture_is_not_cut(clock: FakeClock) -> None:
    painter = make_deployment(cards=(make_card(input=0, image_out=1_000_000),))
    door = Door(clock, _budget(50_000), policy=CLAMP, kind="image", deployments=(painter,))
    ask = ask_of(b'{"model":"m","prompt":"a cat"}', kind="image")
    tab, verdict = await door.knock(ask)
    assert verdict.refusal is not None
    assert tab.call.ask is ask


async def test_an_answer_without_an_end_gets_what_is_left(clock: FakeClock) -> None:
    door = Door(clock, _budget(_price(BYTES, 500_000)), policy=CLAMP, max_output=None)
    tab, verdict = await door.knock()
    assert verdict.refusal is None
    assert _maximum(tab) == 500_000
    with pytest.raises(Unbounded):
        await Door(clock, _budget(10**12), max_output=None).knock()


async def test_a_prompt_without_an_end_is_refused_all_the_same(clock: FakeClock) -> None:
    picture = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}]
    with pytest.raises(Unbounded):
        await Door(clock, _budget(10**12), policy=CLAMP).knock(make_ask(messages=picture))


async def test_the_tightest_of_two_budgets_decides(clock: FakeClock) -> None:
    budgets = _budget(_price(BYTES, 80)), _budget(_price(BYTES, 40), id="key:nano:total")
    tab, verdict = await Door(clock, *budgets, policy=CLAMP).knock()
    assert verdict.refusal is None
    assert _maximum(tab) == 40


async def test_what_is_spent_is_not_afforded_again(clock: FakeClock) -> None:
    door = Door(clock, _budget(2 * _price(BYTES, 60)), policy=CLAMP)
    maxima = [_maximum((await door.knock())[0]) for _ in range(2)]
    assert maxima == [None, 20]
    assert door.held("nano") == 2 * _price(BYTES, 60)


async def test_all_choices_together_fit(clock: FakeClock) -> None:
    ask = ask_of(ASK.body, choices=3)
    tab, _ = await Door(clock, _budget(_price(BYTES, 100)), policy=CLAMP).knock(ask)
    assert _maximum(tab) == 33


async def test_nothing_is_asked_for_beyond_what_the_model_can_say(clock: FakeClock) -> None:
    dear = make_deployment(cards=(make_card(input=0, output=1_000_000),))
    door = Door(clock, _budget(500_000), policy=CLAMP, fallbacks={"any": ("big",)}, deployments=(dear,))
    big = make_model(
        make_deployment(cards=(make_card(input=0, output=1_000_000),)), name="big", max_output=9_000
    )
    door.rig.gateway.catalog.current.models["big"] = big  # type: ignore[attr-defined]
    tab, verdict = await door.knock()
    assert verdict.refusal is None
    assert _maximum(tab) == 100


async def test_an_embedding_has_no_answer_to_cut(clock: FakeClock) -> None:
    ask = ask_of(b'{"model":"m","input":"%b"}' % WORDS.encode(), kind="embedding")
    tab, verdict = await Door(clock, _budget(1_000), policy=CLAMP, kind="embedding").knock(ask)
    assert verdict.refusal is not None
    assert tab.call.ask is ask


@pytest.mark.parametrize(
    ("members", "names"),
    [
        ({"messages": []}, {"max_tokens"}),
        ({"prompt": "x"}, {"max_tokens"}),
        ({"input": "x"}, {"max_output_tokens"}),
        ({"messages": [], "max_tokens": None}, {"max_tokens"}),
        ({"messages": [], "max_completion_tokens": 900}, {"max_completion_tokens"}),
        (
            {"messages": [], "max_tokens": 900, "max_completion_tokens": 800},
            {"max_tokens", "max_completion_tokens"},
        ),
        ({"input": "x", "max_output_tokens": 900}, {"max_output_tokens"}),
    ],
)
def test_the_maximum_stands_under_the_callers_own_name(members: dict[str, Any], names: set[str]) -> None:
    body = msgspec.json.encode({"model": "m", **members})
    ask = with_maximum(ask_of(body), 77)
    sent = msgspec.json.decode(ask.body)
    assert {name for name, value in sent.items() if value == 77} == names
    assert {**sent, **members} == {"model": "m", **members, **dict.fromkeys(names - members.keys(), 77)}
    assert (ask.max_output, set(ask.members)) == (77, set(sent))


async def test_the_provider_is_told_the_maximum_that_the_budget_affords(clock: FakeClock) -> None:
    rig = Door(clock, _budget(_price(BYTES, 60)), *BOUNDED[1:], policy=CLAMP).rig
    await rig.run(ASK)
    (request,) = rig.script.requests
    assert msgspec.json.decode(request.body)["max_tokens"] == 60
    assert rig.entry.charge_nano == 20_000
    rig.assert_balanced()


async def test_a_counted_prompt_goes_out_as_it_came(clock: FakeClock) -> None:
    rig = Door(clock, _budget(_price(TOKENS, 100)), *BOUNDED[1:], **COUNTED).rig
    await rig.run(ASK)
    (request,) = rig.script.requests
    assert request.body == ASK.body
    rig.assert_balanced()
