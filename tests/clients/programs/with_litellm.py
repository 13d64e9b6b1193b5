"""litellm as a client: of OpenAI's format or of Anthropic's, as its first argument says."""

import json
import sys
from functools import partial
from typing import Any

import litellm

from tests.clients.programs.telling import (
    HELLO,
    TEXTS,
    WEATHER_TOOL,
    Orders,
    Weather,
    failing,
    get_weather,
    play,
)

ROOTS = {"openai": "/v1", "anthropic": ""}


def complete(face: str, orders: Orders, name: str, *, key: str = "", retries: int = 0, **more: Any) -> Any:
    """One completion; the address below the gateway is what the format's own client would have."""
    return litellm.completion(
        model=f"{face}/{orders.models.get(name, name)}",
        api_base=orders.url + ROOTS[face],
        api_key=key or orders.keys["own"],
        timeout=15,
        num_retries=retries,
        max_retries=retries,
        _skip_mcp_handler=True,  # else it imports an MCP client, which is not installed, for any tool
        **({"messages": HELLO} | more),
    )


def said(answer: Any) -> Any:
    """Its text."""
    return answer.choices[0].message.content


def chat(face: str, orders: Orders) -> Any:
    return said(complete(face, orders, "chat"))


def stream(face: str, orders: Orders) -> Any:
    pieces = [piece.choices[0].delta.content for piece in complete(face, orders, "stream", stream=True)]
    return [piece for piece in pieces if piece]


def tools(face: str, orders: Orders) -> Any:
    messages: list[Any] = list(HELLO)
    while True:
        answer = complete(face, orders, "tools", messages=messages, tools=[WEATHER_TOOL])
        message = answer.choices[0].message
        if not message.tool_calls:
            return message.content
        messages.append(message)
        for call in message.tool_calls:
            result = get_weather(**json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})


def schema(face: str, orders: Orders) -> Any:
    return json.loads(said(complete(face, orders, "schema", response_format=Weather)))


def embedding(face: str, orders: Orders) -> Any:
    answer = litellm.embedding(
        model=f"{face}/{orders.models['embedding']}",
        input=TEXTS,
        api_base=orders.url + ROOTS[face],
        api_key=orders.keys["own"],
        encoding_format="float",
        max_retries=0,
    )
    return [one["embedding"] for one in answer.data]


def retry(face: str, orders: Orders) -> Any:
    return said(complete(face, orders, "retry", retries=2))


def fail(face: str, orders: Orders, key: str, name: str) -> Any:
    return said(complete(face, orders, name, key=key))


if __name__ == "__main__":
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    spoken = sys.argv[1]
    checks = {"chat": chat, "stream": stream, "tools": tools, "schema": schema, "retry": retry}
    checks |= {"embedding": embedding} if spoken == "openai" else {}
    bound = {name: partial(check, spoken) for name, check in checks.items()}
    play(bound | failing(partial(fail, spoken)))
