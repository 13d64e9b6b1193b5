"""Brings one row to the values of the file, and writes only where they differ."""

from collections.abc import Mapping
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model
from msgspec import UNSET

from providers.configuration.plan import Action, Plan

Row = TypeVar("Row", bound=Model)


def named_values(**values: Any) -> dict[str, Any]:
    """The values that the file names."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if value is not UNSET
    }


def row_apply(
    plan: Plan,
    row: Row,
    values: Mapping[str, Any],
    *,
    path: str,
    thing: str,
    words: Mapping[str, str] | None = None,
    hidden: frozenset[str] = frozenset(),
) -> Row | None:
    """Write the row if it is new or differs; None after a problem.

    `words` are the file's names of columns, `hidden` the columns whose values nobody is shown.
    """
    words = words or {}
    created = row._state.adding
    if getattr(row, "blocked", False) and "blocked" not in values:
        plan.note(path, "this is blocked and stays so; `blocked: false` opens it")
    shown = {name: _shown(getattr(row, name)) for name in values}
    changed = [name for name, value in values.items() if getattr(row, name) != value]
    if not created and not changed:
        plan.add(Action.UNCHANGED, thing)
        return row
    for name in changed:
        setattr(row, name, values[name])
    try:
        row.full_clean()
    except ValidationError as error:
        problems_note(plan, error, path=path, words=words)
        return None
    row.save(force_insert=created, update_fields=None if created else changed)
    details = [
        words.get(name, name)
        if name in hidden
        else f"{words.get(name, name)} {shown[name]} → {_shown(values[name])}"
        for name in changed
    ]
    plan.add(Action.CREATED if created else Action.CHANGED, thing, "" if created else ", ".join(details))
    return row


def problems_note(plan: Plan, error: ValidationError, *, path: str, words: Mapping[str, str]) -> None:
    """Note a row's problems under the names that the file has for its columns."""
    by_field = error.message_dict if hasattr(error, "error_dict") else {"__all__": error.messages}
    for name, messages in by_field.items():
        place = path if name == "__all__" else f"{path}.{words.get(name, name)}"
        for message in messages:
            plan.problem(place, message)


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "[" + ", ".join(map(str, value)) + "]"
    return str(value)
