"""Teams become tenants, and virtual keys open the doors that they opened before, and no others."""

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.call import Origin
from gateway.errors import GatewayError
from providers.configuration.apply import configuration_apply
from providers.configuration.plan import Plan
from providers.litellm_import.findings import Fate
from providers.litellm_import.translate import Imported
from tenants.directory import DatabaseDirectory
from tenants.models import ApiKey, Budget
from tests.support.clock import FakeClock
from tests.support.configuration import problems_of
from tests.support.litellm_files import TWO_MODELS, imported, reasons

KEY = "sk-made-up-by-litellm-0001"
TOKEN = hashlib.sha256(KEY.encode()).hexdigest()
TEAM = {"team_id": "t-1", "team_alias": "Search & Find", "models": ["one", "large"], "max_budget": 10}
GROUPED = (
    TWO_MODELS
    + "  - {model_name: big, litellm_params: {model: openai/b}, model_info: {access_groups: [large]}}\n"
)


def taken(*keys: dict[str, Any], teams: Any = None, text: str = TWO_MODELS) -> Imported:
    return imported(text, keys=[{"token": TOKEN, **key} for key in keys], teams=teams)


def key_of(result: Imported) -> dict[str, Any]:
    ((tenant, section),) = [(name, one) for name, one in result.sections["tenants"].items() if "keys" in one]
    (key,) = section["keys"]
    return {"tenant": tenant, **key}


def test_a_key_with_all_that_bounds_it() -> None:
    key = key_of(
        taken(
            {
                "key_alias": "nightly",
                "key_name": "sk-...0001",
                "models": ["one", "openai/gpt-*"],
                "max_budget": 12.5,
                "soft_budget": 10,
                "budget_duration": "7d",
                "rpm_limit": 60,
                "tpm_limit": "1000",
                "tpd_limit": 5,
                "max_parallel_requests": 3,
                "expires": "2031-01-01 00:00:00",
                "blocked": None,
                "model_max_budget": {"one": {"budget_limit": 1, "time_period": "1d"}},
            }
        )
    )
    assert key == {
        "tenant": "default",
        "name": "nightly",
        "sha256": TOKEN,
        "models": ["one", "openai/gpt-*"],
        "expires": "2031-01-01T00:00:00+00:00",
        "limits": {"rpm": 60, "tpm": 1000, "tpd": 5, "parallel": 3},
        "budgets": [
            {"amount": 12.5, "window": "week", "hard": True},
            {"amount": 10, "window": "week", "hard": False},
            {"amount": 1, "window": "day", "hard": True, "model": "one"},
        ],
    }


@pytest.mark.parametrize(("dollars", "amount"), [("1e25", "9007199.254740992"), ("1e-12", "0.000000001")])
def test_a_budget_is_what_can_be_counted(dollars: str, amount: str) -> None:
    key = key_of(taken({"max_budget": dollars, "budget_duration": "30d"}))
    assert [Decimal(one["amount"]) for one in key["budgets"]] == [Decimal(amount)]


@pytest.mark.parametrize(
    ("duration", "window", "is_told"),
    [
        (None, "total", False),
        ("1d", "day", False),
        ("24h", "day", False),
        ("7d", "week", False),
        ("30d", "month", True),
        ("1mo", "month", True),
        ("1h", "day", True),
        ("3d", "week", True),
        ("90d", "total", True),
        ("whenever", "total", True),
    ],
)
def test_a_window_is_never_wider(duration: str | None, window: str, is_told: bool) -> None:
    result = taken({"max_budget": 1, "budget_duration": duration})
    assert key_of(result)["budgets"][0]["window"] == window
    assert ("keys:[0].budget_duration" in reasons(result, Fate.CHANGED)) == is_told


