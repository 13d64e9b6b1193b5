"""Settlements that the books could not take in time: each a file on this machine's disk, until they can.

An answer whose entry is here may go out. Another process may take the files up after this one died:
the books know an entry by its id, so that it is written once whoever brings it.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from uuid import UUID

import msgspec

from gateway.accounts import Settlement
from gateway.errors import BooksAway

AT_ONCE = 100
"""So many are taken up at a time: a long outage leaves more than a process should hold."""

_SUFFIX = ".settlement"

InLedger = Callable[[Sequence[UUID]], Awaitable[set[UUID]]]
"""Which of these entries the ledger has already."""

logger = logging.getLogger(__name__)

_encoder = msgspec.msgpack.Encoder(uuid_format="bytes")
_decoder = msgspec.msgpack.Decoder(Settlement)


class FileSpill:
    """A folder of settlements."""

    def __init__(self, folder: Path, *, in_ledger: InLedger) -> None:
        self._folder = folder
        self._in_ledger = in_ledger

    async def keep(self, settlement: Settlement) -> None:
        """Keep one; it is on the disk when this returns."""
        try:
            await asyncio.to_thread(self._write, settlement)
        except OSError as error:
            logger.exception("an entry could not be kept on disk: request %s", settlement.entry.request_id)
            raise BooksAway from error

    async def kept(self) -> Sequence[Settlement]:
        """The oldest that wait; those that reached the ledger by another way are forgotten here."""
        settlements = await asyncio.to_thread(self._read)
        if not settlements:
            return ()
        known = await self._in_ledger([one.entry.id for one in settlements])
        for settlement in settlements:
            if settlement.entry.id in known:
                await self.forget(settlement)
        return [one for one in settlements if one.entry.id not in known]

    async def forget(self, settlement: Settlement) -> None:
        """The books have it."""
        await asyncio.to_thread(self._path(settlement).unlink, missing_ok=True)

    def _path(self, settlement: Settlement) -> Path:
        return self._folder / f"{settlement.entry.id.hex}{_SUFFIX}"

    def _write(self, settlement: Settlement) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(settlement)
        unfinished = path.with_suffix(".unfinished")
        with unfinished.open("wb") as file:
            file.write(_encoder.encode(settlement))
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _read(self) -> list[Settlement]:
        if not self._folder.is_dir():
            return []
        paths = sorted(self._folder.glob(f"*{_SUFFIX}"))[:AT_ONCE]
        return [settlement for path in paths if (settlement := _settlement_in(path)) is not None]


def _settlement_in(path: Path) -> Settlement | None:
    """What a file holds; one that cannot be read is set aside for people to look at."""
    try:
        return _decoder.decode(path.read_bytes())
    except FileNotFoundError:  # another process was quicker
        return None
    except msgspec.DecodeError:
        path.rename(path.with_suffix(".unreadable"))
        logger.error("%s cannot be read, and is set aside", path.name)
        return None
