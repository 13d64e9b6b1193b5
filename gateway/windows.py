"""When a window of a limit or budget begins and ends, in the tenant's own time zone."""

from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Window = Literal["second", "minute", "hour", "day", "week", "month", "total", "none"]

ENDLESS_MS = 1 << 53
"""The end of a window that has none; still exact as a double."""

_RATE_MS = {"second": 1_000, "minute": 60_000, "hour": 3_600_000}


def window_bounds(window: Window, zone: str, now_ms: int, length_ms: int = 0) -> tuple[int, int]:
    """Start and end, in milliseconds, of the window that a first call at `now_ms` opens.

    Rates run from that call (so no boundary lets twice the limit through); days, weeks and
    months follow the calendar of the zone, where a day may last 23 or 25 hours.
    """
    if length_ms or window in _RATE_MS:
        return now_ms, now_ms + (length_ms or _RATE_MS[window])
    if window in ("total", "none"):
        return 0, ENDLESS_MS
    local = datetime.fromtimestamp(now_ms / 1000, ZoneInfo(zone))
    start = _calendar_start(window, local)
    return _milliseconds(start), _milliseconds(_calendar_next(window, start))


def _calendar_start(window: Window, local: datetime) -> datetime:
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if window == "week":
        return midnight - timedelta(days=midnight.weekday())
    return midnight.replace(day=1) if window == "month" else midnight


def _calendar_next(window: Window, start: datetime) -> datetime:
    if window == "month":
        return (start + timedelta(days=31)).replace(day=1)
    return start + timedelta(days=7 if window == "week" else 1)


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
