"""What operators say of a deployment's breaker."""

from typing import Literal

from django.db import transaction
from django.utils import timezone

from providers.health import health_close
from providers.models import Deployment

BreakerWord = Literal["open", "closed", "auto"]
"""Hold it open; close it and forget what went wrong; or leave it to itself."""


def breaker_set(*, deployment: Deployment, state: BreakerWord) -> None:
    """Do as an operator says: it is in force on every machine within a second."""
    with transaction.atomic():
        deployment.held_open = state == "open"
        fields = ["held_open"]
        if state == "closed":
            deployment.breaker_closed_at = timezone.now()
            fields.append("breaker_closed_at")
            health_close(deployment=deployment, by="operator")
        deployment.save(update_fields=fields)


def breaker_state(deployment: Deployment) -> str:
    """How it is, as its rows tell: `held open`, `open` with how much of it, or `closed`."""
    if deployment.held_open:
        return "held open"
    since = deployment.breaker_closed_at
    rows = [row for row in deployment.health.all() if row.status == row.Status.OPEN]
    ill = [row for row in rows if since is None or row.opened_at is None or row.opened_at > since]
    return "open" if ill else "closed"
