"""What becomes of each line of a file: taken, changed, or left, with the reason in plain words."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from providers.configuration.problems import path_join
from providers.litellm_import.guarded import figure_of

UNKNOWN = "nothing here corresponds to it"
_MOST = 2**31 - 1
_YES = frozenset({"true", "yes", "on", "t", "1"})
_NO = frozenset({"false", "no", "off", "f", "0"})


class Fate(StrEnum):
    """What becomes of a line."""

    TAKEN = "taken"
    CHANGED = "changed"
    LEFT = "left"


class Finding(Struct, frozen=True):
    """The fate of a line, or of all below a path; never its value, which may be a secret."""

    fate: Fate
    path: str
    reason: str = ""


class Untaken(Exception):
    """Something cannot be taken as a whole; the reason is the message."""


class _Marks(Struct):
    taken: set[str] = field(default_factory=set)
    changed: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)

    def add(self, other: "_Marks") -> None:
        """Take over what was marked elsewhere; the first reason stands."""
        self.taken |= other.taken
        self.changed = other.changed | self.changed
        self.left = other.left | self.left


class Findings:
    """Collects fates while files are read."""

    def __init__(self) -> None:
        self._marks = [_Marks()]
        self.notes: list[str] = []
        """What is worth knowing, and no line of a file says."""

    def take(self, path: str) -> None:
        """It is taken as it is."""
        self._marks[-1].taken.add(path)

    def change(self, path: str, reason: str) -> None:
        """It is taken as something else."""
        self._marks[-1].changed.setdefault(path, reason)

    def leave(self, path: str, reason: str) -> None:
        """It is not taken, nor what is below it."""
        self._marks[-1].left.setdefault(path, reason)

    def note(self, text: str) -> None:
        """Say something once."""
        if text not in self.notes:
            self.notes.append(text)

    def knows(self, path: str) -> bool:
        """Whether a fate is known for the path itself."""
        return any(path in one.taken or path in one.changed or path in one.left for one in self._marks)

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Forget what was marked within, if it cannot be taken as a whole."""
        self._marks.append(_Marks())
        noted = len(self.notes)
        try:
            yield
        except Untaken:
            self._marks.pop()
            del self.notes[noted:]
            raise
        marks = self._marks.pop()
        self._marks[-1].add(marks)

    def judge(self, root: "Part") -> list[Finding]:
        """The fate of every line of a file, in its order; what was never looked at is left."""
        return [one for part in root.parts() for one in self._judge(part, Fate.LEFT, UNKNOWN)]

    def _judge(self, part: "Part", fate: Fate, reason: str) -> list[Finding]:
        marks = self._marks[0]
        if part.path in marks.left:
            return [Finding(Fate.LEFT, part.path, marks.left[part.path])]
        if part.path in marks.changed:
            fate, reason = Fate.CHANGED, marks.changed[part.path]
        elif part.says_nothing or (part.path in marks.taken and fate is not Fate.CHANGED):
            fate, reason = Fate.TAKEN, ""
        below = [one for child in part.parts() for one in self._judge(child, fate, reason)]
        if not below:
            return [Finding(fate, part.path, reason)]
        alike = {(one.fate, one.reason) for one in below}
        is_one = len(below) > 1 and len(alike) == 1
        return [Finding(below[0].fate, part.path, below[0].reason)] if is_one else below


class Part:
    """A value of a file with its place; reading it as what it should be marks it, as taken or as left."""

    __slots__ = ("_findings", "path", "value")

    def __init__(self, value: Any, path: str, findings: Findings) -> None:
        self.value = value
        self.path = path
        self._findings = findings

    @property
    def says_nothing(self) -> bool:
        """Whether it is not there, or empty."""
        return self.value is None or self.value in ("", [], {})

    def get(self, name: str) -> "Part":
        """A member, which may not be there."""
        value = self.value.get(name) if isinstance(self.value, dict) else None
        return value if isinstance(value, Part) else self._child(value, self._joined(name))

    @property
    def is_read(self) -> bool:
        """Whether somebody read it already, or anything below it."""
        return self._findings.knows(self.path) or any(part.is_read for part in self.parts())

    def items(self) -> Sequence[tuple[str, "Part"]]:
        """Its members with their names, of which there are none if it is no mapping."""
        return [(name, self.get(name)) for name in self.value] if isinstance(self.value, dict) else ()

    def parts(self) -> Sequence["Part"]:
        """All that is in it."""
        if isinstance(self.value, dict):
            return [part for _, part in self.items()]
        if isinstance(self.value, list):
            return [
                one if isinstance(one, Part) else self._child(one, f"{self.path}[{index}]")
                for index, one in enumerate(self.value)
            ]
        return ()

    def members(self) -> Mapping[str, "Part"]:
        """Its members by name, if it is a mapping."""
        if isinstance(self.value, dict):
            return dict(self.items())
        self.leave_wrong("write a mapping of names and values")
        return {}

    def elements(self) -> Sequence["Part"]:
        """Its elements, if it is a list."""
        if isinstance(self.value, list):
            return self.parts()
        self.leave_wrong("write a list")
        return ()

    def text(self) -> str:
        """A text; empty where there is none."""
        if isinstance(self.value, bool) or not isinstance(self.value, str | int | Decimal):
            self.leave_wrong("write a text")
            return ""
        self.take()
        return str(self.value).strip()

    def texts(self) -> list[str]:
        """A list of texts; one text alone will do."""
        parts = self.parts() if isinstance(self.value, list) else [self]
        return [text for text in (part.text() for part in parts) if text]

    def flag(self) -> bool | None:
        """Yes or no."""
        word = str(self.value).lower()
        if isinstance(self.value, str | bool) and word in _YES | _NO:
            self.take()
            return word in _YES
        self.leave_wrong("write true or false")
        return None

    def figure(self) -> Decimal | None:
        """A figure from 0 up."""
        value = self.value
        known = isinstance(value, str | int | Decimal) and not isinstance(value, bool)
        figure = figure_of(str(value).strip()) if known else None
        if figure is None or figure < 0:
            self.leave_wrong("write a figure from 0 up")
            return None
        self.take()
        return figure

    def whole(self, *, least: int = 0, most: int = _MOST) -> int | None:
        """A whole number."""
        figure = self.figure()
        if figure is None:
            return None
        if figure != figure.to_integral_value() or not least <= figure <= most:
            self.leave(f"write a whole number from {least} to {most}")
            return None
        return int(figure)

    def take(self) -> None:
        """It is taken as it is."""
        self._findings.take(self.path)

    def change(self, reason: str) -> None:
        """It is taken as something else."""
        self._findings.change(self.path, reason)

    def leave(self, reason: str) -> None:
        """It is not taken."""
        if self.value is not None:
            self._findings.leave(self.path, reason)

    def leave_wrong(self, reason: str) -> None:
        """It has not the form that it should have; what says nothing has any."""
        if not self.says_nothing:
            self.leave(reason)

    def with_value(self, value: Any) -> "Part":
        """The same place with parts of several files in it."""
        return self._child(value, self.path)

    def _joined(self, name: str) -> str:
        return self.path + path_join("", name) if self.path.endswith(":") else path_join(self.path, name)

    def _child(self, value: Any, path: str) -> "Part":
        return Part(value, path, self._findings)
