"""Pydantic AI's agents: of OpenAI's format or of Anthropic's, as the first argument says."""

import asyncio
import sys
from functools import partial
from typing import Any

from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from pydantic_ai import Agent, Embedder
from pydantic_ai.embeddings.openai import OpenAIEmbeddingModel
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

from tests.clients.programs.telling import TEXTS, Orders, Weather, failing, get_weather, play


def model(face: str, orders: Orders, name: str, *, key: str = "", retries: int = 0) -> Any:
    """The model at the gateway."""
    named, known = orders.models.get(name, name), key or orders.keys["own"]
    if face == "openai":
        return OpenAIChatModel(named, provider=OpenAIProvider(openai_client=openai(orders, known, retries)))
    client = AsyncAnthropic(base_url=orders.url, api_key=known, max_retries=retries, timeout=15)
    return AnthropicModel(named, provider=AnthropicProvider(anthropic_client=client))


def openai(orders: Orders, key: str, retries: int) -> AsyncOpenAI:
    """The client below."""
    return AsyncOpenAI(base_url=f"{orders.url}/v1", api_key=key, max_retries=retries, timeout=15)


async def chat(face: str, orders: Orders) -> Any:
    return (await Agent(model(face, orders, "chat")).run("hello")).output


async def stream(face: str, orders: Orders) -> Any:
    async with Agent(model(face, orders, "stream")).run_stream("hello") as result:
        return [piece async for piece in result.stream_text(delta=True, debounce_by=None)]


async def tools(face: str, orders: Orders) -> Any:
    return (await Agent(model(face, orders, "tools"), tools=[get_weather]).run("hello")).output


async def schema(face: str, orders: Orders) -> Any:
    agent = Agent(model(face, orders, "schema"), output_type=Weather)
    return (await agent.run("hello")).output.model_dump()


async def embedding(_: str, orders: Orders) -> Any:
    provider = OpenAIProvider(openai_client=openai(orders, orders.keys["own"], 0))
    embedder = Embedder(OpenAIEmbeddingModel(orders.models["embedding"], provider=provider))
    return list((await embedder.embed_documents(TEXTS)).embeddings)


async def retry(face: str, orders: Orders) -> Any:
    return (await Agent(model(face, orders, "retry", retries=2)).run("hello")).output


async def fail(face: str, orders: Orders, key: str, name: str) -> Any:
    return (await Agent(model(face, orders, name, key=key)).run("hello")).output


def run(work: Any, *arguments: Any) -> Any:
    """To its end."""
    return asyncio.run(work(*arguments))


if __name__ == "__main__":
    spoken = sys.argv[1]
    checks: Any = {"chat": chat, "stream": stream, "tools": tools, "schema": schema, "retry": retry}
    checks |= {"embedding": embedding} if spoken == "openai" else {}
    bound = {name: partial(run, check, spoken) for name, check in checks.items()}
    play(bound | failing(partial(run, fail, spoken)))
