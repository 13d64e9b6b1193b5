"""What of a request a provider's format has a place for: the rest is refused, unless it changes nothing."""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from msgspec import Raw

from gateway.errors import InvalidRequest, Untranslatable

_CARRIED = frozenset({"model", "messages", "input", "stream", "stream_options"})
"""What travels on a way of its own."""
_WITHOUT_EFFECT = frozenset(
    {"metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "store", "user"}
)
"""They change nothing of an answer: dropped where they have no place."""
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "frequency_penalty": (0,),
    "function_call": ("auto",),
    "functions": ([],),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "n": (1,),
    "parallel_tool_calls": (True,),
    "presence_penalty": (0,),
    "response_format": ({"type": "text"},),
    "service_tier": ("auto", "default"),
    "stop": ([],),
    "tool_choice": ("auto",),
    "tools": ([],),
    "top_logprobs": (0,),
    "verbosity": ("medium",),
}
"""What a provider does anyway when it is not told."""
_NEVER = frozenset({"extra_body", "extra_headers", "extra_query"})
"""litellm would let a caller write the request to the provider with these."""
_ADDRESSES = frozenset({"file_data", "file_id", "image_url", "uri", "url", "video_url"})

_any = msgspec.json.Decoder()


def read_asked(members: Mapping[str, Raw]) -> dict[str, Any]:
    """What is asked for beside the messages and that has an effect."""
    read = {name: _value(raw) for name, raw in members.items() if name not in _CARRIED}
    return {name: value for name, value in read.items() if value is not None and not _neutral(name, value)}


def read_messages(members: Mapping[str, Raw], *, addresses: bool) -> list[Any]:
    """The messages; what they show must be in them, unless the provider fetches from addresses itself."""
    messages = _value(members.get("messages", Raw(b"null")))
    if not isinstance(messages, list) or not messages or not all(isinstance(one, dict) for one in messages):
        raise InvalidRequest("`messages` must be a list of messages.", param="messages")
    for message in messages:
        if isinstance(message.get("content"), list):
            _look_at(message["content"], addresses=addresses)
    return messages


def fitting(asked: Mapping[str, Any], places: Collection[str]) -> dict[str, Any]:
    """What there is a place for; refused where what is left over would have had an effect."""
    for name in asked:
        if name in _NEVER or (name not in places and name not in _WITHOUT_EFFECT):
            raise no_place(name)
    return {name: value for name, value in asked.items() if name in places}


def no_place(name: str) -> Untranslatable:
    """The refusal of a member that a provider's format cannot say."""
    return Untranslatable(
        f"The format of this model's provider has no place for `{name[:100]}`: leave it out.",
        param=name[:100],
    )


def _value(raw: Raw) -> Any:
    try:
        return _any.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequest("The request body is nested too deeply, or not valid JSON.") from error


def _neutral(name: str, value: Any) -> bool:
    same = [one for one in _NEUTRAL.get(name, ()) if one == value and type(one) is type(value)]
    return bool(same) or (name.endswith("_penalty") and value == 0)


def _look_at(content: list[Any], *, addresses: bool) -> None:
    """Whatever is shown stands in the request: nobody here fetches what a caller points at."""
    waiting = [part for part in content if isinstance(part, dict) and part.get("type") != "text"]
    while waiting:
        for name, value in waiting.pop().items():
            if isinstance(value, dict):
                waiting.append(value)
            elif isinstance(value, list):
                waiting.extend(one for one in value if isinstance(one, dict))
            elif name in _ADDRESSES and isinstance(value, str) and not _shown(value, addresses=addresses):
                raise Untranslatable(
                    "This model's provider takes pictures and files in the request only, as `data:` URLs.",
                    param="messages",
                )


def _shown(value: str, *, addresses: bool) -> bool:
    return value.startswith("data:") or (addresses and value.startswith("https://"))
