"""Changes the price book the only way it can be changed: by closing a row and opening the next."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from providers.models import Price, Provider
from tenants.models import Tenant


def price_supersede(
    *,
    model: str,
    meter: str,
    pico_per_unit: int,
    side: str = Price.Side.COST,
    provider: Provider | None = None,
    tenant: Tenant | None = None,
    context_above: int | None = None,
    service_tier: str = "",
    region: str = "",
    source: str = "",
    at: datetime | None = None,
) -> Price | None:
    """Let a price hold from a moment on, now if none is given; answer None where it holds already."""
    moment = at or timezone.now()
    following = Price(
        model=model,
        meter=meter,
        pico_per_unit=pico_per_unit,
        side=side,
        provider=provider,
        tenant=tenant,
        context_above=context_above,
        service_tier=service_tier,
        region=region,
        source=source,
        valid_from=moment,
    )
    following.full_clean()
    with transaction.atomic():
        current = price_open_row(following)
        if current is not None:
            if current.pico_per_unit == pico_per_unit and current.valid_from <= moment:
                return None
            price_close(price=current, at=moment)
        following.save(force_insert=True)
    return following


def price_close(*, price: Price, at: datetime) -> None:
    """End an open price; one that has not begun may end where it begins, and then never holds."""
    if at < price.valid_from:
        raise ValidationError(f"The price begins at {price.valid_from:%Y-%m-%d %H:%M}, after that moment.")
    price.valid_until = at
    price.save(update_fields=["valid_until"])


def price_open_row(price: Price) -> Price | None:
    """The row of the same terms that has no end yet, kept as it is until the transaction ends."""
    return (
        Price.objects.select_for_update()
        .filter(
            model=price.model,
            meter=price.meter,
            side=price.side,
            provider=price.provider,
            tenant=price.tenant,
            context_above=price.context_above,
            service_tier=price.service_tier,
            region=price.region,
            valid_until=None,
        )
        .first()
    )
