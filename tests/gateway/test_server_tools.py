"""Tools that a provider runs itself: how often a request lets it, and whether it says so at all."""

from typing import Any

import msgspec
import pytest

from gateway.members import read_members
from gateway.server_tools import Uses, uses_of


def _uses(**members: Any) -> Uses | None:
    return uses_of(read_members(msgspec.json.encode(members)))


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "function", "function": {"name": "weather"}},
        {"type": "function", "name": "weather"},
        {"function": {"name": "weather"}},
        {"name": "weather", "input_schema": {}},
        {"type": "custom", "name": "weather"},
        {"type": "bash_20250124", "name": "bash"},
        {"type": "text_editor_20250728", "name": "editor"},
        {"type": "computer_use_preview"},
        {"type": "local_shell"},
    ],
)
def test_what_the_caller_runs_is_no_use(tool: dict[str, Any]) -> None:
    assert _uses(tools=[tool]) == Uses()


@pytest.mark.parametrize(
    ("members", "uses"),
    [
        ({}, Uses()),
        ({"tools": []}, Uses()),
        ({"web_search_options": {}}, Uses(times=1, searches=1)),
        ({"tools": [{"type": "web_search_20250305", "max_uses": 5}]}, Uses(times=5, searches=5)),
        ({"tools": [{"type": "web_search_preview"}], "max_tool_calls": 3}, Uses(times=3, searches=3)),
        ({"tools": [{"type": "web_fetch_20250910", "max_uses": 2}]}, Uses(times=2)),
        ({"tools": [{"type": "mcp"}], "max_tool_calls": 3}, Uses(times=3)),
        (
            {"tools": [{"type": "web_search", "max_uses": 5}, {"type": "web_fetch", "max_uses": 2}]},
            Uses(times=7, searches=5),
        ),
        ({"search_parameters": {"mode": "off"}}, Uses()),
        ({"search_parameters": {"mode": "on", "max_search_results": 7}}, Uses(times=1, searches=7)),
    ],
)
def test_uses_are_bounded_by_what_the_request_says(members: dict[str, Any], uses: Uses) -> None:
    assert _uses(**members) == uses


@pytest.mark.parametrize(
    "members",
    [
        {"tools": [{"type": "web_search"}]},
        {"tools": [{"type": "web_search", "max_uses": 0}]},
        {"tools": [{"type": "web_search", "max_uses": -1}]},
        {"tools": [{"type": "web_search", "max_uses": "5"}]},
        {"tools": [{"type": "web_search", "max_uses": 1_000_000}]},
        {"tools": [{"type": "function", "name": "weather"}, {"type": "web_search"}]},
        {"tools": [{"type": "code_interpreter"}], "max_tool_calls": 3},
        {"tools": [{"type": "image_generation", "max_uses": 1}]},
        {"tools": [{"type": "file_search"}], "max_tool_calls": 3},
        {"tools": [{"type": "never_heard_of", "max_uses": 1}]},
        {"tools": [{"googleSearch": {}}]},
        {"tools": [{"type": 7}]},
        {"tools": "all"},
        {"tools": [7]},
        {"search_parameters": {}},
        {"search_parameters": 7},
        {"plugins": [{"id": "web"}]},
        {"mcp_servers": [{"url": "https://example.org"}]},
    ],
)
def test_what_the_request_does_not_bound_has_no_end(members: dict[str, Any]) -> None:
    assert _uses(**members) is None
