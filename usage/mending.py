"""Takes up corrections that were asked for: each becomes an entry and moves its accounts, once.

Whoever has the books open may do it; several processes may take up the same one at the same time, or again
after one that died. The books know the entry by its id, and so does the ledger.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import ParamSpec, TypeVar, cast

from channels.db import database_sync_to_async
from django.db import Error

from gateway.accounts import Amounts, Hold, Order, Settlement, Verdict
from gateway.call import Kind
from gateway.entry import Entry, adjustment_line
from gateway.errors import BooksAway
from gateway.ports import Clock
from usage.corrections import correction_applied, corrections_pending, entry_budgets
from usage.ledger import entries_known
from usage.models import Correction, LedgerEntry

TAKE_UP_EVERY = 2.0
AT_ONCE = 100
"""So many are taken up in one turn: calls want the books too."""

Post = Callable[[Sequence[Order]], Awaitable[Sequence[Verdict]]]
"""Of the books."""

_Parameters = ParamSpec("_Parameters")
_Answer = TypeVar("_Answer")

logger = logging.getLogger(__name__)


class Mending:
    """Writes mending entries beside the calls."""

    def __init__(self, *, post: Post, clock: Clock, away: Callable[[], bool] = lambda: False) -> None:
        self._post = post
        self._clock = clock
        self._away = away

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            await self._clock.sleep(TAKE_UP_EVERY)
            if self._away():
                continue
            try:
                await self.take_up()
            except BooksAway:
                continue  # readiness says so
            except Exception:  # nobody awaits this loop: if it ended, nothing would be mended any more
                logger.exception("corrections could not be taken up; it is tried again")

    async def take_up(self) -> int:
        """Bring what waits to the books; how much of it was brought here."""
        pending = await _database(corrections_pending)(at_most=AT_ONCE)
        known = await entries_known([one.correcting_id for one in pending]) if pending else set()
        brought = 0
        for correction in pending:
            if correction.correcting_id in known or await self._bring(correction):
                brought += await _database(correction_applied)(correction=correction)
        return brought

    async def _bring(self, correction: Correction) -> bool:
        """Post the entry; one that fails is tried again, and does not keep others waiting."""
        try:
            now_ms = round(self._clock.now() * 1000)
            settlement = await _database(_settlement_of)(correction, now_ms)
            (verdict,) = await self._post([settlement])
        except BooksAway:
            raise
        except Exception:  # whatever is wrong with this row, those behind it are not to wait for it
            logger.exception("entry %s could not be mended", correction.entry_id)
            return False
        return not verdict.failed


def _database(
    ask: Callable[_Parameters, _Answer],
) -> Callable[_Parameters, Awaitable[_Answer]]:
    """Ask from a thread, with our own word for a database that does not answer."""

    async def asked(*arguments: _Parameters.args, **named: _Parameters.kwargs) -> _Answer:
        try:
            answer: _Answer = await database_sync_to_async(ask)(*arguments, **named)
        except Error as error:
            raise BooksAway from error
        return answer

    return asked


def _settlement_of(correction: Correction, now_ms: int) -> Settlement:
    """An order to the books that no hold covers: it is spent in the windows of now."""
    mended = LedgerEntry.objects.get(pk=correction.entry_id)
    entry = _mending_entry(correction, mended, now_ms)
    accounts = entry_budgets(entry=mended)
    hold = Hold(id=entry.id, accounts=accounts, amounts=Amounts(), skeleton=entry)
    return Settlement(hold=hold, entry=entry, tokens=0)


def _mending_entry(correction: Correction, mended: LedgerEntry, now_ms: int) -> Entry:
    """Of the same tenant, call and provider as what it mends; nothing was measured, so it has no meters."""
    return Entry(
        id=correction.correcting_id,
        at_ms=now_ms,
        request_id=mended.request_id,
        tenant_id=mended.tenant_id,
        tenant=mended.tenant,
        project_id=mended.project_id,
        project=mended.project,
        cost_centre=mended.cost_centre,
        key_id=mended.key_id,
        key=mended.key,
        end_user_id=mended.end_user_id,
        dialect=mended.dialect,
        kind=cast(Kind, mended.kind),
        status="refunded" if correction.kind == Correction.Kind.REFUND else "settled",
        model_asked=mended.model_asked,
        model=mended.model,
        provider_id=mended.provider_id,
        provider=mended.provider,
        deployment_id=mended.deployment_id,
        deployment=mended.deployment,
        cost_nano=correction.cost_nano,
        charge_nano=correction.charge_nano,
        lines=(adjustment_line(cost_nano=correction.cost_nano, charge_nano=correction.charge_nano),),
        tags=mended.tags,
        corrects=mended.pk,
    )
