"""Plain values to the structs of the schema, with every problem of the whole file and its path.

msgspec alone stops at the first problem and does not name the keys of mappings.
"""

import difflib
import types
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct, UnsetType
from msgspec.structs import fields

from providers.configuration.document import document_read
from providers.configuration.duplicates import duplicates_check
from providers.configuration.problems import ConfigurationRefused, path_join
from providers.configuration.schema import Configuration

_MISSING = object()
_FORMS: Mapping[type[Any], type[Any]] = {list: tuple, dict: dict}
"""How the schema declares what YAML has."""


def configuration_read(text: str) -> Configuration:
    """What a YAML text spells out, or a refusal that lists all that is wrong with its form."""
    reader = _Reader()
    file: Configuration = reader.read(Configuration, document_read(text), "")
    problems = reader.problems or list(duplicates_check(file))
    if problems:
        raise ConfigurationRefused(problems)
    return file


class _Reader:
    def __init__(self) -> None:
        self.problems: list[str] = []

    def read(self, kind: Any, value: Any, path: str) -> Any:
        """The value as the kind wants it; what cannot be read is noted, and answered as missing."""
        kind = _chosen(kind, value)
        container = get_origin(kind)
        if isinstance(kind, type) and issubclass(kind, Struct):
            return self._struct(kind, value, path)
        if container is dict:
            return self._mapping(kind, value, path)
        if container is tuple:
            return self._list(kind, value, path)
        return self._leaf(kind, value, path)

    def _struct(self, kind: type[Struct], value: Any, path: str) -> Any:
        if not self._is_mapping(value, path):
            return _MISSING
        known = {field.encode_name: field for field in fields(kind)}
        for name in value:
            if name not in known:
                self.problems.append(f"{path_join(path, str(name))}: unknown field{_meant(str(name), known)}")
        hints = _hints(kind)
        before = len(self.problems)
        members = {
            field.name: self.read(hints[field.name], value[name], path_join(path, name))
            for name, field in known.items()
            if name in value
        }
        for name, field in known.items():
            if field.required and name not in value:
                self.problems.append(f"{path_join(path, name)}: this field is required")
        return kind(**members) if len(self.problems) == before else _MISSING

    def _mapping(self, kind: Any, value: Any, path: str) -> Any:
        if not self._is_mapping(value, path):
            return _MISSING
        named, wanted = get_args(kind)
        read: dict[str, Any] = {}
        for name, item in value.items():
            place = path_join(path, str(name))
            if self._leaf(named, name, place) is not _MISSING:
                read[name] = self.read(wanted, item, place)
        return read

    def _list(self, kind: Any, value: Any, path: str) -> Any:
        if not isinstance(value, list):
            self.problems.append(f"{path or 'the file'}: write a list")
            return _MISSING
        wanted = get_args(kind)[0]
        return tuple(self.read(wanted, item, f"{path}[{index}]") for index, item in enumerate(value))

    def _leaf(self, kind: Any, value: Any, path: str) -> Any:
        try:
            read = msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            self.problems.append(f"{path}: {_plainly(str(error))}")
            return _MISSING
        if isinstance(read, Decimal) and not read.is_finite():
            self.problems.append(f"{path}: this is not a figure")
            return _MISSING
        return read

    def _is_mapping(self, value: Any, path: str) -> bool:
        if not isinstance(value, dict):
            self.problems.append(f"{path or 'the file'}: write a mapping of names and values")
            return False
        return True


def _chosen(kind: Any, value: Any) -> Any:
    """Of several kinds the one that has the value's form."""
    if get_origin(kind) not in (Union, types.UnionType):
        return kind
    choices = [choice for choice in get_args(kind) if choice is not UnsetType]
    if value is None and types.NoneType in choices:
        return types.NoneType
    choices = [choice for choice in choices if choice is not types.NoneType]
    form = _FORMS.get(type(value))
    fitting = [choice for choice in choices if get_origin(choice) is form]
    return fitting[0] if form and fitting else choices[0]


@lru_cache(maxsize=64)
def _hints(kind: type[Struct]) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _meant(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f", did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"


def _plainly(message: str) -> str:
    """msgspec's words without the path that it cannot know."""
    return message.partition(" - at `")[0].replace("`", "").replace("Expected str,", "Expected text,")
