"""Tokens counted in Anthropic's format: by the provider or here, and free."""

import pytest

from tests.api.conftest import Calling
from tests.support.anthropic_calls import COUNT, asked, only_heard, refused
from tests.support.anthropic_scripts import (
    COUNTED,
)
from tests.support.caller import Caller, fresh
from tests.support.provider_scripts import replies
from tests.support.provider_stub import ProviderStub
from tests.support.waiting import eventually


@pytest.fixture
def caller(calling: Calling) -> Caller:
    return calling("agent")


def test_a_count_that_a_provider_makes_takes_a_request_and_no_money(
    caller: Caller, provider: ProviderStub
) -> None:
    name, request = fresh("count"), fresh("count")
    answer = caller.post(asked(f"claude/{name}"), request, path=COUNT)
    assert (answer.status, answer.json()) == (200, {"input_tokens": COUNTED})
    assert answer.header("x-gateway-cost-usd") == "0.000000000"
    assert only_heard(provider, name).path == "/claude/v1/messages/count_tokens"
    row = caller.entry(request)
    assert (row.dialect, row.kind, row.status, row.provider) == ("anthropic", "count", "settled", "claude")
    assert (row.charge_nano, row.cost_nano, row.meters, bool(row.estimated)) == (0, 0, {}, False)
    assert eventually(caller.books_agree)
    left, limit = (answer.header(f"x-ratelimit-{what}-requests") for what in ("remaining", "limit"))
    assert int(left or 0) < int(limit or 0)


def test_who_has_no_money_left_may_count_all_the_same(calling: Calling) -> None:
    assert calling("spent").post(asked("claude/spent"), path=COUNT).status == 200


def test_a_count_that_fails_is_told_and_costs_nothing(caller: Caller, provider: ProviderStub) -> None:
    name, request = fresh("count"), fresh("count")
    provider.script(name, replies(b'{"tokens":7}'))
    answer = caller.post(asked(f"claude/{name}"), request, path=COUNT)
    refused(answer, 502, "api_error", "provider_malformed")
    row = caller.entry(request)
    assert (row.status, row.kind, row.charge_nano) == ("failed", "count", 0)


def test_what_no_provider_of_the_model_counts_is_counted_here(caller: Caller, provider: ProviderStub) -> None:
    name, request = fresh("here"), fresh("here")
    picture = {"type": "base64", "media_type": "image/png", "data": "iVBO" * 1_000}
    content = [{"type": "text", "text": "hello"}, {"type": "image", "source": picture}]
    tools = [{"name": "weather", "input_schema": {"type": "object"}}]
    plain = caller.post(asked(f"stub/{name}"), request, path=COUNT)
    messages = [{"role": "user", "content": content}]
    full = caller.post(asked(f"stub/{name}", system="be brief", tools=tools, messages=messages), path=COUNT)
    assert (plain.status, plain.header("x-gateway-provider")) == (200, "gateway")
    assert 0 < plain.json()["input_tokens"] < full.json()["input_tokens"] < 60
    assert provider.heard(name) == []
    row = caller.entry(request)
    assert (row.kind, row.status, row.provider, row.charge_nano) == ("count", "settled", "", 0)
    assert row.attempts == []
