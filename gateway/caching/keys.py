"""What kept answers are found by: a hash of all that makes an answer what it is. No I/O.

Two bodies that say the same have the same key, in whatever order their members stand and however they are
spaced. What does not change the answer is left out: who asks, and how a stream tells its usage.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from gateway.call import Ask

_BESIDE = (
    "model",
    "user",
    "metadata",
    "stream",
    "stream_options",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
)
"""Members that are said otherwise (the model as it was resolved), or say nothing to the model."""

_decode = msgspec.json.Decoder().decode
_members = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder(order="deterministic").encode


class Key(Struct, frozen=True, kw_only=True, gc=False):
    """What a call's answer is found by."""

    exact: str
    text: str = ""
    """What the last message says, if it is a text of a user's."""
    space: str = ""
    """All the rest, as a hash: prompts of the same space differ in that text alone."""


def key_of(ask: Ask, *, tenant: UUID, model: str, by_meaning: bool = False) -> Key | None:
    """The key; None for a body that cannot be told apart from others for sure."""
    try:
        members = _members(ask.body)
        for name in _BESIDE:
            members.pop(name, None)
        head = _head(ask, tenant, model)
        exact = sha256(head + _encode(members)).hexdigest()
        text = _taken_out(members) if by_meaning and ask.kind == "chat" else ""
        space = sha256(b"space\n" + head + _encode(members)).hexdigest() if text else ""
    except (msgspec.MsgspecError, OverflowError, RecursionError, UnicodeError):
        return None
    return Key(exact=exact, text=text, space=space)


def is_deterministic(ask: Ask) -> bool:
    """Whether the same ask would be answered alike again, as far as anybody promises that."""
    if ask.kind != "chat":
        return ask.kind in ("embedding", "moderation", "rerank")
    return ask.choices <= 1 and _number(ask.members.get("temperature")) == 0


def _head(ask: Ask, tenant: UUID, model: str) -> bytes:
    """What is no member of the body; each part is of one line, so that none is taken for another."""
    stream = ("counts" if ask.wants_usage else "stream") if ask.stream else "whole"
    said = f"{ask.format}\n{ask.task}\n{model}\n{ask.provider}\n{stream}\n{_lines(ask.headers)}\n"
    return tenant.bytes + said.encode()


def _lines(headers: Mapping[str, str]) -> str:
    return "".join([f"{name}: {headers[name]}\n" for name in sorted(headers)]) if headers else ""


def _taken_out(members: dict[str, Any]) -> str:
    """The text of the last message, which is replaced by nothing."""
    messages = members.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    if not isinstance(last, dict) or last.get("role") != "user":
        return ""
    content = last.get("content")
    place, name = last, "content"
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict):
        place, name = content[0], "text"
    text = place.get(name)
    if not isinstance(text, str):
        return ""
    place[name] = ""
    return text.strip()


def _number(value: Raw | None) -> float | None:
    try:
        told = None if value is None else _decode(value)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
    return told if isinstance(told, int | float) and not isinstance(told, bool) else None
