"""The most a call can cost, known before it is made."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway.call import Kind
from gateway.catalog import Model
from gateway.pricing import PriceCard, Terms, card_at
from gateway.texts import OPAQUE_PARTS
from gateway.worst import NOTHING, worst_charge

OVERHEAD_TOKENS = 16
"""What a provider's template may add around a call, beyond the JSON that already counts as prompt."""

FREE = frozenset({"count"})
"""Kinds of calls that no provider bills: no money is held for them, and none is charged."""

_OPAQUE_MARK = re.compile(b'"(?:%b)"' % "|".join(sorted(OPAQUE_PARTS)).encode())
_ESCAPED_ASCII = b"\\u00"


class Extent(Struct, frozen=True, kw_only=True, gc=False):
    """How far an ask reaches, whatever model serves it; None stands for no end that is known."""

    kind: Kind
    prompt: int | None
    """Tokens of the prompt; None where it holds something whose tokens cannot be counted here."""
    answer: int | None = None
    """Tokens of each choice that the caller set as the most; None leaves it to the model."""
    choices: int | None = 1
    predicted: int = 0
    """Tokens beyond that maximum: of an answer foretold, what was not said is billed too."""
    passes: int | None = 1
    """How often the prompt may be read."""
    besides: Mapping[str, int] = NOTHING
    """What is no token, by meter."""
    tier: str | None = None
    """The class of service that alone may be given, beside the normal one."""
    unwritten: int = 0
    """Tokens that stand nowhere in the request: what a provider tells the model about its tools."""


class Bound(Struct, frozen=True, kw_only=True, gc=False):
    """Upper bounds of one attempt; None where there is none."""

    input: int | None
    output: int | None
    charge_nano: int | None
    priced: bool


def bound_of(
    extent: Extent,
    models: tuple[Model, ...],
    terms: Terms,
    now_ms: int,
    counted: Mapping[str, int] = NOTHING,
) -> Bound:
    """The dearest that any of the models' deployments can make of an ask.

    `counted` has the tokens of its body by vocabulary, where somebody has counted them.
    """
    if extent.kind in FREE:
        return Bound(input=0, output=0, charge_nano=0, priced=True)
    most_in: int | None = 0
    most_out: int | None = 0
    nano: int | None = 0
    priced = True
    for model in models:
        inputs, outputs = input_bound(extent, model, counted), output_bound(extent, model)
        most_in, most_out = _larger(most_in, inputs), _larger(most_out, outputs)
        for deployment in model.deployments:
            card = card_at(deployment.cards, now_ms)
            if card is None:
                priced = False
                continue
            priced = priced and _has_price(card, extent)
            worst = worst_charge(card, terms, inputs, outputs, besides=extent.besides, tier=extent.tier)
            nano = _larger(nano, worst)
    return Bound(input=most_in, output=most_out, charge_nano=nano, priced=priced)


def _has_price(card: PriceCard, extent: Extent) -> bool:
    """Searches that tools make have a price of their own; to put documents in order may be one, or none."""
    searches = extent.kind != "rerank" and "search" in extent.besides
    return card.prices(extent.kind) and (not searches or card.prices("search"))


def _larger(one: int | None, other: int | None) -> int | None:
    """Of two bounds, the one that holds for both; no bound is larger than any."""
    if one is None or other is None:
        return None
    return one if one > other else other


def input_bound(extent: Extent, model: Model, counted: Mapping[str, int] = NOTHING) -> int | None:
    """Tokens of the prompt.

    One whose size is not in the request counts as the model's whole context window, and so does each
    reading of one that the provider's tools add to.
    """
    prompt, passes = extent.prompt, extent.passes
    if prompt is None or passes != 1:
        window = model.context_window
        return None if window is None or passes is None else window * passes
    if counted and model.vocabulary in counted:
        prompt = min(prompt, counted[model.vocabulary] + OVERHEAD_TOKENS)
    return prompt + extent.unwritten


def output_bound(extent: Extent, model: Model) -> int | None:
    """Tokens of the answer: the asked maximum, else the model's, for each of the choices."""
    choices = extent.choices
    if choices == 0:
        return 0
    most = extent.answer or model.max_output or model.context_window
    return None if most is None or choices is None else (most + extent.predicted) * choices


def has_opaque_part(messages: Raw | None) -> bool:
    """Whether a message holds something whose tokens cannot be counted here.

    A look at the bytes is enough unless a name could be hidden behind an escape.
    """
    if messages is None:
        return False
    view = bytes(messages)
    if _OPAQUE_MARK.search(view) is not None:
        return True
    try:
        return view.find(_ESCAPED_ASCII) >= 0 and _mentions(msgspec.json.decode(view))
    except RecursionError:
        return True


def _mentions(value: Any) -> bool:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if not OPAQUE_PARTS.isdisjoint(one) or one.get("type") in OPAQUE_PARTS:
                return True
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
    return False
