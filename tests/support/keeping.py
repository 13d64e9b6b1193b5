"""A gateway that keeps answers, on ports in memory."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.caching.meanings import MemoryMeanings
from gateway.caching.memory import MemoryCache
from gateway.call import Ask, Outcome
from gateway.catalog import Model
from gateway.exchange import Request
from gateway.ports import Answer
from gateway.principal import Policy
from tests.support.clock import FakeClock, idle
from tests.support.engine import Rig, make_ask, make_deployment, make_model
from tests.support.script import Act, answers

KEEPS = Policy(cache="deterministic", cache_seconds=60)
MEANS = Policy(cache="deterministic", cache_seconds=60, semantic_model="e", semantic_threshold=0.9)
CHAT, VECTORS = make_model(), make_model(make_deployment(upstream="e"), name="e", kind="embedding")


def cold(text: str = "hello", **asked: Any) -> Ask:
    """A chat that would be answered alike again."""
    stream = asked.pop("stream", False)
    return make_ask(text, stream=stream, temperature=0, **asked)


class Keeping(Rig):
    """One tenant's key at a gateway that keeps answers; what is kept is kept when a call returns."""

    def __init__(
        self,
        *acts: Act,
        clock: FakeClock,
        cache: Any = None,
        models: Sequence[Model] = (CHAT, VECTORS),
        **more: Any,
    ) -> None:
        self.cache = cache or MemoryCache(clock)
        least: dict[str, Any] = {"policy": KEEPS, "meanings": MemoryMeanings()}
        super().__init__(*acts, clock=clock, cache=self.cache, models=models, **least | more)

    async def run(self, ask: Ask | None = None, **origin: Any) -> Outcome:
        """Make a call, and let its answer be kept."""
        outcome = await super().run(ask or cold(), **origin)
        await self.gateway.recall.drain()
        return outcome

    async def told(self, ask: Ask | None = None, **origin: Any) -> str:
        """What part the cache had in a call."""
        return (await self.run(ask, **origin)).served.cache

    @property
    def asked(self) -> int:
        """How often a provider was."""
        return len(self.script.requests)


def means(vectors: dict[str, list[float]], chat: Act) -> Act:
    """A provider that knows what texts mean, and does something else with chats."""

    async def act(request: Request) -> Answer:
        if not request.url.endswith("/embeddings"):
            return await chat(request)
        vector = vectors[msgspec.json.decode(request.body)["input"]]
        usage = {"prompt_tokens": 3, "total_tokens": 3}
        body = msgspec.json.encode({"data": [{"index": 0, "embedding": vector}], "usage": usage})
        return await answers(body)(request)

    return act


def ends(reason: str) -> Act:
    """The provider answers a chat, which ended for this."""
    choices = [{"index": 0, "message": {"role": "assistant", "content": "no"}, "finish_reason": reason}]
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    return answers(msgspec.json.encode({"choices": choices, "usage": usage}))


async def begun(*calls: Any) -> list["asyncio.Task[Outcome]"]:
    """Calls that go on until each waits for something."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    await idle()
    return tasks
