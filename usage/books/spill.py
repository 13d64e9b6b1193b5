"""Orders that the books could not take in time: each a file on this machine's disk, until they can.

An answer whose entry is here may go out, and a call whose hold is here may be made. Another process may take
the files up after this one died: the books know a call by its id, so that its entry is written once whoever
brings what, and in whatever order. A settlement whose call was swept meanwhile corrects it there.
"""

import asyncio
import logging
import os
from bisect import bisect
from collections.abc import Awaitable, Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from operator import itemgetter
from pathlib import Path
from uuid import UUID

import msgspec

from gateway.accounts import Hold, Kept, Settlement
from gateway.errors import BooksAway

AT_ONCE = 100
"""So many are taken up at a time: a long outage leaves more than a process should hold."""

_HOLD, _SETTLEMENT = ".hold", ".settlement"

InLedger = Callable[[Sequence[UUID]], Awaitable[set[UUID]]]
"""Which of these entries the ledger has already."""

logger = logging.getLogger(__name__)

_encoder = msgspec.msgpack.Encoder(uuid_format="bytes")
_decoders: Mapping[str, msgspec.msgpack.Decoder[Hold] | msgspec.msgpack.Decoder[Settlement]] = {
    _HOLD: msgspec.msgpack.Decoder(Hold),
    _SETTLEMENT: msgspec.msgpack.Decoder(Settlement),
}


class FileSpill:
    """A folder of orders."""

    def __init__(self, folder: Path, *, in_ledger: InLedger) -> None:
        self._folder = folder
        self._in_ledger = in_ledger
        self._last_handed_out = ""

    async def keep(self, order: Kept) -> None:
        """Keep one; it is on the disk when this returns."""
        with _disk_faults(f"keep an order of call {_call_of(order)}"):
            await asyncio.to_thread(self._write, order)

    async def kept(self, under_way: Container[UUID] = ()) -> Sequence[Kept]:
        """Some that wait, the next time others: those that the books refuse are in nobody's way.

        A hold whose call reached the ledger by another way is forgotten here.
        """
        with _disk_faults("read what is kept"):
            orders = await asyncio.to_thread(self._read, under_way)
        holds = [order.id for order in orders if isinstance(order, Hold)]
        known = await self._in_ledger(holds) if holds else set()
        over = [order for order in orders if isinstance(order, Hold) and order.id in known]
        for hold in over:
            await self.forget(hold)
        return [order for order in orders if order not in over]

    async def forget(self, order: Kept) -> None:
        """The books have it."""
        try:
            await asyncio.to_thread(self._path(order).unlink, missing_ok=True)
        except OSError:  # it is forgotten later: the ledger knows it
            logger.exception("an order could not be removed from the disk: call %s", _call_of(order))

    def _path(self, order: Kept) -> Path:
        suffix = _HOLD if isinstance(order, Hold) else _SETTLEMENT
        return self._folder / f"{_call_of(order).hex}{suffix}"

    def _write(self, order: Kept) -> None:
        if not self._folder.is_dir():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sync_folder(self._folder.parent)
        path = self._path(order)
        unfinished = path.with_name(f"{path.name}.unfinished")
        with unfinished.open("wb") as file:
            file.write(_encoder.encode(order))
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
        _sync_folder(self._folder)

    def _read(self, under_way: Container[UUID]) -> list[Kept]:
        if not self._folder.is_dir():
            return []
        paths = sorted(path for path in self._folder.iterdir() if path.suffix in _decoders)
        following = bisect(paths, self._last_handed_out, key=lambda path: path.name)
        read = ((path, _order_in(path)) for path in (*paths[following:], *paths[:following]))
        due = ((path, order) for path, order in read if order is not None and _is_due(order, path, under_way))
        chosen = list(islice(due, AT_ONCE))
        self._last_handed_out = chosen[-1][0].name if chosen else ""
        return [order for _, order in sorted(chosen, key=itemgetter(0))]


def _sync_folder(folder: Path) -> None:
    """A file is there after a power cut only if its name is on the disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _disk_faults(deed: str) -> Iterator[None]:
    """To the engine, a disk that does not do its part is books that are away."""
    try:
        yield
    except OSError as error:
        logger.exception("the disk could not %s", deed)
        raise BooksAway from error


def _call_of(order: Kept) -> UUID:
    return order.id if isinstance(order, Hold) else order.entry.id


def _is_due(order: Kept, path: Path, under_way: Container[UUID]) -> bool:
    """A hold whose call ended meanwhile lost its file before its id was gone from those under way."""
    return isinstance(order, Settlement) or (order.id not in under_way and path.exists())


def _order_in(path: Path) -> Kept | None:
    """What a file holds; one that cannot be read is set aside for people to look at."""
    try:
        return _decoders[path.suffix].decode(path.read_bytes())
    except FileNotFoundError:  # another process was quicker
        return None
    except msgspec.DecodeError:
        path.rename(path.with_suffix(".unreadable"))
        logger.error("%s cannot be read, and is set aside", path.name)
        return None