@pytest.mark.parametrize(
    ("key", "team", "models"),
    [
        ([], [], None),
        (["one"], [], ["one"]),
        ([], ["one"], ["one"]),
        (["one", "two"], ["two"], ["two"]),
        (["all-team-models"], ["two"], ["two"]),
        (["all-proxy-models"], ["two"], ["two"]),
        (["openai/gpt-4"], ["openai/*"], ["openai/gpt-4"]),
        (["openai/*"], ["openai/gpt-4"], ["openai/gpt-4"]),
        (["large"], [], ["big"]),
        (["one"], ["large", "one"], ["one"]),
        (["one"], ["two"], "blocked"),
        (["gone"], [], "blocked"),
        (["no-default-models"], [], "blocked"),
        ([], ["gone"], "blocked"),
    ],
)
def test_a_key_reaches_what_it_reached_and_no_more(key: list[str], team: list[str], models: Any) -> None:
    team_row = {"team_id": "t-1", "models": team}
    told = key_of(taken({"team_id": "t-1", "models": key}, teams=[team_row], text=GROUPED))
    assert (told.get("models"), told.get("blocked")) == (
        (None, True) if models == "blocked" else (models, None)
    )


@pytest.mark.parametrize(
    "column",
    [
        {"budget_id": "b-1"},
        {"budget_limits": [{"budget_limit": 1}]},
        {"allowed_routes": ["/embeddings"]},
        {"key_type": "management"},
        {"metadata": {"model_rpm_limit": {"one": 3}}},
        {"rpm_limit": "many"},
        {"max_budget": -1},
        {"model_max_budget": {"gone": {"budget_limit": 1}}},
        {"blocked": True},
        {"blocked": "perhaps"},
    ],
)
def test_a_bound_that_cannot_be_taken_blocks_the_key(column: dict[str, Any]) -> None:
    assert key_of(taken(column))["blocked"] is True


@pytest.mark.parametrize(
    "column", [{"allowed_routes": ["llm_api_routes"]}, {"key_type": "default"}, {"blocked": "f"}]
)
def test_what_bounds_nothing_does_not_block(column: dict[str, Any]) -> None:
    assert "blocked" not in key_of(taken(column))


@pytest.mark.parametrize(
    "row", [{"token": KEY}, {"token": ""}, {"expires": "soon"}, {"token": TOKEN + "0"}, {"token": ["x"]}]
)
def test_a_row_that_is_no_key_is_left(row: dict[str, Any]) -> None:
    result = taken(row)
    assert "tenants" not in result.sections
    assert list(reasons(result, Fate.LEFT)) == ["keys:[0]"]
    assert KEY not in repr(result.findings)


def test_one_token_is_one_key() -> None:
    result = taken({"key_alias": "a"}, {"key_alias": "b"})
    assert key_of(result)["name"] == "a"
    assert list(reasons(result, Fate.LEFT)) == ["keys:[1]"]


def test_a_team_is_a_tenant_with_its_bounds() -> None:
    result = taken({"team_id": "t-1"}, teams=[TEAM | {"rpm_limit": 5, "members": ["charlie"]}], text=GROUPED)
    tenant = result.sections["tenants"]["Search-Find"]
    assert (tenant["title"], tenant["limits"]) == ("Search & Find", {"rpm": 5})
    assert tenant["budgets"] == [{"amount": 10, "window": "total", "hard": True}]
    assert tenant["keys"][0]["models"] == ["one", "big"]
    assert "teams:[0].members" in reasons(result, Fate.LEFT)


def test_a_team_that_is_not_given_is_told_of() -> None:
    result = taken({"team_id": "t-9"})
    assert key_of(result)["tenant"] == "t-9"
    assert any("--teams" in note for note in result.notes)


def test_tables_are_read_as_postgresql_exports_them() -> None:
    table = (
        "token,key_alias,models,metadata,max_budget,blocked,expires,spend,created_at\n"
        f'{TOKEN},app,"{{one,""openai/gpt-4""}}","{{}}",5,f,2031-01-01 00:00:00.123,0,2026-01-01\n'
    )
    result = imported(TWO_MODELS, keys=table)
    key = key_of(result)
    assert (key["name"], key["models"]) == ("app", ["one", "openai/gpt-4"])
    assert key["expires"] == "2031-01-01T00:00:00.123000+00:00"
    assert result.of(Fate.LEFT) == []


def test_a_listing_of_the_proxy_is_read_too() -> None:
    result = imported(TWO_MODELS, keys={"keys": [{"token": TOKEN}], "total_count": 1})
    assert key_of(result)["sha256"] == TOKEN


