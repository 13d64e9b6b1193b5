"""Step 8: what the call came to, as its ledger entry."""

import logging

from msgspec import Raw, convert
from msgspec.structs import replace

from gateway.accounts import LARGEST_ENTRY, Settlement
from gateway.bounds import has_opaque_part
from gateway.call import Status, Usage
from gateway.entry import Entry, bound_line
from gateway.extents import extent_of
from gateway.once import Told, seal_answer
from gateway.ports import Vault
from gateway.pricing import Priced, card_at, price_usage
from gateway.tab import Tab, served_by
from gateway.texts import texts_in
from gateway.tokens import TokenCounter

logger = logging.getLogger(__name__)

_NOTHING = Usage()
_NOT_OF_TEXT = frozenset({"image", "speech", "transcription"})
"""Kinds of calls that are paid by the picture or the second, where no tokens are reported."""


async def settlement_of(tab: Tab, *, monotonic: float, counter: TokenCounter) -> Settlement:
    """The order that closes a call's hold: exact where the provider counted, estimated where it did not."""
    usage = tab.usage
    estimated = usage is None and (tab.served is not None or tab.committed)
    if estimated:
        usage = await _estimate(tab, counter)
    elif usage is not None and usage.doubtful:
        estimated, usage = True, replace(usage, doubtful=False)
    seen = usage or _NOTHING
    priced = Priced() if usage is None else _priced(tab, usage)
    unseen = [attempt.unknown_nano for attempt in tab.attempts if attempt.unknown_nano]
    if max(priced.cost_nano, priced.charge_nano) > LARGEST_ENTRY:
        usage, seen, priced = None, _NOTHING, Priced()
        unseen.append(tab.hold.amounts.nano)  # such figures are nonsense, and the bound stands instead
    elif priced.charge_nano > tab.hold.amounts.nano > 0:
        logger.warning("call %s is charged more than was held for it", tab.call.id)
    status: Status = "settled" if usage is not None else "unsettled" if unseen else "failed"
    entry = _with_unseen(_entry(tab, status, seen, priced, estimated, monotonic), sum(unseen))
    return Settlement(hold=tab.hold, entry=entry, tokens=seen.tokens + len(unseen) * tab.hold.amounts.tokens)


def with_answer(settlement: Settlement, tab: Tab, vault: Vault) -> Settlement:
    """The same, with what the caller is told, if that is all there was to tell."""
    if tab.reply is None or tab.recording is None or settlement.entry.status != "settled":
        return settlement
    told = Told(reply=tab.reply, served=served_by(tab, tab.served), charge_nano=settlement.entry.charge_nano)
    return replace(settlement, answer=seal_answer(told, tab.recording, vault))


def _priced(tab: Tab, usage: Usage) -> Priced:
    deployment = tab.served or tab.reached
    card = card_at(deployment.cards, tab.skeleton.at_ms) if deployment else None
    return price_usage(usage, card, tab.principal.terms, tab.service_tier)


def _entry(
    tab: Tab, status: Status, usage: Usage, priced: Priced, estimated: bool, monotonic: float
) -> Entry:
    """The skeleton with what happened and what it came to."""
    deployment = tab.served or tab.reached
    card = card_at(deployment.cards, tab.skeleton.at_ms) if deployment and priced.lines else None
    seconds = monotonic - tab.call.started
    return replace(
        tab.skeleton,
        status=status,
        provider_id=deployment.provider.id if deployment else None,
        provider=deployment.provider.name if deployment else "",
        deployment_id=deployment.id if deployment else None,
        deployment=deployment.name if deployment else "",
        meters=usage,
        cost_nano=priced.cost_nano,
        charge_nano=priced.charge_nano,
        lines=priced.lines,
        price_version=card.version if card is not None else "",
        estimated=estimated,
        attempts=tuple(tab.attempts),
        latency_ms=round(seconds * 1000),
        ttft_ms=None if tab.ttft is None else round(tab.ttft * 1000),
        overhead_us=max(0, round((seconds - tab.upstream_seconds) * 1_000_000)),
    )


def _with_unseen(entry: Entry, nano: int) -> Entry:
    """Attempts that a provider may bill though nobody saw their answer count at their bound."""
    if not nano:
        return entry
    return replace(
        entry,
        cost_nano=entry.cost_nano + nano,
        charge_nano=entry.charge_nano + nano,
        lines=(*entry.lines, bound_line(nano)),
        estimated=True,
    )


async def _estimate(tab: Tab, counter: TokenCounter) -> Usage:
    ask = tab.call.ask
    if ask.kind in _NOT_OF_TEXT:
        return convert(extent_of(ask).besides, Usage)
    members = ask.members
    prompt = members.get("messages") or members.get("input") or members.get("prompt") or Raw(ask.body)
    window = tab.model.context_window if has_opaque_part(prompt) else None
    return Usage(
        input=window or await counter.count(texts_in(prompt)),
        output=await counter.count(tab.delivered),
    )
