"""Reads the process environment once, typed and loudly, and remembers what it was asked.

The memory is what `docs/settings.md` and its test are made from: a variable that is read is also listed.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_BOOLEANS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable that the gateway understands."""

    name: str
    default: str
    meaning: str


class Environment:
    """A typed view of the environment; an empty variable counts as absent, as compose files leave them."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._variables: dict[str, Variable] = {}

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Everything read so far, in the order of reading."""
        return tuple(self._variables.values())

    def text(self, name: str, default: str = "", *, meaning: str) -> str:
        """Free text."""
        self._variables[name] = Variable(name, default, meaning)
        return self._values.get(name, "").strip() or default

    def boolean(self, name: str, default: bool = False, *, meaning: str) -> bool:
        """Yes or no in the usual spellings; any other word is an error, never a quiet no."""
        word = self.text(name, "true" if default else "false", meaning=meaning).lower()
        if word not in _BOOLEANS:
            raise ImproperlyConfigured(f"{name} must be one of {', '.join(_BOOLEANS)}, not {word!r}.")
        return _BOOLEANS[word]

    def maybe(self, name: str, *, meaning: str) -> bool | None:
        """Yes, no, or nothing said."""
        said = self.boolean(name, meaning=meaning) if self.text(name, meaning=meaning) else None
        self._variables[name] = Variable(name, "", meaning)
        return said

    def integer(self, name: str, default: int, *, minimum: int = 0, meaning: str) -> int:
        """A whole number not below the minimum."""
        digits = self.text(name, str(default), meaning=meaning)
        try:
            number = int(digits)
        except ValueError as error:
            raise ImproperlyConfigured(f"{name} must be a whole number, not {digits!r}.") from error
        if number < minimum:
            raise ImproperlyConfigured(f"{name} must be at least {minimum}, not {number}.")
        return number

    def choice(self, name: str, choices: tuple[str, ...], *, meaning: str) -> str:
        """One of a few words; the first is the default."""
        word = self.text(name, choices[0], meaning=meaning).upper()
        if word not in choices:
            raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, not {word!r}.")
        return word

    def names(self, name: str, default: tuple[str, ...] = (), *, meaning: str) -> list[str]:
        """A list parted by commas."""
        listed = self.text(name, ",".join(default), meaning=meaning)
        return [part.strip() for part in listed.split(",") if part.strip()]

    def address(self, name: str, schemes: tuple[str, ...], *, meaning: str) -> str:
        """The URL of a server, or nothing; a password in it is not repeated."""
        url = self.text(name, meaning=meaning)
        if url and not url.startswith(tuple(f"{scheme}://" for scheme in schemes)):
            raise ImproperlyConfigured(f"{name} must begin with one of {', '.join(schemes)}, and ://.")
        return url

    def kept(self, name: str, path: Path, make: Callable[[], str], *, meaning: str) -> str:
        """A secret: given by the environment, else made once and kept in a file for its owner's eyes."""
        given = self.text(name, f"made once, kept in {path.name}", meaning=meaning)
        return given if self._values.get(name, "").strip() else _kept_text(path, make)


def _kept_text(path: Path, make: Callable[[], str]) -> str:
    """Several processes may start at once: each drafts its own, the first link wins, all read it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()
