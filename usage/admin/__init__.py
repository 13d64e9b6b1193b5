"""Pages to read the ledger, its corrections and the calls in flight, and to have an entry mended."""

from usage.admin import corrections, holds, ledger

__all__ = ("corrections", "holds", "ledger")
