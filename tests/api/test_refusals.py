"""A used-up account: 429 that names it and says when to come back, and nothing is charged."""

from tests.api.conftest import Calling
from tests.support.caller import fresh, hello
from tests.support.provider_scripts import replies
from tests.support.provider_stub import ProviderStub
from tests.support.raw_http import Answer, Line
from tests.support.refusals import refused
from tests.support.small_configurations import INPUT_NANO
from tests.support.waiting import eventually

MONTH_SECONDS = 31 * 24 * 3600


def pause(answer: Answer) -> int:
    """When to come back, which must make sense."""
    seconds = int(answer.header("retry-after") or "")
    assert 1 <= seconds <= MONTH_SECONDS
    return seconds


def test_a_call_that_its_budget_could_not_pay_is_refused(calling: Calling, provider: ProviderStub) -> None:
    poor, name = calling("poor"), fresh("poor")
    answer = poor.chat(f"stub/{name}")
    error = refused(answer, 429, "budget_exceeded")
    assert error["type"] == "insufficient_quota"
    assert "budget" in error["message"]
    assert "'poor'" in error["message"]
    assert pause(answer)
    assert (poor.entries(), provider.heard(name)) == ([], [])
    assert poor.books_agree()


def test_a_call_too_many_is_refused(calling: Calling, provider: ProviderStub) -> None:
    rare, name, first = calling("rare"), fresh("rare"), fresh("rare")
    assert rare.chat(f"stub/{name}", first).status == 200
    answer = rare.chat(f"stub/{name}")
    error = refused(answer, 429, "rate_limited")
    assert "requests per day of tenant 'rare'" in error["message"]
    assert pause(answer) <= 24 * 3600
    assert len(provider.heard(name)) == 1
    assert rare.entry(first).status == "settled"
    assert [row.request_id for row in rare.entries()] == [first]


def test_a_prompt_that_does_not_fit_the_tokens_left_is_refused(
    calling: Calling, provider: ProviderStub
) -> None:
    brief, name = calling("brief"), fresh("brief")
    answer = brief.chat(f"stub/{name}")
    assert "tokens per minute of tenant 'brief'" in refused(answer, 429, "rate_limited")["message"]
    assert pause(answer) <= 60
    assert (brief.entries(), provider.heard(name)) == ([], [])


def test_one_call_at_a_time_means_one(calling: Calling, provider: ProviderStub) -> None:
    single, name, first = calling("single"), fresh("single"), fresh("single")
    provider.script(name, replies(b'{"choices":[{}],"usage":{"prompt_tokens":1}}', gated=True))
    with Line(single.gateway.port) as line:
        line.send(single.request(hello(f"stub/{name}"), first))
        assert provider.wait_for(lambda: bool(provider.heard(name)))
        answer = single.chat(f"stub/{name}")
        assert "concurrent calls of tenant 'single'" in refused(answer, 429, "concurrency_limited")["message"]
        assert pause(answer) == 1
        provider.gate(name).open(2)
        assert line.answer().status == 200
    assert single.chat(f"stub/{name}").status == 200
    assert single.entry(first).charge_nano == INPUT_NANO
    assert eventually(lambda: len(single.entries()) == 2)
    assert eventually(single.books_agree)
