"""Which model is meant, whether the key may use it, and whose accounts a call moves."""

from typing import Any

import pytest
from msgspec.structs import replace

from gateway.accounts import Account, Refusal
from gateway.errors import (
    BudgetExceeded,
    ConcurrencyLimited,
    Forbidden,
    GatewayError,
    InvalidRequest,
    RateLimited,
    UnknownModel,
)
from gateway.ids import uuid7
from gateway.principal import EndUser
from gateway.steps.admit import accounts_of, choose_model, may_use, refuse
from tests.support.clock import FakeClock
from tests.support.engine import (
    Rig,
    make_account,
    make_ask,
    make_deployment,
    make_model,
    make_principal,
    make_snapshot,
)
from tests.support.script import (
    completes,
)

SNAPSHOT = make_snapshot(
    make_model(name="gpt-4o"),
    make_model(name="embedder", kind="embedding"),
    make_model(make_deployment(upstream="*"), name="any/*"),
    aliases={"small": "gpt-4o"},
    defaults={"chat": "gpt-4o"},
)


def _chosen(name: str, clock: FakeClock, **principal: Any) -> str:
    call = Rig(completes(), clock=clock).call(make_ask(model=name))
    return choose_model(call, make_principal(**principal), SNAPSHOT).name


async def test_a_model_is_named_else_the_tenants_default_else_the_platforms(clock: FakeClock) -> None:
    assert _chosen("small", clock) == "gpt-4o"
    assert _chosen("", clock) == "gpt-4o"
    assert _chosen("", clock, default_models={"chat": "any/llama"}) == "any/llama"


async def test_without_a_default_a_model_must_be_named(clock: FakeClock) -> None:
    call = Rig(completes(), clock=clock).call(replace(make_ask(model=""), kind="embedding"))
    with pytest.raises(InvalidRequest, match="Name a model"):
        choose_model(call, make_principal(), SNAPSHOT)


async def test_a_forbidden_model_sounds_like_one_that_is_not_there(clock: FakeClock) -> None:
    told = []
    for name in ("gpt-4o", "nowhere"):
        with pytest.raises(UnknownModel) as unknown:
            _chosen(name, clock, models=("any/*",))
        told.append(unknown.value.message.replace(name, "?"))
    assert told[0] == told[1]


async def test_a_model_of_another_kind_is_refused(clock: FakeClock) -> None:
    with pytest.raises(InvalidRequest, match="does not serve chat"):
        _chosen("embedder", clock)


def test_a_key_may_use_models_by_any_of_their_names() -> None:
    model = make_model(name="gpt-4o")
    assert may_use(make_principal(), model, "anything")
    assert may_use(make_principal(models=("small",)), model, "small")
    assert may_use(make_principal(models=("gpt-*",)), model, "small")
    assert not may_use(make_principal(models=("gpt-4",)), model, "small")


def test_each_end_user_has_counters_of_their_own() -> None:
    template = make_account("requests", id="class:requests")
    principal = make_principal(make_account(), user_accounts=(template,))
    alice, bob = EndUser(id=uuid7()), EndUser(id=uuid7(), accounts=(make_account("tokens", id="bobs"),))
    assert [one.id for one in accounts_of(principal, alice, make_model())] == [
        "tenant:nano:total",
        f"class:requests:{alice.id.hex}",
    ]
    assert [one.id for one in accounts_of(principal, bob, make_model())] == ["tenant:nano:total", "bobs"]
    with pytest.raises(Forbidden):
        accounts_of(principal, EndUser(id=uuid7(), blocked=True), make_model())


def test_a_models_own_account_counts_only_its_calls() -> None:
    principal = make_principal(make_account(), make_account(id="gpt", model="gpt-*"))
    assert [one.id for one in accounts_of(principal, None, make_model(name="gpt-4o"))] == [
        "tenant:nano:total",
        "gpt",
    ]
    assert len(accounts_of(principal, None, make_model(name="llama"))) == 1


@pytest.mark.parametrize(
    ("account", "kind", "told"),
    [
        (
            make_account("requests", window="minute"),
            RateLimited,
            "limit of requests per minute of tenant 'acme'",
        ),
        (make_account("tokens", window="day", scope="end_user"), RateLimited, "per day of end user 'acme'"),
        (make_account("nano", window="month"), BudgetExceeded, "budget per month of tenant 'acme'"),
        (
            make_account("concurrency", window="none"),
            ConcurrencyLimited,
            "limit of concurrent calls of tenant",
        ),
    ],
)
def test_a_refusal_names_the_account(account: Account, kind: type[GatewayError], told: str) -> None:
    error = refuse(Refusal(account=account, retry_ms=1_500))
    assert type(error) is kind
    assert told in error.message
    assert error.retry_after == 1.5


def test_a_budget_without_an_end_sends_nobody_away_for_ages() -> None:
    told = refuse(Refusal(account=make_account("nano", window="total"), retry_ms=1 << 53)).retry_after
    assert told is None or told <= 31 * 86_400
