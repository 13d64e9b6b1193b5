"""Text to plain values: YAML without its traps.

Figures with a point stay decimal, so that 0.15 is exact. `off` and `no` are words, dates are texts, and a key
that stands twice is refused, where PyYAML alone would quietly keep the last.
"""

import re
from collections.abc import Hashable
from decimal import Decimal
from typing import Any

import yaml

from providers.configuration.problems import ConfigurationRefused

_DIGITS = "-+0123456789"
_DECIMAL = r"[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?"
RESOLVERS = (
    ("tag:yaml.org,2002:bool", re.compile(r"\A(?:true|True|TRUE|false|False|FALSE)\Z"), "tTfF"),
    ("tag:yaml.org,2002:int", re.compile(r"\A[-+]?[0-9][0-9_]*\Z"), _DIGITS),
    ("tag:yaml.org,2002:float", re.compile(rf"\A{_DECIMAL}\Z"), f"{_DIGITS}."),
    ("tag:yaml.org,2002:null", re.compile(r"\A(?:~|null|Null|NULL|)\Z"), ("~", "n", "N", "")),
    ("tag:yaml.org,2002:merge", re.compile(r"\A<<\Z"), "<"),
)
"""Plain words that are more than texts: tag, form, first characters; the first that fits counts."""


def document_read(text: str) -> Any:
    """The values of a YAML text; an empty one is an empty mapping."""
    try:
        # A SafeLoader of ours: it makes plain values only.
        document = yaml.load(text, Loader=_Loader)  # noqa: S506
    except yaml.YAMLError as error:
        # From None, and without PyYAML's own text: that quotes the line, which may hold a secret.
        raise ConfigurationRefused([f"The file is not YAML: {_where(error)}"]) from None
    return {} if document is None else document


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with fewer and safer readings of plain words."""

    yaml_implicit_resolvers = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Refuse a key that stands twice; merged keys are meant to be overridden."""
        seen: set[Any] = set()
        for name, _ in node.value:
            if name.tag == "tag:yaml.org,2002:merge" or not isinstance(name, yaml.ScalarNode):
                continue
            if name.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {name.value!r} stands twice", name.start_mark
                )
            seen.add(name.value)
        return super().construct_mapping(node, deep=deep)


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{getattr(error, 'problem', None) or getattr(error, 'reason', 'it cannot be read')}{place}"


def _integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    return int(loader.construct_scalar(node).replace("_", ""))


def _decimal(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Decimal:
    return Decimal(loader.construct_scalar(node).replace("_", ""))


for _tag, _pattern, _first in RESOLVERS:
    _Loader.add_implicit_resolver(_tag, _pattern, list(_first))
_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _decimal)
