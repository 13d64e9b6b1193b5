"""A run of a client's program: what is set up for it, what it told, what the books and the provider say."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from tests.support.agent_scripts import answer_as_asked
from tests.support.anthropic_scripts import METERS, refuses
from tests.support.caller import Caller, fresh
from tests.support.gateway_server import Row
from tests.support.processes import ROOT, bare
from tests.support.provider_kinds import answer_any
from tests.support.provider_scripts import COMPLETION_TOKENS, PROMPT_TOKENS, fails
from tests.support.provider_stub import Heard, ProviderStub, Script, Turn
from tests.support.waiting import eventually

_LONGEST_SECONDS = 90.0
_WELL = ("chat", "stream", "tools", "schema", "schema_json", "growing")
_AT_ONCE = ("retry-after", "0")
_TOO_LONG = (
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
)
_TOO_LONG_PROMPT = "prompt is too long: 208310 tokens > 200000 maximum"
_QUIET = {
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_LOG": "CRITICAL",
    "LANGSMITH_TRACING": "false",
    "PYDANTIC_DISABLE_PLUGINS": "__all__",
    "NO_PROXY": "*",
}


@dataclass(frozen=True, kw_only=True)
class Face:
    """Which format a client speaks: its models, what the provider refuses in it, and what a call meters."""

    prefix: str
    limited: Script
    broken: Script
    too_long: Script
    meters: Mapping[str, int]


OPENAI = Face(
    prefix="stub",
    limited=fails(429, headers=[_AT_ONCE]),
    broken=fails(500),
    too_long=fails(400, message=_TOO_LONG, code="context_length_exceeded"),
    meters={"input": PROMPT_TOKENS, "output": COMPLETION_TOKENS},
)
ANTHROPIC = Face(
    prefix="claude",
    limited=refuses(429, "rate_limit_error", headers=[_AT_ONCE]),
    broken=refuses(500, "api_error"),
    too_long=refuses(400, "invalid_request_error", _TOO_LONG_PROMPT),
    meters=METERS,
)
ATTEMPTS = 3
"""How often the gateway itself goes to a provider for one call."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a program told, by situation; each situation has a model of its own."""

    told: Mapping[str, Mapping[str, Any]]
    models: Mapping[str, str]
    waited: float
    """Seconds between the last refusal of the rate limit and the call after it."""
    caller: Caller
    provider: ProviderStub

    def said(self, situation: str) -> Any:
        """What came of a call that works."""
        told = self.told[situation]
        assert "raised" not in told, told
        return told["said"]

    def raised(self, situation: str) -> tuple[str, int]:
        """What a call that fails raised: the name of it, and the status."""
        told = self.told[situation]
        assert "said" not in told, told
        return told["raised"], told["status"]

    def booked(self, situation: str, entries: int = 1) -> list[Row]:
        """The entries of its calls; so many must be there, and no more."""
        rows = eventually(lambda: found if len(found := self._rows(situation)) >= entries else [])
        assert len(rows) == entries, self._rows(situation)
        return rows

    def heard(self, situation: str) -> list[Heard]:
        """What reached the provider."""
        return self.provider.heard(self.models[situation].partition("/")[2])

    def _rows(self, situation: str) -> list[Row]:
        return [row for row in self.caller.entries() if row.model == self.models[situation]]


def ran(command: Sequence[str], *, face: Face, caller: Caller, provider: ProviderStub) -> Run:
    """Run a program to its end."""
    turns: list[float] = []
    models = _set_up(face, provider, turns)
    keys = {"own": caller.key, "poor": "poor-key-0000000001"}
    told = _told(command, {"url": caller.gateway.url, "keys": keys, "models": models})
    waited = turns[ATTEMPTS] - turns[ATTEMPTS - 1] if len(turns) > ATTEMPTS else 0.0
    return Run(told=told, models=models, waited=waited, caller=caller, provider=provider)


def _set_up(face: Face, provider: ProviderStub, turns: list[float]) -> dict[str, str]:
    """A model for each situation, and what the provider does there; the rate limit's turns are noted."""
    limited = [_timed(face.limited, turns)] * ATTEMPTS
    situations: dict[str, list[Script]] = {
        **{situation: [answer_as_asked] for situation in _WELL},
        "embedding": [answer_any],
        "retry": [*limited, _timed(answer_as_asked, turns)],
        "broken": [face.broken],
        "too_long": [face.too_long],
    }
    names = {situation: fresh(situation) for situation in situations}
    for situation, scripts in situations.items():
        provider.script(names[situation], *scripts)
    return {situation: f"{face.prefix}/{name}" for situation, name in names.items()}


def _told(command: Sequence[str], orders: Mapping[str, Any]) -> Any:
    """What a program writes; what it wrote besides is only looked at if it failed."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=bare(_QUIET),
        input=json.dumps(orders),
        capture_output=True,
        text=True,
        check=False,
        timeout=_LONGEST_SECONDS,
    )
    assert done.returncode == 0, f"{command} failed:\n{done.stdout[-2000:]}{done.stderr[-3000:]}"
    return json.loads(done.stdout)


def _timed(script: Script, turns: list[float]) -> Script:
    """The same, and when its turn came."""

    async def noting(turn: Turn) -> None:
        turns.append(monotonic())
        await script(turn)

    return noting
