"""The command prints the entries that were asked for, in order, under the names that the API has."""

import json
from datetime import UTC, datetime

import pytest
from django.core.management.base import CommandError
from django.utils import timezone

from gateway.ids import first_id, uuid7
from tenants.models import Tenant
from tests import factories
from tests.support.configuration import printed, watched
from usage.management.commands import ledger
from usage.models import LedgerEntry
from usage.rendering import entry_fields

FIELDS = [
    "id",
    "at",
    "request_id",
    "tenant",
    "project",
    "key",
    "end_user",
    "dialect",
    "kind",
    "status",
    "model_asked",
    "model",
    "provider",
    "deployment",
    "meters",
    "cost_nano",
    "charge_nano",
    "lines",
    "price_version",
    "estimated",
    "attempts",
    "latency_ms",
    "ttft_ms",
    "overhead_ms",
    "sensitivity",
    "tags",
    "corrects",
]

PERSON, MENDED = uuid7(), uuid7()
WRITTEN: dict[str, object] = {
    "project": "search",
    "key": "app",
    "model_asked": "small",
    "model": "gpt-4o-mini",
    "provider": "echo",
    "deployment": "echo/gpt-4o-mini",
    "meters": {"input": 12, "output": 3},
    "lines": [{"meter": "input", "units": 12}],
    "price_version": "p1",
    "attempts": [{"deployment": "echo/gpt-4o-mini"}],
    "latency_ms": 80,
    "ttft_ms": 20,
    "tags": {"team": "search"},
}

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_database")]


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 6, 15, 12, tzinfo=UTC))


def entry(tenant: Tenant, when: str, **fields: object) -> LedgerEntry:
    moment = datetime.fromisoformat(when).replace(tzinfo=UTC)
    return factories.make_entry(tenant, uuid7(round(moment.timestamp() * 1000)), at=moment, **fields)


def asked(*arguments: str) -> list[str]:
    """The request ids of what is printed."""
    return [json.loads(line)["request_id"] for line in printed("ledger", *arguments).splitlines()]


def test_an_entry_has_its_fields_in_their_order() -> None:
    made = entry(
        factories.make_tenant(), "2026-06-14T10:00:00.250", **WRITTEN, end_user_id=PERSON, corrects=MENDED
    )
    (line,) = printed("ledger").splitlines()
    told = json.loads(line)
    assert list(told) == FIELDS
    assert told == WRITTEN | {
        "id": str(made.id),
        "at": "2026-06-14T10:00:00.250000Z",
        "request_id": "req-1",
        "tenant": "acme",
        "end_user": str(PERSON),
        "dialect": "openai",
        "kind": "chat",
        "status": "settled",
        "cost_nano": 1_000,
        "charge_nano": 1_100,
        "sensitivity": "",
        "estimated": False,
        "corrects": str(MENDED),
        "overhead_ms": 0.0,
    }


def test_the_gateways_own_time_is_told_in_milliseconds() -> None:
    assert (
        entry_fields(entry(factories.make_tenant(), "2026-06-14", overhead_us=1_234))["overhead_ms"] == 1.234
    )


def test_what_is_absent_is_null() -> None:
    told = entry_fields(entry(factories.make_tenant(), "2026-06-14"))
    assert (told["end_user"], told["corrects"], told["ttft_ms"]) == (None, None, None)


def test_entries_come_oldest_first() -> None:
    tenant = factories.make_tenant()
    for day in ("14", "12", "13"):
        entry(tenant, f"2026-06-{day}", request_id=day)
    assert asked() == ["12", "13", "14"]


@pytest.mark.parametrize(
    ("arguments", "days"),
    [
        (("--since", "2026-06-13"), ["13", "14"]),
        (("--until", "2026-06-13"), ["12"]),
        (("--since", "2026-06-12T00:00:01Z", "--until", "2026-06-14"), ["13"]),
        (("--since", "2026-06-13T02:00:00+02:00"), ["13", "14"]),
        (("--since", "36h"), ["14"]),
        (("--since", "3d", "--until", "2160m"), ["13"]),
        (("--since", "1w"), ["12", "13", "14"]),
        (("--since", "12h"), []),
        (("--request", "13"), ["13"]),
    ],
)
def test_dates_and_requests_choose(arguments: tuple[str, ...], days: list[str]) -> None:
    tenant = factories.make_tenant()
    for day in ("12", "13", "14"):
        entry(tenant, f"2026-06-{day}", request_id=day)
    assert asked(*arguments) == days


def test_what_has_no_price_can_be_asked_for() -> None:
    tenant = factories.make_tenant()
    lines = {
        "priced": [{"meter": "input", "price": 7}],
        "unknown": [{"meter": "input", "price": 7}, {"meter": "unknown", "price": 0}],
        "bound": [{"meter": "bound", "price": 0}],
        "failed": [],
        "search": [{"meter": "search", "price": 0}, {"meter": "bound", "price": 0}],
    }
    for name, told in lines.items():
        entry(tenant, "2026-06-13", request_id=name, lines=told)
    assert set(asked("--unpriced")) == {"unknown", "search"}
    assert asked("--unpriced", "--since", "2026-06-14") == []
    assert len(asked()) == len(lines)


def test_a_date_is_a_bound_of_ids() -> None:
    with watched() as queries:
        printed("ledger", "--since", "2026-06-13")
    bound = first_id(round(datetime(2026, 6, 13, tzinfo=UTC).timestamp() * 1000))
    (query,) = [text["sql"] for text in queries.captured_queries if "usage_ledgerentry" in text["sql"]]
    assert bound.hex in query.replace("-", "")
    assert '"usage_ledgerentry"."at" >' not in query


def test_a_tenants_entries_alone_even_of_one_that_is_gone() -> None:
    acme, globex = factories.make_tenant(), factories.make_tenant("globex")
    entry(acme, "2026-06-14", request_id="ours")
    entry(globex, "2026-06-14", request_id="theirs")
    assert asked("--tenant", "acme") == ["ours"]
    globex.delete()
    assert asked("--tenant", "globex") == ["theirs"]
    with pytest.raises(CommandError, match="There is no tenant initech"):
        printed("ledger", "--tenant", "initech")


def test_entries_are_read_chunk_by_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "_CHUNK", 2)
    tenant = factories.make_tenant()
    wanted = [str(entry(tenant, f"2026-06-0{day}", request_id=str(day)).request_id) for day in range(1, 6)]
    assert asked() == wanted


@pytest.mark.parametrize("word", ["soon", "7x", "2026-13-01", "1e3h"])
def test_other_words_for_a_moment_are_refused(word: str) -> None:
    with pytest.raises(CommandError, match="is not a date"):
        printed("ledger", "--since", word)


def test_an_empty_ledger_prints_nothing() -> None:
    assert printed("ledger") == ""
