"""What tells one price from another, and which prices hold."""

from datetime import datetime
from typing import Any

from django.db.models import Q
from msgspec import Struct

from providers.models import Price, Provider
from tenants.models import Tenant


class Terms(Struct, frozen=True, kw_only=True):
    """All that tells one price from another that holds at the same time."""

    provider: Provider | None
    model: str
    tenant: Tenant | None = None
    side: str = Price.Side.COST.value
    meter: str
    context_above: int | None = None
    service_tier: str = ""
    region: str = ""

    def __str__(self) -> str:
        conditions = [
            f"above {self.context_above}" if self.context_above else "",
            self.service_tier,
            self.region,
            f"for tenant {self.tenant}" if self.tenant else "",
            "sell" if self.side == Price.Side.SELL else "",
        ]
        told = ", ".join(filter(None, conditions))
        owner = f"{self.provider}/{self.model}" if self.provider else self.model
        return f"price of {owner} {self.meter}" + (f" ({told})" if told else "")

    @property
    def parts(self) -> dict[str, Any]:
        """The columns of a price row."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


class PriceList(Struct, frozen=True, kw_only=True):
    """The price book at a moment."""

    in_force: dict[Terms, Price]
    planned: frozenset[Terms]

    def is_planned(self, terms: Terms) -> bool:
        """Whether a later change stands in the book already, before which no other fits in."""
        row = self.in_force.get(terms)
        return terms in self.planned or (row is not None and row.valid_until is not None)


def prices_listed(*, at: datetime) -> PriceList:
    """The prices that hold at a moment, and the terms of those that begin later."""
    rows = Price.objects.select_related("provider", "tenant")
    current = rows.filter(Q(valid_until=None) | Q(valid_until__gt=at), valid_from__lte=at)
    planned = rows.filter(Q(valid_until=None) | Q(valid_until__gt=at), valid_from__gt=at)
    return PriceList(
        in_force={price_terms(row): row for row in current},
        planned=frozenset(price_terms(row) for row in planned),
    )


def price_terms(row: Price) -> Terms:
    """The terms of a row."""
    return Terms(**{name: getattr(row, name) for name in Terms.__struct_fields__})
