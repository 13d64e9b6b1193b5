"""Findings for people to read: what is the same of many rows is said once."""

import re
from collections.abc import Iterable

from providers.litellm_import.findings import Finding

_INDEX = re.compile(r"\[\d+\]")


def lines_of(findings: Iterable[Finding], *, complete: bool) -> list[str]:
    """A line for each finding, or one for all that differ in the number of their row alone."""
    if complete:
        return [f"{one.path}: {one.reason}" for one in findings]
    groups: dict[tuple[str, str], list[str]] = {}
    for one in findings:
        groups.setdefault((_INDEX.sub("[*]", one.path), one.reason), []).append(one.path)
    return [_line(pattern, paths, reason) for (pattern, reason), paths in groups.items()]


def _line(pattern: str, paths: list[str], reason: str) -> str:
    if len(paths) == 1:
        return f"{paths[0]}: {reason}"
    return f"{pattern} ({len(paths)} times, first {paths[0]}): {reason}"
