"""Texts of other people's files as plain values, with a clear no to what is hostile or out of all proportion.

Aliases may repeat a part, but not until it fills the memory, and never themselves. Names are texts. Figures
are exact, and of a size that something can cost or count.
"""

import csv
import io
import json
from decimal import Decimal, InvalidOperation
from typing import Any

import yaml

from providers.configuration.document import RESOLVERS
from providers.configuration.problems import ConfigurationRefused, path_join

LARGEST_TEXT = 2_000_000
"""Characters of one configuration."""

LARGEST_TABLE = 200_000_000
"""Characters of one table: one row of it may well have a thousand."""

_DEEPEST = 40
_MOST_VALUES = 400_000
_LONGEST_NAME = 200
_LONGEST_FIGURE = 60
_MOST_PLACES = 30
_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_TRUE = frozenset({"true", "True", "TRUE"})


def yaml_read(text: str, source: str) -> Any:
    """The values of a YAML text; an empty one is an empty mapping."""
    text = _sized(text, source, LARGEST_TEXT)
    try:
        node = _Loader(text).get_single_node()
    except yaml.YAMLError as error:
        # From None, and without PyYAML's own text: that quotes the line, which may hold a secret.
        raise refused(source, f"this is not YAML: {_where(error)}") from None
    return {} if node is None else _Walk(source).value(node, "", ())


def json_read(text: str, source: str) -> Any:
    """The values of a JSON text."""
    try:
        values = json.loads(
            _sized(text, source, LARGEST_TABLE), parse_float=str, parse_int=str, parse_constant=str
        )
    except (ValueError, RecursionError):
        raise refused(source, "this is not JSON, or it is nested too deep") from None
    return _Walk(source).plain(values, "", 0)


def csv_read(text: str, source: str) -> list[dict[str, str | None]]:
    """The rows of a CSV text with a head; an empty field says nothing."""
    reader = csv.DictReader(io.StringIO(_sized(text, source, LARGEST_TABLE)))
    try:
        rows = [dict(row) for row in reader]
    except csv.Error:
        raise refused(source, "this is not CSV") from None
    walk = _Walk(source)
    for index, row in enumerate(rows):
        if None in row:
            raise refused(f"{source}[{index}]", "this row has more fields than the head names")
        walk.plain(row, f"[{index}]", 0)
    return [{name: value or None for name, value in row.items()} for row in rows]


def refused(path: str, problem: str) -> ConfigurationRefused:
    """Why a file is not read any further."""
    return ConfigurationRefused([f"{path}: {problem}"])


def _sized(text: str, source: str, most: int) -> str:
    if len(text) > most:
        raise refused(source, f"this is longer than {most} characters")
    return text.removeprefix("\ufeff")


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, as far as nodes, and no deeper than anybody writes."""

    yaml_implicit_resolvers = {}
    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """One node with all that is in it."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise yaml.composer.ComposerError(None, None, f"nested deeper than {_DEEPEST}", None)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


for _tag, _pattern, _first in RESOLVERS:
    _Loader.add_implicit_resolver(_tag, _pattern, list(_first))


class _Walk:
    """Makes values of nodes, and counts them: an alias counts as often as it is used."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._values = 0

    def value(self, node: yaml.Node, path: str, within: tuple[int, ...]) -> Any:
        """What a node says."""
        self._count(path)
        if id(node) in within:
            raise self._no(path, "this alias leads back to itself")
        if len(within) > _DEEPEST:
            raise self._no(path, f"this is nested deeper than {_DEEPEST}")
        within = (*within, id(node))
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node, path, within)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self.value(one, f"{path}[{index}]", within) for index, one in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        raise self._no(path, "this is neither a text nor a figure, a list or a mapping")

    def plain(self, value: Any, path: str, depth: int) -> Any:
        """A value of JSON or CSV, checked: figures come as texts, and are read where they are needed."""
        if depth > _DEEPEST:
            raise self._no(path, f"this is nested deeper than {_DEEPEST}")
        if isinstance(value, dict):
            return {name: self.plain(one, self._named(path, name), depth + 1) for name, one in value.items()}
        if isinstance(value, list):
            return [self.plain(one, f"{path}[{index}]", depth + 1) for index, one in enumerate(value)]
        return value

    def _mapping(self, node: yaml.MappingNode, path: str, within: tuple[int, ...]) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for name, value in node.value:
            if name.tag == _MERGE:
                for one in _each(self.value(value, path, within)):
                    if not isinstance(one, dict):
                        raise self._no(path, "only mappings can be merged with <<")
                    merged = one | merged
                continue
            if not isinstance(name, yaml.ScalarNode) or name.tag != f"{_TAG}str":
                raise self._no(path, f"a name in line {name.start_mark.line + 1} is not a text: quote it")
            place = self._named(path, name.value)
            if name.value in own:
                raise self._no(place, "this stands twice")
            own[name.value] = self.value(value, place, within)
        return merged | own

    def _scalar(self, node: yaml.ScalarNode, path: str) -> Any:
        kind = node.tag.removeprefix(_TAG)
        if kind == "str":
            return node.value
        if kind == "null":
            return None
        if kind == "bool":
            return node.value in _TRUE
        if kind not in {"int", "float"}:
            raise self._no(path, "this tag is not known")
        figure = figure_of(node.value)
        if figure is None:
            raise self._no(path, "this is no figure, or one beyond all measure")
        return int(figure) if kind == "int" else figure

    def _named(self, path: str, name: str) -> str:
        if not name or len(name) > _LONGEST_NAME or not name.isprintable():
            raise self._no(path, f"a name must be printable and have 1 to {_LONGEST_NAME} characters")
        return path_join(path, name)

    def _count(self, path: str) -> None:
        self._values += 1
        if self._values > _MOST_VALUES:
            raise self._no(path, f"with its aliases the file has more than {_MOST_VALUES} values")

    def _no(self, path: str, problem: str) -> ConfigurationRefused:
        return refused(f"{self._source}: {path}" if path else self._source, problem)


def figure_of(text: str) -> Decimal | None:
    """A figure, if it is one that something can cost or count."""
    if len(text) > _LONGEST_FIGURE:
        return None
    try:
        figure = Decimal(text.replace("_", ""))
    except InvalidOperation:
        return None
    if not figure.is_finite() or (figure and abs(figure.adjusted()) > _MOST_PLACES):
        return None
    return figure


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{getattr(error, 'problem', None) or getattr(error, 'reason', 'it cannot be read')}{place}"
