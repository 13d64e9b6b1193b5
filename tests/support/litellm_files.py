"""LiteLLM's files in tests: read from texts, their lines counted, and generated at will."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

from hypothesis import strategies as st

from providers.configuration.problems import path_join
from providers.litellm_import.files import File, table_read
from providers.litellm_import.findings import Fate
from providers.litellm_import.guarded import yaml_read
from providers.litellm_import.translate import Imported, translate

COMPANY = Path(__file__).resolve().parent.parent / "data/litellm/company.yaml"
SMALL = """
model_list:
  - model_name: gpt-4o
    litellm_params: {model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY}
"""
TWO_MODELS = """
model_list:
  - {model_name: one, litellm_params: {model: openai/one}}
  - {model_name: two, litellm_params: {model: openai/two}}
  - {model_name: "openai/*", litellm_params: {model: "openai/*"}}
"""


def imported(
    text: str,
    *,
    keys: Any = None,
    teams: Any = None,
    environ: Mapping[str, str] | None = None,
) -> Imported:
    """What becomes of an indented text, and of rows of tables."""
    tables = {
        name: table_read(rows if isinstance(rows, str) else json.dumps(rows), name) if rows else None
        for name, rows in (("keys", keys), ("teams", teams))
    }
    files = [File("", yaml_read(dedent(text), "config.yaml"))]
    return translate(files, environ=environ or {}, **tables)


def with_params(**params: Any) -> Imported:
    """What becomes of a file with one model."""
    return imported(json.dumps({"model_list": [{"model_name": "m", "litellm_params": params}]}))


def reasons(result: Imported, fate: Fate) -> dict[str, str]:
    """The reasons of the lines of a fate, by their paths."""
    return {one.path: one.reason for one in result.of(fate)}


def leaves(value: Any, path: str = "") -> Iterator[str]:
    """The path of every value that has nothing in it."""
    if isinstance(value, dict) and value:
        for name, one in value.items():
            yield from leaves(one, path_join(path, name))
    elif isinstance(value, list) and value:
        for index, one in enumerate(value):
            yield from leaves(one, f"{path}[{index}]")
    else:
        yield path


def covers(path: str, leaf: str) -> bool:
    """Whether what is said of a path is said of the leaf."""
    return leaf == path or leaf.startswith((f"{path}.", f"{path}["))


_words = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12)
_scalars = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | _words | st.just("os.environ/UNSET")
_anything = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words, inner, max_size=3),
    max_leaves=6,
)
_models = st.sampled_from(
    [
        "openai/a",
        "openai/*",
        "gpt-4o",
        "azure/x",
        "anthropic/c",
        "groq/g",
        "gemini/g",
        "vertex_ai/v",
        "strange",
        "ollama/l",
    ]
)
_names = st.sampled_from(["one", "two", "three", "openai/*", "a name", "*"])
_figures = st.sampled_from([0, 1, 7, 0.5, "3", -1, "x", 10**15])


def _mapping(**known: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any of the known members, each now and then not what it should be, and members that nobody knows."""
    given = st.fixed_dictionaries({}, optional={name: value | _anything for name, value in known.items()})
    return st.builds(
        lambda told, more: {**more, **told}, given, st.dictionaries(_words, _anything, max_size=2)
    )


_params = _mapping(
    model=_models,
    api_key=st.sampled_from(["sk-literal", "os.environ/KEY", ""]),
    api_base=st.sampled_from(["https://a.openai.azure.com", "http://host:1/v1", "file:///etc", "x"]),
    rpm=_figures,
    tpm=_figures,
    weight=_figures,
    order=_figures,
    timeout=_figures,
    input_cost_per_token=_figures,
    extra_headers=st.dictionaries(_words, _words, max_size=2),
    litellm_credential_name=st.just("c"),
)
_entries = _mapping(
    model_name=_names,
    litellm_params=_params,
    model_info=_mapping(mode=st.sampled_from(["chat", "embedding", "video"]), max_tokens=_figures, id=_words),
)
_fallbacks = st.lists(st.dictionaries(_names, st.lists(_names, max_size=2), max_size=2), max_size=2)
configurations = _mapping(
    model_list=st.lists(_entries, max_size=4),
    credential_list=st.just([{"credential_name": "c", "credential_values": {"api_key": "sk-c"}}]),
    router_settings=_mapping(
        routing_strategy=st.sampled_from(["simple-shuffle", "least-busy", "strange"]),
        model_group_alias=st.dictionaries(
            _words | _names, _names | st.fixed_dictionaries({"model": _names}), max_size=3
        ),
        fallbacks=_fallbacks,
        num_retries=_figures,
    ),
    litellm_settings=_mapping(
        context_window_fallbacks=_fallbacks, cache=st.booleans(), max_budget=_figures, budget_duration=_words
    ),
    general_settings=_mapping(master_key=st.sampled_from(["sk-1234", "os.environ/MASTER"])),
)
rows = st.lists(
    _mapping(
        token=st.sampled_from(["0" * 64, "a" * 64, "sk-plain"]),
        key_alias=_words,
        team_id=st.sampled_from(["t1", "t2"]),
        models=st.lists(_names, max_size=2),
        max_budget=_figures,
        budget_duration=st.sampled_from(["1d", "30d", "1h", "x"]),
        rpm_limit=_figures,
        expires=st.sampled_from(["2031-01-01T00:00:00Z", "soon"]),
        metadata=_mapping(),
        model_max_budget=st.dictionaries(_names, _mapping(budget_limit=_figures), max_size=2),
    ),
    max_size=4,
)
