"""The most a call can cost, known before it is made."""

import re
from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway.call import Ask
from gateway.catalog import Model
from gateway.pricing import Terms, card_at, worst_charge
from gateway.texts import OPAQUE_PARTS

OVERHEAD_TOKENS = 16
"""What a provider's template may add around a call, beyond the JSON that already counts as prompt."""

_OPAQUE_MARK = re.compile(b'"(?:%b)"' % "|".join(sorted(OPAQUE_PARTS)).encode())
_ESCAPED_ASCII = b"\\u00"


class Bound(Struct, frozen=True, kw_only=True, gc=False):
    """Upper bounds of one attempt; None where there is none."""

    input: int | None
    output: int | None
    charge_nano: int | None
    priced: bool


def bound_of(ask: Ask, models: tuple[Model, ...], terms: Terms, now_ms: int) -> Bound:
    """The dearest that any of the models' deployments can make of this ask."""
    most_in: int | None = 0
    most_out: int | None = 0
    nano: int | None = 0
    priced = True
    for model in models:
        inputs, outputs = input_bound(ask, model), output_bound(ask, model)
        most_in, most_out = _larger(most_in, inputs), _larger(most_out, outputs)
        for deployment in model.deployments:
            card = card_at(deployment.cards, now_ms)
            if card is None:
                priced = False
            elif inputs is None or outputs is None:
                nano = None
            else:
                nano = _larger(nano, worst_charge(card, terms, inputs, outputs))
    return Bound(input=most_in, output=most_out, charge_nano=nano, priced=priced)


def _larger(one: int | None, other: int | None) -> int | None:
    """Of two bounds, the one that holds for both; no bound is larger than any."""
    return None if one is None or other is None else max(one, other)


def input_bound(ask: Ask, model: Model) -> int | None:
    """Tokens of the prompt: never more than its bytes, as a byte-level tokenizer makes at most one of each.

    JSON is never shorter than the text in it. A part whose size is not in the request counts as the
    model's whole context window.
    """
    if ask.kind == "chat" and has_opaque_part(ask.members.get("messages")):
        return model.context_window
    return len(ask.body) + OVERHEAD_TOKENS


def output_bound(ask: Ask, model: Model) -> int | None:
    """Tokens of the answer: the asked maximum, else the model's, for each of the choices."""
    if ask.kind == "embedding":
        return 0
    most = ask.max_output or model.max_output or model.context_window
    return None if most is None else most * ask.choices


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
