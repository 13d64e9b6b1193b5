"""Instructor: answers that are objects, whole and growing."""

from typing import Any

import instructor
from openai import OpenAI

from tests.clients.programs.telling import HELLO, Orders, Weather, failing, play


def create(orders: Orders, name: str, *, key: str = "", retries: int = 0, mode: Any = None) -> Any:
    """The patched client's completions, with a model bound."""
    client = OpenAI(
        base_url=f"{orders.url}/v1", api_key=key or orders.keys["own"], max_retries=retries, timeout=15
    )
    patched = instructor.from_openai(client, mode=mode or instructor.Mode.TOOLS)
    bound = {"model": orders.models.get(name, name), "messages": HELLO}
    return patched, bound


def chat(orders: Orders) -> Any:
    client, bound = create(orders, "chat")
    return client.chat.completions.create(response_model=None, **bound).choices[0].message.content


def schema(orders: Orders) -> Any:
    client, bound = create(orders, "schema")
    return client.chat.completions.create(response_model=Weather, **bound).model_dump()


def schema_json(orders: Orders) -> Any:
    client, bound = create(orders, "schema_json", mode=instructor.Mode.JSON_SCHEMA)
    return client.chat.completions.create(response_model=Weather, **bound).model_dump()


def growing(orders: Orders) -> Any:
    client, bound = create(orders, "growing")
    parts = list(client.chat.completions.create_partial(response_model=Weather, **bound))
    return parts[-1].model_dump()


def retry(orders: Orders) -> Any:
    client, bound = create(orders, "retry", retries=2)
    return client.chat.completions.create(response_model=None, **bound).choices[0].message.content


def fail(orders: Orders, key: str, name: str) -> Any:
    client, bound = create(orders, name, key=key)
    return client.chat.completions.create(response_model=None, **bound)


if __name__ == "__main__":
    checks = {"chat": chat, "schema": schema, "schema_json": schema_json, "growing": growing}
    play(checks | {"retry": retry} | failing(fail))
