"""Names with one star in them: `openai/*`, `gpt-4*`."""

from collections.abc import Iterable


def matches(pattern: str, name: str) -> bool:
    """Whether a pattern, or a plain name, covers a name."""
    if pattern == name:
        return True
    head, star, tail = pattern.partition("*")
    return bool(star) and len(name) >= len(head) + len(tail) and name.startswith(head) and name.endswith(tail)


def best_pattern(patterns: Iterable[str], name: str) -> str | None:
    """The longest pattern that covers a name; of two as long, the first in the alphabet."""
    covering = [pattern for pattern in patterns if matches(pattern, name)]
    return min(covering, key=lambda pattern: (-len(pattern), pattern), default=None)


def fill_star(text: str, pattern: str, name: str) -> str:
    """`text` with its star replaced by what the pattern's star matched in `name`."""
    head, star, tail = pattern.partition("*")
    if not star:
        return text
    return text.replace("*", name[len(head) : len(name) - len(tail)], 1)
