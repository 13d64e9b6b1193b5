"""A configuration with all that it includes, and the tables of keys and teams, as parts with their places."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from providers.configuration.problems import ConfigurationRefused
from providers.litellm_import.findings import Findings, Part
from providers.litellm_import.guarded import (
    LARGEST_TABLE,
    LARGEST_TEXT,
    csv_read,
    json_read,
    refused,
    yaml_read,
)

_INCLUDE = "include"
_MOST_FILES = 50
_OVERRULED = "an included file says this section too, and its word counts"


class File(Struct, frozen=True):
    """What one file says; its label begins the path of each of its lines."""

    label: str
    values: Any


def configuration_files(path: Path) -> list[File]:
    """The file and what it includes, each once, in LiteLLM's order."""
    waiting = [(path, "")]
    files: list[File] = []
    seen: set[str] = set()
    while waiting:
        one, label = waiting.pop(0)
        if os.path.abspath(one) in seen:
            continue
        seen.add(os.path.abspath(one))
        if len(seen) > _MOST_FILES:
            raise refused(str(path), f"this includes more than {_MOST_FILES} files")
        values = yaml_read(_text(one, LARGEST_TEXT), label or path.name)
        if not isinstance(values, dict):
            raise refused(label or path.name, "write a mapping of sections")
        files.append(File(f"{label}:" if label else "", values))
        waiting += [(_included(name, one, path), name) for name in _includes(values, label or path.name)]
    return files


def table_read(text: str, label: str) -> File:
    """Rows of a table, as JSON or as CSV with a head."""
    if text.lstrip("\ufeff \t\r\n")[:1] in ("[", "{"):
        values = json_read(text, label)
        return File(f"{label}:", values.get(label, values) if isinstance(values, dict) else values)
    rows = csv_read(text, label)
    return File(f"{label}:", [{name: _column(value) for name, value in row.items()} for row in rows])


def merged(files: Sequence[Part]) -> Part:
    """Lists go on in the files that are included; of all else, the last word counts."""
    sections: dict[str, Part] = {}
    for file in files:
        for name, part in file.items():
            before = sections.get(name)
            if name == _INCLUDE:
                part.texts()
            elif before is None:
                sections[name] = part
            elif isinstance(before.value, list) and isinstance(part.value, list):
                sections[name] = before.with_value([*before.parts(), *part.parts()])
            else:
                before.leave(_OVERRULED)
                sections[name] = part
    return files[0].with_value(sections)


def parts_of(files: Sequence[File], findings: Findings) -> list[Part]:
    """Files whose lines are watched."""
    return [Part(file.values, file.label, findings) for file in files]


def table_file_read(path: Path, label: str) -> File:
    """Rows of a table in a file."""
    return table_read(_text(path, LARGEST_TABLE), label)


def _text(path: Path, most: int) -> str:
    """The text of a file, and no more of it than is read on."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read(most + 1)
    except (OSError, UnicodeDecodeError, ValueError):
        raise refused(str(path), "there is no such file, or it is no text") from None


def _includes(values: dict[str, Any], label: str) -> list[str]:
    names = values.get(_INCLUDE) or []
    if not isinstance(names, list) or not all(isinstance(name, str) and name.isprintable() for name in names):
        raise refused(f"{label}: {_INCLUDE}", "write a list of files")
    return names


def _included(name: str, declared_in: Path, root: Path) -> Path:
    """Beside the file that names it, or else beside the first one."""
    beside = declared_in.parent / name
    return beside if beside.exists() else root.parent / name


def _column(text: str | None) -> Any:
    """A field of CSV: PostgreSQL writes lists in braces, and JSON as it is."""
    if text is None or text[0] + text[-1] not in ("{}", "[]"):
        return text
    try:
        return json_read(text, "")
    except ConfigurationRefused:
        return next(csv.reader([text[1:-1]], escapechar="\\"), [])
