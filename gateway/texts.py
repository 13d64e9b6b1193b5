"""The texts in a prompt or an answer, wherever they sit in it."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw

from gateway.call import Members

OPAQUE_PARTS = frozenset(
    {
        "audio",
        "audio_url",
        "computer_screenshot",
        "container_upload",
        "document",
        "document_url",
        "file",
        "image",
        "image_file",
        "image_url",
        "input_audio",
        "input_file",
        "input_image",
        "input_video",
        "item_reference",
        "video",
        "video_url",
    }
)
"""What messages hold beside text: its tokens cannot be counted from the request."""

_NOT_SPOKEN = OPAQUE_PARTS | {"role", "type", "id", "object", "finish_reason", "signature"}


def _decoded(value: Raw) -> Any:
    try:
        return msgspec.json.decode(value)
    except RecursionError:
        return bytes(value).decode()


def prompt_in(members: Members) -> Raw | None:
    """What a model is to answer, under the name that it has in this format."""
    return members.get("messages") or members.get("input") or members.get("prompt")


def prompt_texts(members: Members, prompt: Raw | None) -> Iterator[str]:
    """All that a model reads: what it is told beforehand, its tools as they are written, and the prompt."""
    yield from texts_in(members.get("system"))
    yield from texts_in(members.get("instructions"))
    yield bytes(members.get("tools", Raw())).decode()
    yield from texts_in(prompt)


def texts_in(value: Raw | None) -> Iterator[str]:
    """Every string that a model reads or says."""
    waiting: list[Any] = [] if value is None else [_decoded(value)]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict) and one.get("type") != "base64":
            waiting.extend(item for name, item in one.items() if name not in _NOT_SPOKEN)
        elif isinstance(one, list):
            waiting.extend(one)
