"""How a client's program is told what to do, and tells what came of it."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

HELLO = [{"role": "user", "content": "hello"}]
TEXTS = ["one", "two"]
_NEAR = ("127.0.0.1", "localhost")


@dataclass(frozen=True, kw_only=True)
class Orders:
    """Where the gateway is, the keys by whose they are, and the models by what happens there."""

    url: str
    keys: Mapping[str, str]
    models: Mapping[str, str]


Check = Callable[[Orders], Any]


class Weather(BaseModel):
    """What is asked for where an answer has a form."""

    city: str
    degrees: int


def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


WEATHER_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def failing(call: Callable[[Orders, str, str], Any]) -> dict[str, Check]:
    """The calls that must fail, made as `call` does with a key and a model."""
    return {
        "stranger": lambda orders: call(orders, "sk-wrong", orders.models["chat"]),
        "poor": lambda orders: call(orders, orders.keys["poor"], orders.models["chat"]),
        "unknown": lambda orders: call(orders, orders.keys["own"], "nobody-has-this"),
        "too_long": lambda orders: call(orders, orders.keys["own"], orders.models["too_long"]),
        "broken": lambda orders: call(orders, orders.keys["own"], orders.models["broken"]),
    }


def play(checks: Mapping[str, Check]) -> None:
    """Do them all, one after the other, and write what came of each."""
    sys.addaudithook(_stay_near)
    orders = Orders(**json.load(sys.stdin))
    told = {name: _outcome(check, orders) for name, check in checks.items()}
    sys.stdout.write(json.dumps(told))


def _stay_near(event: str, arguments: tuple[Any, ...]) -> None:
    """A client may call the gateway and nobody else, whatever it does by habit."""
    host: Any = None
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    if host is not None and host not in _NEAR:
        raise PermissionError(f"it wanted to call {host}")


def _outcome(check: Check, orders: Orders) -> dict[str, Any]:
    try:
        return {"said": check(orders)}
    except Exception as error:  # noqa: BLE001  # what it raises is what is looked at
        status = getattr(error, "status_code", None)
        return {"raised": type(error).__name__, "status": status, "told": str(error)[:2000]}
