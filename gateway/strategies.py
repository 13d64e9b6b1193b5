"""In which order deployments of equal priority are tried: one pure function for each strategy.

All of them give back the deployments that they were given, each once. Where a strategy does not
distinguish between two, chance does, in proportion to their weights.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from itertools import groupby
from math import inf, log
from random import Random

from msgspec import Struct
from msgspec.structs import replace

from gateway.beginnings import beginning_of
from gateway.bounds import Extent, input_bound, output_bound
from gateway.call import Ask
from gateway.catalog import LEVELS, Deployment, Model, Sticky, Strategy
from gateway.extents import extent_of
from gateway.pricing import PriceCard, Terms, card_at
from gateway.principal import Principal
from gateway.vitals import Look, Reading
from gateway.worst import worst_charge

EXPLORING = 0.05
"""The share of calls that go by weight alone, so that who was slow once is seen to be fast again."""
ALIKE = 1.1
"""How many times the fastest's first byte still counts as fast: otherwise everybody runs to one."""

_ANSWER_TOKENS = 1024
"""What an answer counts as beside a prompt where it has no end."""
_HASHES = 1 << 64

Deployments = Sequence[Deployment]


class Facts(Struct, frozen=True, kw_only=True, gc=False):
    """What a strategy may want to know of a call, beside the deployments."""

    ask: Ask
    principal: Principal
    now_ms: int
    look: Look
    """How it is with a deployment at this moment."""
    random: Random

    def reading(self, deployment: Deployment) -> Reading:
        """How it is with a deployment, for calls such as this."""
        return self.look(deployment, self.ask.stream)


Order = Callable[[Deployments, Model, Facts], list[Deployment]]


def order_equals(deployments: Deployments, model: Model, facts: Facts) -> list[Deployment]:
    """Deployments of equal priority in the order in which this call tries them."""
    mark = sticky_mark(model.sticky, facts) if model.sticky else b""
    if mark:
        return rendezvous(deployments, mark)
    return STRATEGIES[model.strategy](deployments, model, facts)


def how_ordered(order: Deployments, model: Model, facts: Facts) -> str:
    """What decided between the first of them, in a word."""
    if all(len(equals) == 1 for equals in grouped(order)):
        return "priorities"
    if model.sticky and sticky_mark(model.sticky, facts):
        return f"sticky:{model.sticky}"
    return model.strategy


def by_weight(deployments: Deployments, _: Model, facts: Facts) -> list[Deployment]:
    """By chance: to be first is as likely as the weight is large."""
    draw = facts.random.expovariate  # an exponential race
    lots = [draw(one.weight) if one.weight > 0 else inf for one in deployments]
    return [deployments[at] for at in sorted(range(len(lots)), key=lots.__getitem__)]


def as_listed(deployments: Deployments, _: Model, __: Facts) -> list[Deployment]:
    """In the order of the catalog."""
    return list(deployments)


def least_busy(deployments: Deployments, model: Model, facts: Facts) -> list[Deployment]:
    """The fewest calls in flight for its size first; one that is full last.

    Its size is what it may take at once, if that is known of all of them, and else its weight.
    """
    limited = all([one.max_parallel for one in deployments])

    def load(one: Deployment) -> tuple[bool, float]:
        busy = facts.reading(one).in_flight
        size = one.max_parallel if limited else one.weight
        full = one.max_parallel is not None and busy >= one.max_parallel
        return full, busy / size if size else inf

    return sorted(by_weight(deployments, model, facts), key=load)


def by_latency(deployments: Deployments, model: Model, facts: Facts) -> list[Deployment]:
    """The shortest time to the first byte first, of late.

    Nobody knows how fast one is that has not answered yet: it is tried, but by one call at a time, and
    not first again after it failed.
    """
    order = by_weight(deployments, model, facts)
    if facts.random.random() < EXPLORING:
        return order
    readings = {id(one): facts.reading(one) for one in order}
    fastest = min([reading.first_byte for reading in readings.values() if reading.first_byte], default=0.0)

    def wait(one: Deployment) -> float:
        reading = readings[id(one)]
        if reading.first_byte is None:
            return inf if reading.misses or reading.in_flight else 0.0
        return max(reading.first_byte, fastest * ALIKE)

    return sorted(order, key=wait)


