"""OpenAI's own clients at a gateway."""

import openai

from tests.support.caller import Caller

LONGEST_SECONDS = 15.0


def client_of(caller: Caller, *, key: str = "", retries: int = 0) -> openai.OpenAI:
    """A client that does not try again unless told to."""
    address = f"{caller.gateway.url}/v1"
    return openai.OpenAI(
        base_url=address, api_key=key or caller.key, max_retries=retries, timeout=LONGEST_SECONDS
    )


def async_client_of(caller: Caller) -> openai.AsyncOpenAI:
    """The same for a loop."""
    address = f"{caller.gateway.url}/v1"
    return openai.AsyncOpenAI(base_url=address, api_key=caller.key, max_retries=0, timeout=LONGEST_SECONDS)
