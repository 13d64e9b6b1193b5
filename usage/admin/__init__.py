"""Pages to read the ledger and the calls in flight; nothing here writes."""

from usage.admin import holds, ledger

__all__ = ("holds", "ledger")
