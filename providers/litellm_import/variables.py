"""`os.environ/NAME`, as LiteLLM writes what the environment knows, and secrets."""

import re
from collections.abc import Mapping

from msgspec import Struct

from providers.litellm_import.findings import Part, Untaken
from providers.validators import SECRET_REFERENCES

_FROM_ENVIRONMENT = "os.environ/"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")


class Secret(Struct, frozen=True):
    """A secret, or where it is."""

    variable: str = ""
    literal: str = ""

    def __repr__(self) -> str:
        return f"Secret({self.variable or 'literal'})"

    @property
    def stored(self) -> str:
        """What our file says: a reference, or the secret, which is then stored encrypted."""
        return self.literal or f"env:{self.variable}"


class Variables:
    """The environment, under what the file itself says of it."""

    def __init__(self, section: Part, environ: Mapping[str, str]) -> None:
        self._section = section
        self._environ = environ

    def text(self, part: Part) -> str:
        """A text, looked up now where the file names a variable; empty where nothing is written."""
        text = part.text()
        name = named(text)
        if not name:
            return text
        value = self._own(name) or self._environ.get(name, "").strip()
        if not value:
            part.leave(missing(name))
            raise Untaken(missing(name))
        part.change("what the variable says now is taken")
        return value

    def secret(self, part: Part) -> Secret | None:
        """A secret; None where nothing is written."""
        text = part.text()
        name = named(text)
        if name:
            own = self._own(name)
            return Secret(literal=_harmless(own)) if own else Secret(variable=name)
        return Secret(literal=_harmless(text)) if text else None

    def first_set(self, names: tuple[str, ...]) -> Secret | None:
        """The first of some variables that is set, or else the first of them."""
        for name in names:
            own = self._own(name)
            if own:
                return Secret(literal=_harmless(own))
            if self._environ.get(name):
                return Secret(variable=name)
        return Secret(variable=names[0]) if names else None

    def reveal(self, secret: Secret) -> str:
        """The secret itself; empty where it is not to be found here."""
        return secret.literal or self._environ.get(secret.variable, "").strip()

    def _own(self, name: str) -> str:
        """What the file says of a variable."""
        part = self._section.get(name)
        return "" if part.says_nothing or isinstance(part.value, dict | list) else part.text()


def named(text: str) -> str:
    """The variable that a text names, if it does."""
    if not text.startswith(_FROM_ENVIRONMENT):
        return ""
    name = text.removeprefix(_FROM_ENVIRONMENT)
    if not _NAME.fullmatch(name):
        raise Untaken("os.environ/ is followed by no variable's name")
    return name


def missing(name: str) -> str:
    """What to do about a variable that is not there."""
    return f"the variable {name} is not set here: set it and import again"


def _harmless(secret: str) -> str:
    """Refuse a secret that our file would take for the place of one."""
    if secret.startswith(SECRET_REFERENCES):
        raise Untaken("a secret that begins like a reference to one cannot be taken")
    if not secret.isprintable() or not secret.isascii():
        raise Untaken("a secret with marks that no header can hold cannot be taken")
    return secret
