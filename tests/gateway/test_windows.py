"""Windows follow the tenant's own calendar, daylight saving included."""

from datetime import UTC, datetime

import hypothesis.strategies as st
import pytest
from hypothesis import given

from gateway.windows import ENDLESS_MS, Window, window_bounds

HOUR = 3_600_000
DAY = 24 * HOUR


def _at(text: str) -> int:
    return round(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("window", "zone", "now", "start", "hours"),
    [
        ("day", "UTC", "2026-01-15T12:00:00+00:00", "2026-01-15T00:00:00+00:00", 24),
        ("day", "Europe/Berlin", "2026-03-29T12:00:00+02:00", "2026-03-29T00:00:00+01:00", 23),
        ("day", "Europe/Berlin", "2026-10-25T12:00:00+01:00", "2026-10-25T00:00:00+02:00", 25),
        ("day", "Asia/Kolkata", "2026-01-15T00:10:00+05:30", "2026-01-15T00:00:00+05:30", 24),
        ("day", "America/Havana", "2026-11-01T00:30:00-05:00", "2026-11-01T00:00:00-04:00", 25),
        ("day", "America/Santiago", "2026-09-06T12:00:00-03:00", "2026-09-06T01:00:00-03:00", 23),
        ("week", "Europe/Berlin", "2026-03-29T12:00:00+02:00", "2026-03-23T00:00:00+01:00", 167),
        ("week", "UTC", "2026-01-01T00:00:00+00:00", "2025-12-29T00:00:00+00:00", 168),
        ("month", "Europe/Berlin", "2026-03-31T23:59:59+02:00", "2026-03-01T00:00:00+01:00", 31 * 24 - 1),
        ("month", "America/New_York", "2026-11-15T00:00:00-05:00", "2026-11-01T00:00:00-04:00", 30 * 24 + 1),
        ("month", "UTC", "2028-02-29T00:00:00+00:00", "2028-02-01T00:00:00+00:00", 29 * 24),
        ("month", "Pacific/Auckland", "2026-01-31T23:00:00+13:00", "2026-01-01T00:00:00+13:00", 31 * 24),
    ],
)
def test_days_weeks_and_months_begin_at_midnight_there(
    window: Window, zone: str, now: str, start: str, hours: int
) -> None:
    begins, ends = window_bounds(window, zone, _at(now))
    assert (begins, ends - begins) == (_at(start), hours * HOUR)


@pytest.mark.parametrize(("window", "length"), [("second", 1_000), ("minute", 60_000), ("hour", HOUR)])
def test_rates_run_from_the_first_call(window: Window, length: int) -> None:
    assert window_bounds(window, "UTC", 1_234_567) == (1_234_567, 1_234_567 + length)


def test_a_burst_runs_as_long_as_it_says() -> None:
    assert window_bounds("second", "UTC", 1_000, 15_000) == (1_000, 16_000)


@pytest.mark.parametrize("window", ["total", "none"])
def test_a_window_without_an_end_is_one_for_ever(window: Window) -> None:
    assert window_bounds(window, "UTC", 1) == window_bounds(window, "UTC", 1 << 50) == (0, ENDLESS_MS)


ZONES = ["UTC", "Europe/Berlin", "America/New_York", "America/Havana", "America/Santiago", "Africa/Cairo"]
ZONES += ["Asia/Kathmandu", "Asia/Beirut", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Kiritimati"]
moments = st.integers(_at("2015-01-01T00:00:00+00:00"), _at("2037-01-01T00:00:00+00:00"))
calendar: st.SearchStrategy[Window] = st.sampled_from(["day", "week", "month"])


@given(calendar, st.sampled_from(ZONES), moments)
def test_windows_follow_each_other_without_gap_or_overlap(window: Window, zone: str, now: int) -> None:
    start, end = window_bounds(window, zone, now)
    assert start <= now < end
    assert window_bounds(window, zone, start) == (start, end)
    assert window_bounds(window, zone, end - 1) == (start, end)
    assert window_bounds(window, zone, end)[0] == end