def test_what_was_spent_is_told_and_nothing_of_nothing() -> None:
    assert "keys:[0].spend" in reasons(taken({"spend": 3.5}), Fate.LEFT)
    assert taken({"spend": 0.0}).of(Fate.LEFT) == []


def test_the_master_key_calls_for_nobodys_tenant() -> None:
    result = imported(f"{TWO_MODELS}general_settings: {{master_key: {KEY}}}\n")
    assert key_of(result) == {"tenant": "default", "name": "master", "sha256": TOKEN}
    assert KEY not in result.text()
    named = f"{TWO_MODELS}general_settings: {{master_key: os.environ/MASTER}}\n"
    assert key_of(imported(named, environ={"MASTER": KEY}))["secret"] == "env:MASTER"
    assert "set it and import again" in reasons(imported(named), Fate.LEFT)["general_settings.master_key"]


def test_the_proxys_budget_and_cache_are_the_only_tenants() -> None:
    settings = "{max_budget: 5, budget_duration: 1d, cache: true, cache_params: {ttl: 60}}"
    text = f"{TWO_MODELS}litellm_settings: {settings}\n"
    tenant = imported(text, keys=[{"token": TOKEN}]).sections["tenants"]["default"]
    assert tenant["budgets"] == [{"amount": 5, "window": "day", "hard": True}]
    assert tenant["policy"] == {"cache": "all", "cache_seconds": 60}
    several = imported(text, keys=[{"token": TOKEN}], teams=[TEAM])
    assert "litellm_settings.max_budget" in reasons(several, Fate.LEFT)


def applied(result: Imported) -> Plan:
    return configuration_apply(text=result.text())


async def caller(key: str) -> str:
    clock = FakeClock(datetime.now(UTC).timestamp())
    directory = DatabaseDirectory(clock=clock, revision=lambda: 1)
    return (await directory.identify(Origin(credential=key, request_id="r"))).tenant


@pytest.mark.django_db(transaction=True)
class TestApplied:
    """Against the database."""

    async def test_a_key_that_only_its_holder_knows_opens_the_door(self) -> None:
        from channels.db import database_sync_to_async as in_database

        await in_database(applied)(taken({"team_id": "t-1", "key_alias": "app"}, teams=[TEAM], text=GROUPED))
        assert await caller(KEY) == "Search-Find"
        with pytest.raises(GatewayError):
            await caller(TOKEN)

    async def test_a_blocked_key_does_not(self) -> None:
        from channels.db import database_sync_to_async as in_database

        await in_database(applied)(taken({"budget_id": "b"}))
        with pytest.raises(GatewayError):
            await caller(KEY)

    def test_it_is_issued_once_and_never_shown(self) -> None:
        result = taken({"key_alias": "app", "max_budget": 1})
        assert applied(result).issued == []
        again = applied(result)
        assert not again.changes
        key = ApiKey.objects.get()
        assert (key.prefix, key.last_four) == ("", "")
        assert Budget.objects.get().key == key

    def test_another_hash_takes_its_place(self) -> None:
        applied(taken({"key_alias": "app"}))
        other = hashlib.sha256(b"sk-other").hexdigest()
        applied(taken({"key_alias": "app", "token": other}))
        assert ApiKey.objects.filter(grace_until=None).count() == 1
        assert ApiKey.objects.count() == 2

    def test_the_file_says_a_secret_or_its_hash(self) -> None:
        both = f"tenants: {{a: {{keys: [{{name: k, secret: x, sha256: '{TOKEN}'}}]}}}}"
        assert problems_of(both) == ["tenants.a.keys[0].secret: write the secret or its sha256, not both"]
        twice = f"tenants: {{a: {{keys: [{{name: k, sha256: '{TOKEN}'}}, {{name: l, sha256: '{TOKEN}'}}]}}}}"
        assert "this secret stands at tenants.a.keys[0].secret too" in problems_of(twice)[0]
        assert "sha256" in problems_of("tenants: {a: {keys: [{name: k, sha256: abc}]}}")[0]
