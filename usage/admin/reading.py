"""What all pages of the ledger share: they only read, and they never count."""

from datetime import UTC, datetime
from typing import Any, TypeVar

from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone

from tenants.scoping import TenantScopedAdmin
from tenants.unfolded import UncountedPaginator

_Row = TypeVar("_Row", bound=Model)


class ReadOnlyAdmin(TenantScopedAdmin[_Row]):
    """Rows that the gateway writes and nobody else."""

    paginator = UncountedPaginator
    show_full_result_count = False
    actions = None
    list_per_page = 50
    list_fullwidth = True
    sortable_by = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        """The gateway adds rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Rows stay as they were written."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Rows stay."""
        return False


def moment_text(moment: datetime) -> str:
    """A moment to the second, as logs print it."""
    return unbroken(f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S}")


def unbroken(text: str) -> str:
    """The text in one line, however narrow its column."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def moment_at(milliseconds: int) -> datetime:
    """The moment of a count of milliseconds since 1970."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
