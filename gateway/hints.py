"""Asks a provider to keep what a prompt begins with, where a tenant's policy says so and its caller did not.

Anthropic keeps what stands before a mark; OpenAI keeps by itself, and finds again by a key of ours.
"""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from urllib.parse import urlsplit

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from gateway.call import Ask
from gateway.catalog import Deployment
from gateway.members import join_members
from gateway.principal import Principal

_MARK = b'"cache_control":{"type":"ephemeral"}'
_LASTING_MARK = b'"cache_control":{"type":"ephemeral","ttl":"1h"}'
_SHORT_SECONDS = 300
"""What Anthropic keeps under the plain mark; the lasting one costs more to write."""
_MARKED = frozenset({"text", "image", "image_url", "document", "tool_result"})
"""Kinds of blocks that may bear the mark."""
_HOSTS = (".openai.com", ".openai.azure.com")
"""Hosts that know the key; others may refuse what they do not know."""
_KEYED = frozenset({"chat", "response"})


class _Role(Struct):
    role: str = ""


class _Block(Struct):
    type: str = ""
    text: str | None = None


_role = msgspec.json.Decoder(_Role).decode
_block = msgspec.json.Decoder(_Block).decode
_list = msgspec.json.Decoder(list[Raw]).decode
_object = msgspec.json.Decoder(dict[str, Raw]).decode


def hinted(ask: Ask, deployment: Deployment, principal: Principal, beginning: Callable[[], bytes]) -> Ask:
    """The ask with the hints that its provider understands."""
    if principal.policy.prompt_cache != "auto" or ask.kind != "chat":
        return ask
    if deployment.provider.wire == "anthropic":
        mark = _LASTING_MARK if principal.policy.prompt_cache_seconds > _SHORT_SECONDS else _MARK
        return _marked(ask, mark)
    if deployment.provider.wire == "openai" and ask.format == "openai" and ask.task in _KEYED:
        return _keyed(ask, deployment, principal, beginning)
    return ask


def _keyed(ask: Ask, deployment: Deployment, principal: Principal, beginning: Callable[[], bytes]) -> Ask:
    host = urlsplit(deployment.provider.base_url).hostname or ""
    if "prompt_cache_key" in ask.members or not f".{host}".endswith(_HOSTS):
        return ask
    key = blake2b(principal.tenant_id.bytes + beginning(), digest_size=16).hexdigest()
    return _with(ask, {"prompt_cache_key": Raw(b'"%b"' % key.encode())})


def _marked(ask: Ask, mark: bytes) -> Ask:
    """Marks behind the system's words and behind the last message: the next turn begins with all of that."""
    if b'"cache_control"' in ask.body:
        return ask
    try:
        system = _with_mark(ask.members.get("system", Raw(b"null")), mark)
        messages = _list(ask.members["messages"])
        for place in {0, len(messages) - 1} if messages else ():
            if place or len(messages) == 1 or _is_system(messages[0]):
                messages[place] = _marked_message(messages[place], mark)
    except (KeyError, msgspec.DecodeError, RecursionError):
        return ask  # its provider says what is wrong with it
    edited = {"messages": Raw(b"[%b]" % b",".join(map(bytes, messages)))}
    return _with(ask, edited if system is None else edited | {"system": system})


def _is_system(message: Raw) -> bool:
    return _role(message).role in ("system", "developer")


def _marked_message(message: Raw, mark: bytes) -> Raw:
    members = _object(message)
    content = _with_mark(members.get("content", Raw(b"null")), mark)
    return message if content is None else Raw(join_members(members | {"content": content}))


def _with_mark(content: Raw, mark: bytes) -> Raw | None:
    """The content as blocks, the last of them marked; None where nothing can bear it."""
    if bytes(content)[:1] == b'"' and bytes(content) != b'""':
        return Raw(b'[{"type":"text","text":%b,%b}]' % (content, mark))
    blocks = _list(content) if bytes(content)[:1] == b"[" else []
    if not blocks or not _bears(_block(blocks[-1])):
        return None
    last = join_members(_object(blocks[-1]))
    return Raw(b"[%b]" % b",".join([*map(bytes, blocks[:-1]), b"%b,%b}" % (last[:-1], mark)]))


def _bears(block: _Block) -> bool:
    return block.type in _MARKED and block.text != ""


def _with(ask: Ask, edited: Mapping[str, Raw]) -> Ask:
    members = ask.members | dict(edited)
    return replace(ask, members=members, body=join_members(members))