def by_price(deployments: Deployments, model: Model, facts: Facts) -> list[Deployment]:
    """The cheapest first, by the most that this call can come to; what has no price last."""
    extent = extent_of(facts.ask)
    bounds = _bounds(extent, model, facts.ask)

    def price(one: Deployment) -> tuple[float, float]:
        card = card_at(one.cards, facts.now_ms)
        if card is None or not card.prices(facts.ask.kind):
            return inf, inf
        cost = replace(card, sell=(), own_sell={}) if card.sell or card.own_sell else card
        return _worst(card, facts.principal.terms, extent, bounds), _worst(cost, Terms(), extent, bounds)

    return sorted(by_weight(deployments, model, facts), key=price)


def by_quality(deployments: Deployments, model: Model, facts: Facts) -> list[Deployment]:
    """The best first; of whom nothing is known last."""

    def badness(one: Deployment) -> float:
        return inf if one.quality is None else -one.quality

    return sorted(by_weight(deployments, model, facts), key=badness)


def by_security(deployments: Deployments, model: Model, facts: Facts) -> list[Deployment]:
    """The most secure provider first."""
    return sorted(by_weight(deployments, model, facts), key=lambda one: -LEVELS[one.provider.security])


def by_affinity(deployments: Deployments, model: Model, facts: Facts) -> list[Deployment]:
    """Conversations that begin alike go to the same deployment; calls that begin nowhere, by weight."""
    mark = _conversation(facts)
    return rendezvous(deployments, mark) if mark else by_weight(deployments, model, facts)


STRATEGIES: Mapping[Strategy, Order] = {
    "weighted": by_weight,
    "priority": as_listed,
    "least_busy": least_busy,
    "latency": by_latency,
    "price": by_price,
    "quality": by_quality,
    "affinity": by_affinity,
    "sensitivity": by_security,
}


def rendezvous(deployments: Iterable[Deployment], mark: bytes) -> list[Deployment]:
    """The order that a mark gives: always the same, each first for as many marks as its weight says.

    One that comes or goes changes the order of the others among themselves for no mark.
    """

    def distance(one: Deployment) -> float:
        if one.weight <= 0:
            return inf
        name = f"{one.name}\0{one.region}".encode()
        drawn = int.from_bytes(blake2b(mark + b"\0" + name, digest_size=8).digest())
        return -log((drawn + 1) / (_HASHES + 1)) / one.weight

    return sorted(deployments, key=distance)


def sticky_mark(sticky: Sticky, facts: Facts) -> bytes:
    """What a call is known by that keeps to its deployment; empty where it does not say."""
    if sticky == "conversation":
        return _conversation(facts)
    if sticky == "end_user":
        return _mark("end_user", facts, facts.ask.end_user.encode(errors="surrogatepass"))
    key = facts.principal.key_id
    return b"" if key is None else _mark("key", facts, key.bytes)


def _conversation(facts: Facts) -> bytes:
    """Its name, if the caller has one for it, and else how it begins."""
    named = facts.ask.conversation.encode(errors="surrogatepass")
    return _mark("conversation", facts, named or beginning_of(facts.ask))


def _mark(kind: str, facts: Facts, value: bytes) -> bytes:
    """A tenant's own: what others say moves none of its calls."""
    if not value:
        return b""
    return blake2b(facts.principal.tenant_id.bytes + kind.encode() + value, digest_size=16).digest()


def grouped(deployments: Iterable[Deployment]) -> list[list[Deployment]]:
    """Those of equal priority together; of them the tenant's own first, and those without weight last."""

    def rank(one: Deployment) -> tuple[int, bool, bool]:
        return one.priority, one.provider.tenant_id is None, one.weight <= 0

    return [list(group) for _, group in groupby(sorted(deployments, key=rank), rank)]


def _bounds(extent: Extent, model: Model, ask: Ask) -> tuple[int, int]:
    inputs, outputs = input_bound(extent, model), output_bound(extent, model)
    return len(ask.body) if inputs is None else inputs, _ANSWER_TOKENS if outputs is None else outputs


def _worst(card: PriceCard, terms: Terms, extent: Extent, bounds: tuple[int, int]) -> float:
    worst = worst_charge(card, terms, *bounds, besides=extent.besides, tier=extent.tier)
    return inf if worst is None else worst
