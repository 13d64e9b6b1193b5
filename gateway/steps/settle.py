"""Step 8: what the call came to, as its ledger entry."""

import logging

from msgspec import Raw, convert
from msgspec.structs import replace

from gateway.accounts import LARGEST_ENTRY, Settlement
from gateway.bounds import FREE, has_opaque_part
from gateway.call import METERS, Kind, Status, Usage
from gateway.entry import Entry, bound_line
from gateway.extents import SOUND_TOKENS_A_SECOND, extent_of
from gateway.once import Told, seal_answer
from gateway.pictures import as_paid
from gateway.ports import Vault
from gateway.pricing import PriceCard, Priced, card_at, price_usage
from gateway.tab import Tab, served_by
from gateway.texts import prompt_in, prompt_texts
from gateway.tokens import TokenCounter

logger = logging.getLogger(__name__)

_NOTHING = Usage()
_FREE = Priced()
_NOT_OF_TEXT = frozenset({"image", "speech", "transcription"})
"""Kinds of calls that are paid by the picture or the second, where no tokens are reported."""


async def settlement_of(tab: Tab, *, monotonic: float, counter: TokenCounter) -> Settlement:
    """The order that closes a call's hold: exact where the provider counted, estimated where it did not."""
    if tab.is_paid_for:
        entry = _entry(tab, "cached", _NOTHING, _FREE, None, False, monotonic)
        return Settlement(hold=tab.hold, entry=entry, tokens=0)
    usage = tab.usage
    estimated = usage is None and (tab.served is not None or tab.committed)
    if estimated:
        usage = await _estimate(tab, counter)
    elif usage is not None and usage.doubtful:
        estimated, usage = True, await _completed(tab, usage, counter)
    card, kind = _card(tab), tab.call.ask.kind
    if usage is not None and (usage.audio_second or kind == "image"):
        usage, guessed = _as_sold(tab, usage, card)
        estimated = estimated or guessed
    priced = _FREE
    if usage is not None and kind not in FREE:
        priced = price_usage(usage, card, tab.principal.terms, tab.service_tier)
    unseen = [attempt.unknown_nano for attempt in tab.attempts if attempt.unknown_nano]
    if priced.cost_nano > LARGEST_ENTRY or priced.charge_nano > LARGEST_ENTRY:
        usage, priced = None, Priced()
        unseen.append(tab.hold.amounts.nano)  # such figures are nonsense, and the bound stands instead
    elif priced.charge_nano > tab.hold.amounts.nano > 0:
        logger.warning("call %s is charged more than was held for it", tab.call.id)
    usage, priced = _with_spoiled(tab, usage, priced, card)
    seen = usage or _NOTHING
    status: Status = "settled" if usage is not None else "unsettled" if unseen else "failed"
    entry = _with_unseen(_entry(tab, status, seen, priced, card, estimated, monotonic), sum(unseen))
    return Settlement(hold=tab.hold, entry=entry, tokens=seen.tokens + len(unseen) * tab.hold.amounts.tokens)


def _with_spoiled(
    tab: Tab, usage: Usage | None, priced: Priced, card: PriceCard | None
) -> tuple[Usage | None, Priced]:
    """An answer before it was of no use. Each at its own price: together they might reach what is dearer."""
    spoiled = tab.spoiled
    if spoiled is None:
        return usage, priced
    before = price_usage(spoiled.usage, card, tab.principal.terms, spoiled.service_tier)
    both = {name: getattr(spoiled.usage, name) + getattr(usage or _NOTHING, name) for name in METERS}
    return Usage(**both), Priced(
        cost_nano=before.cost_nano + priced.cost_nano,
        charge_nano=before.charge_nano + priced.charge_nano,
        lines=before.lines + priced.lines,
    )


def with_answer(settlement: Settlement, tab: Tab, vault: Vault) -> Settlement:
    """The same, with what the caller is told, if that is all there was to tell."""
    if tab.reply is None or tab.recording is None or settlement.entry.status != "settled":
        return settlement
    told = Told(reply=tab.reply, served=served_by(tab, tab.served), charge_nano=settlement.entry.charge_nano)
    return replace(settlement, answer=seal_answer(told, tab.recording, vault))


def _card(tab: Tab) -> PriceCard | None:
    """The prices of who served the call, when it began."""
    deployment = tab.served or tab.reached
    return card_at(deployment.cards, tab.at_ms) if deployment else None


def _as_sold(tab: Tab, usage: Usage, card: PriceCard | None) -> tuple[Usage, bool]:
    """Sounds and pictures by what has a price of them, and whether that is a guess."""
    ask, guessed = tab.call.ask, False
    if usage.audio_second and _sells_by_tokens(card):
        usage, guessed = _in_tokens(usage, ask.kind), True
    if ask.kind != "image":
        return usage, guessed
    usage, unsure = as_paid(usage, ask, card, tab.models)
    return usage, guessed or unsure


def _sells_by_tokens(card: PriceCard | None) -> bool:
    """Whether a sound has a price by the token alone."""
    return card is not None and not any("audio_second" in sheet.prices for sheet in card.sheets)


def _in_tokens(usage: Usage, kind: Kind) -> Usage:
    """Seconds as the tokens that they may hold: such a sound is not free because nobody counted them."""
    tokens = usage.audio_second * SOUND_TOKENS_A_SECOND
    if kind == "speech":
        return replace(usage, audio_second=0, audio_out=usage.audio_out + tokens)
    return replace(usage, audio_second=0, audio_in=usage.audio_in + tokens)


def _entry(
    tab: Tab,
    status: Status,
    usage: Usage,
    priced: Priced,
    card: PriceCard | None,
    estimated: bool,
    monotonic: float,
) -> Entry:
    """The skeleton with what happened and what it came to."""
    deployment = tab.served or tab.reached
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
        price_version=card.version if card is not None and priced.lines else "",
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
    prompt = prompt_in(ask.members) or Raw(ask.body)
    window = tab.model.context_window if has_opaque_part(prompt) else None
    return Usage(
        input=window or await counter.count(prompt_texts(ask.members, prompt)),
        output=await counter.count(tab.delivered),
    )


async def _completed(tab: Tab, usage: Usage, counter: TokenCounter) -> Usage:
    """A doubtful usage as it is charged; one that stops before the answer has that counted here."""
    told = usage.tokens > usage.prompt_tokens
    return replace(usage, doubtful=False, output=usage.output if told else await counter.count(tab.delivered))
