"""Tools that a provider runs itself: each use is billed, and has the model read its prompt once more."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway.call import Members

_PREPARED = ("bash_", "text_editor_", "computer", "memory_", "browser_toolset")
_RUN_BY_CALLERS = ("function", "custom", "local_shell", *_PREPARED)
"""How the types of tools begin that only name what the caller will do."""

_FORMS = frozenset({"output_config", "output_format"})
"""Members by which an answer is given a form."""

_BILLED_BY: Mapping[str, str] = {"web_search": "search", "web_fetch": "", "mcp": ""}
"""How the types of tools begin whose uses can be bounded, and the meter of a use; "" costs tokens alone."""

_MOST_USES = 1_000

_EXPLAINED_TOKENS = 2_048
"""More than Anthropic tells a model about using tools or keeping to a form, and about a tool of its own."""

_TOOLSET_TOKENS = 16_384
"""The same of a whole set of tools."""


class _Tool(Struct):
    type: str | None = None
    function: Raw = Raw()
    input_schema: Raw = Raw()
    max_uses: Any = None


class _Search(Struct):
    mode: str | None = None
    max_search_results: Any = None


class Uses(Struct, frozen=True, kw_only=True, gc=False):
    """The most uses of a provider's tools in one call, and how many of them are searches."""

    times: int = 0
    searches: int = 0

    def __add__(self, other: "Uses") -> "Uses":
        return Uses(times=self.times + other.times, searches=self.searches + other.searches)


_tools = msgspec.json.Decoder(list[_Tool])
_search = msgspec.json.Decoder(_Search)
_any = msgspec.json.Decoder()


def uses_of(members: Members) -> Uses | None:
    """The most that a request lets a provider's tools be used; None where it does not say how often.

    Null members must be left out.
    """
    if "plugins" in members or "mcp_servers" in members:
        return None
    uses = Uses(times=1, searches=1) if "web_search_options" in members else Uses()
    try:
        more = [
            *(_tool_uses(tool, members) for tool in _tools.decode(members.get("tools", Raw(b"[]")))),
            _live_search(members),
        ]
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    for one in more:
        if one is None:
            return None
        uses += one
    return uses


def unwritten_tokens(members: Members) -> int:
    """The most that a provider tells a model about tools beyond what the request says of them.

    Only Anthropic has such tools: they are named, and the rest of their description is its own.
    """
    told = not _FORMS.isdisjoint(members)
    try:
        tools = _tools.decode(members.get("tools", Raw(b"[]")))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return 0  # their uses have no bound either
    prepared = [tool.type for tool in tools if tool.type and tool.type.startswith(_PREPARED)]
    told = told or bool(prepared) or any(bytes(tool.input_schema) for tool in tools)
    return told * _EXPLAINED_TOKENS + sum(
        _TOOLSET_TOKENS if "toolset" in kind else _EXPLAINED_TOKENS for kind in prepared
    )


def _tool_uses(tool: _Tool, members: Members) -> Uses | None:
    kind = tool.type or ("function" if bytes(tool.function) or bytes(tool.input_schema) else "")
    if kind.startswith(_RUN_BY_CALLERS):
        return Uses()
    meter = next((meter for name, meter in _BILLED_BY.items() if kind.startswith(name)), None)
    times = _declared(tool.max_uses) or _declared(_any.decode(members.get("max_tool_calls", Raw(b"null"))))
    if meter is None or times is None:
        return None
    return Uses(times=times, searches=times if meter == "search" else 0)


def _live_search(members: Members) -> Uses | None:
    """The search of xAI, which is billed by the source."""
    if "search_parameters" not in members:
        return Uses()
    asked = _search.decode(members["search_parameters"])
    if asked.mode == "off":
        return Uses()
    sources = _declared(asked.max_search_results)
    return None if sources is None else Uses(times=1, searches=sources)


def _declared(maximum: object) -> int | None:
    return maximum if type(maximum) is int and 0 < maximum <= _MOST_USES else None
