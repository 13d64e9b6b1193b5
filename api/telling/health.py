"""How the gateway is, in full: for those it serves."""

from contextlib import suppress
from typing import Any

from api.telling.cache import tell_cache
from api.telling.database import ask_database
from api.telling.desk import Desk, Question
from api.telling.facts import HealthFact, LifeFact, Service
from api.telling.providers import list_providers
from gateway.errors import BooksAway
from usage.reports import Activity, activity_count

_WORDS = {"available": "healthy", "degraded": "degraded", "unavailable": "unhealthy"}


async def tell_life(desk: Desk, _: Question) -> LifeFact:
    """Whether the process lives."""
    return LifeFact(status="healthy", service=desk.service, version=desk.version)


async def tell_readiness(desk: Desk, _: Question) -> dict[str, Any]:
    """Whether it takes calls, and what is wrong where it does not."""
    health = await desk.health()
    status = "unavailable" if health.wrong else "ready"
    told = {"status": status, "service": desk.service, "version": desk.version, "wrong": health.wrong}
    return told | ({"degraded": health.degraded} if health.degraded else {}) | health.facts


def readiness_status(told: dict[str, Any]) -> int:
    """What load balancers go by."""
    return 503 if told["wrong"] else 200


async def tell_health(desk: Desk, question: Question) -> HealthFact:
    """Providers by this process's breakers, as of now; the limiter's figures are the tenant's own."""
    health, providers = await desk.health(), list_providers(desk, question)
    now = desk.clock.now()
    activity: Activity | None = None
    with suppress(BooksAway):
        activity = await ask_database(
            activity_count, tenant_id=question.principal.tenant_id, now_ms=desk.now_ms
        )
    is_well = not health.degraded and all(one.status == "available" for one in providers)
    service: Service = "unhealthy" if health.wrong else "healthy" if is_well else "degraded"
    return HealthFact(
        service=service,
        status=service,
        version=desk.version,
        uptime=round(desk.clock.monotonic() - desk.started, 3),
        providers={
            one.name: {
                "available": one.status != "unavailable",
                "status": _WORDS[one.status],
                "last_checked": now,
            }
            for one in providers
        },
        cache=await tell_cache(desk, question),
        rate_limiter=_limiter(activity),
        timestamp=now,
        wrong={**health.wrong, **health.degraded},
    )


def _limiter(activity: Activity | None) -> dict[str, Any]:
    return {
        "active_users": None if activity is None else activity.users,
        "global_requests_last_minute": None if activity is None else activity.calls,
    }
