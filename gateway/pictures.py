"""What pictures are paid by: their tokens where those have a price and are told, else the piece.

A host that counts differently than it is priced must not be free for it.
"""

from msgspec.structs import replace

from gateway.bounds import output_bound
from gateway.call import Ask, Usage
from gateway.catalog import Model
from gateway.extents import extent_of
from gateway.pricing import PriceCard


def as_paid(usage: Usage, ask: Ask, card: PriceCard | None, models: tuple[Model, ...]) -> tuple[Usage, bool]:
    """The usage in what has a price, and whether that had to be guessed."""
    if card is None:
        return usage, False
    sheets = card.sheets
    by_token = any(sheet.has_own_price("image_out") for sheet in sheets)
    if by_token and usage.image_out:
        return replace(usage, image=0), False
    if any("image" in sheet.prices for sheet in sheets):
        return _by_piece(usage, ask), False
    most = _most_tokens(ask, models) if by_token else None
    return (usage, False) if most is None else (replace(usage, image=0, image_out=most), True)


def _by_piece(usage: Usage, ask: Ask) -> Usage:
    """Those that came; of a stream, those that were asked for."""
    return replace(usage, image=usage.image or extent_of(ask).besides["image"], image_out=0)


def _most_tokens(ask: Ask, models: tuple[Model, ...]) -> int | None:
    """What was held for the answer: nobody has said how much less it was."""
    bounds = [output_bound(extent_of(ask), model) for model in models]
    return None if None in bounds else max([bound for bound in bounds if bound is not None], default=None)
