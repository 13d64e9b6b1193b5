"""The tables of the usage app."""

from usage.models.books import Claim, Counter, Hold
from usage.models.correction import Correction
from usage.models.entry import LedgerEntry
from usage.models.feedback import Feedback
from usage.models.response import KeptResponse
from usage.models.rollup import NOBODY, Rollup, TagRollup
from usage.models.statement import Statement

__all__ = (
    "NOBODY",
    "Claim",
    "Correction",
    "Counter",
    "Feedback",
    "Hold",
    "KeptResponse",
    "LedgerEntry",
    "Rollup",
    "Statement",
    "TagRollup",
)
