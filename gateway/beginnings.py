"""How a conversation begins: what stays as it was while the conversation grows.

What a provider keeps of prompts is found by how they begin, so turns of one conversation do best where
the ones before went.
"""

from typing import Any

import msgspec
from msgspec import Raw

from gateway.call import Ask, Members

_LONGEST_PROMPT = 256
"""Characters of a prompt that is one text: later turns stand behind them."""
_STANDING = frozenset({"system", "developer"})
"""Who says what holds for the whole conversation."""

_list = msgspec.json.Decoder(list[Raw])
_any = msgspec.json.Decoder()
_encode = msgspec.json.Encoder(order="deterministic").encode


class _Message(msgspec.Struct):
    role: Any = None
    content: Raw = Raw(b'""')


_message = msgspec.json.Decoder(_Message)


def beginning_of(ask: Ask) -> bytes:
    """What the model is told beforehand and the first thing a user says; empty where there is none."""
    members = ask.members
    try:
        told = [_texts(members[name]) for name in ("system", "instructions") if name in members]
        said = _opening(members)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return b""  # the provider will say what is wrong with it
    return b"\0".join([*told, *said]) if said else b""


def _opening(members: Members) -> list[bytes]:
    """What stands first in the prompt, under the name that it has in this format."""
    prompt = members.get("messages") or members.get("input") or members.get("prompt") or Raw()
    first = bytes(prompt)[:1]
    if first == b'"':
        return [str(_any.decode(prompt))[:_LONGEST_PROMPT].encode(errors="surrogatepass")]
    if first != b"[":
        return []
    found: list[bytes] = []
    for one in _list.decode(prompt):
        if bytes(one)[:1] != b"{":  # a list of texts, or of tokens
            return [bytes(one)[:_LONGEST_PROMPT]]
        message = _message.decode(one)
        found.append(_texts(message.content))
        if not isinstance(message.role, str) or message.role not in _STANDING:
            break
    return found


def _texts(content: Raw) -> bytes:
    """A text, or the parts of one, alike: as the caller's next turn may write it in the other form."""
    value = _any.decode(content)
    if isinstance(value, list):
        return b"".join([_part(part) for part in value])
    return value.encode(errors="surrogatepass") if isinstance(value, str) else _encode(value)


def _part(part: Any) -> bytes:
    if not isinstance(part, dict):
        return _encode(part)
    if isinstance(part.get("text"), str):
        return str(part["text"]).encode(errors="surrogatepass")
    return _encode({name: value for name, value in part.items() if name != "cache_control"})
