"""What one provider's format cannot say goes to another whose format can; if there is none, it is refused."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.call import Ask
from gateway.catalog import Deployment, Model
from gateway.errors import ProviderError, Untranslatable
from tests.support.clock import FakeClock
from tests.support.engine import BOUNDED, Rig, ask_of, make_deployment, make_model, make_provider
from tests.support.script import answers

SERVER_ERROR = answers(b'{"error":{"message":"secret of ours"}}', status=500)
VECTOR = answers(b'{"data":[{"embedding":[0.5]}],"usage":{"prompt_tokens":3,"total_tokens":3}}')
TOKENS = b'{"model":"m","input":[[1,2,3]]}'
"""Google's format embeds texts; OpenAI's takes their tokens too."""


def mute(name: str = "google") -> Deployment:
    """Cannot say it."""
    return make_deployment(name, provider=make_provider(name, wire="litellm"), upstream="gemini/m")


def tokens() -> Ask:
    return ask_of(TOKENS, kind="embedding")


def model_of(*deployments: Deployment, **fields: Any) -> Model:
    """They are asked in this order."""
    return make_model(
        *(replace(one, priority=at) for at, one in enumerate(deployments)), kind="embedding", **fields
    )


@pytest.mark.parametrize(
    ("own", "spare", "acts", "hosts"),
    [
        ([mute(), make_deployment("beta")], [], [VECTOR], ["beta"]),
        ([mute()], [make_deployment("spare")], [VECTOR], ["spare"]),
        ([mute("one"), mute("two")], [mute("three"), make_deployment("spare")], [VECTOR], ["spare"]),
        ([mute(), make_deployment("beta")], [], [SERVER_ERROR, VECTOR], ["beta", "beta"]),
        ([make_deployment("beta"), mute()], [], [SERVER_ERROR, VECTOR], ["beta", "beta"]),
    ],
    ids=[
        "the next",
        "a fallback",
        "a fallback's second",
        "it alone is asked again",
        "the ill one is asked again",
    ],
)
async def test_who_can_say_it_answers(
    own: Sequence[Deployment],
    spare: Sequence[Deployment],
    acts: Sequence[Any],
    hosts: Sequence[str],
    clock: FakeClock,
) -> None:
    models = [model_of(*own, fallbacks={"error": ("spare",)})]
    models += [model_of(*spare, name="spare")] if spare else []
    rig = Rig(*acts, clock=clock, models=models, accounts=BOUNDED)
    running = asyncio.create_task(rig.run(tokens()))
    await clock.turn(10)
    await running
    assert rig.script.hosts == hosts
    assert [attempt.outcome for attempt in rig.entry.attempts] == ["provider_error"] * (len(hosts) - 1) + [
        "ok"
    ]
    assert rig.entry.provider == hosts[-1]
    rig.assert_balanced()


async def test_where_nobody_can_it_is_refused_with_the_reason_and_costs_nothing(clock: FakeClock) -> None:
    models = [
        model_of(mute("one"), mute("two"), fallbacks={"any": ("spare",)}),
        model_of(mute(), name="spare"),
    ]
    rig = Rig(clock=clock, models=models, accounts=BOUNDED)
    with pytest.raises(Untranslatable, match="embeds texts") as failed:
        await rig.run(tokens())
    assert (failed.value.status, failed.value.code, failed.value.param) == (
        400,
        "invalid_request",
        "input",
    )
    assert (rig.script.hosts, rig.entry.attempts, clock.slept) == ([], (), [])
    assert (rig.entry.status, rig.entry.charge_nano) == ("failed", 0)
    rig.assert_balanced()


async def test_a_provider_that_failed_is_what_the_caller_hears_of(clock: FakeClock) -> None:
    rig = Rig(*[SERVER_ERROR] * 3, clock=clock, models=[model_of(make_deployment("beta"), mute())])
    running = asyncio.create_task(rig.run(tokens()))
    await clock.turn(30)
    with pytest.raises(ProviderError):
        await running
    assert rig.script.hosts == ["beta"] * 3


def response_with_a_tool_of_the_host() -> Ask:
    body = b'{"model":"m","input":"hello","tools":[{"type":"web_search"}]}'
    return ask_of(body, operation="response")


async def test_a_response_goes_to_who_has_responses_themselves(clock: FakeClock) -> None:
    able = make_deployment("able", provider=make_provider("able", has_responses=True))
    models = [make_model(make_deployment("alpha"), able)]
    rig = Rig(answers(b'{"output":[{}],"usage":{"input_tokens":1}}'), clock=clock, models=models)
    await rig.run(response_with_a_tool_of_the_host())
    assert (rig.script.hosts, rig.entry.provider) == (["able"], "able")
