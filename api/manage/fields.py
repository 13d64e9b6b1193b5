"""Fields that speak as operators do: rows by name, money in dollars, members of the configuration file."""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

import msgspec
from django.db.models import Model, Q, QuerySet
from rest_framework import serializers
from rest_framework.request import Request

from api.manage.actors import Actor
from providers.configuration.figures import BASIS_POINTS
from tenants.money import text_of, units_of

_LONGEST_NAMES = 1_000
_FIGURE = re.compile(r"\$?-?[0-9]+(\.[0-9]+)?")


def actor_of(request: Request) -> Actor:
    """Who asks; the permission has seen to it that there is somebody."""
    if not isinstance(request.auth, Actor):
        raise TypeError("the view let somebody in without roles")
    return request.auth


def rows_within(rows: QuerySet[Any], *, actor: Actor, noun: str, paths: tuple[str, ...]) -> QuerySet[Any]:
    """The rows that the actor may know of, by the ways that lead from a row to its tenant."""
    tenants = actor.reach(noun)
    if tenants is None:
        return rows
    condition = Q(pk__in=())
    for path in paths:
        condition |= Q(**{f"{path}__in": tenants})
    return rows.filter(condition)


def row_find(rows: QuerySet[Any], lookups: tuple[str, ...], text: str) -> Any:
    """The row of an id, or of the names of its address parted by slashes; None if there is none.

    What reads as an id is one, so that no name can stand in another row's place.
    """
    if len(text) > _LONGEST_NAMES or "\x00" in text:
        return None
    identifier = uuid_read(text)
    if identifier is not None:
        return rows.filter(pk=identifier).first()
    names = text.split("/", len(lookups) - 1) if lookups else []
    if not lookups or len(names) != len(lookups):
        return None
    return rows.filter(**dict(zip(lookups, names, strict=True))).first()


def uuid_read(text: str) -> UUID | None:
    """The id that a text is, in any of its spellings; None if it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


class RowField(serializers.Field[Any, Any, Any, Any]):
    """Another row, named by its id or by its names; told by its names, or its id where it has none."""

    def __init__(
        self,
        rows: QuerySet[Any],
        *,
        noun: str = "",
        paths: tuple[str, ...] = (),
        lookups: tuple[str, ...] = (),
        **options: Any,
    ) -> None:
        self.rows, self.noun, self.paths, self.lookups = rows, noun, paths, lookups
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> Any:
        """The row, if the actor may know of it."""
        row = None
        if isinstance(data, str):
            rows = self.rows.all()
            if self.noun:
                actor = actor_of(self.context["request"])
                rows = rows_within(rows, actor=actor, noun=self.noun, paths=self.paths)
            row = row_find(rows, self.lookups, data)
        if row is None:
            name = self.rows.model._meta.verbose_name
            how = "its name or id" if self.lookups else "its id"
            raise serializers.ValidationError(f"There is no such {name} here; write {how}.")
        return row

    def to_representation(self, value: Any) -> str:
        """Its names as its address has them."""
        return row_name(value, self.lookups)


def row_name(row: Model, lookups: tuple[str, ...]) -> str:
    """How a row is named in bodies."""
    if not lookups:
        return str(row.pk)
    parts: list[str] = []
    for lookup in lookups:
        value: Any = row
        for step in lookup.split("__"):
            value = getattr(value, step)
        parts.append(str(value))
    return "/".join(parts)


class ScaledField(serializers.Field[Any, Any, Any, Any]):
    """A decimal text beside a column of whole units, a `scale` of which make one."""

    def __init__(self, *, column: str, scale: int, **options: Any) -> None:
        self.column, self.scale = column, scale
        super().__init__(**options)

    def get_attribute(self, instance: Any) -> Any:
        """The column that it tells."""
        return getattr(instance, self.column)

    def to_internal_value(self, data: Any) -> int:
        """Whole units, without any rounding."""
        try:
            return units_of(written_number(data), self.scale)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None

    def to_representation(self, value: int) -> str:
        """The decimal number, to its last digit."""
        return text_of(value, self.scale, least_digits=2)


def written_number(data: Any) -> str:
    """A number as it was written, be it a JSON text or a JSON number; ValueError for anything else."""
    number = isinstance(data, int | Decimal) and not isinstance(data, bool)
    if not number and not (isinstance(data, str) and _FIGURE.fullmatch(data)):
        raise ValueError("Write a number such as 12.50.")
    return str(data)


class StructField(serializers.Field[Any, Any, Any, Any]):
    """A value in the words of the configuration file."""

    form: ClassVar[Any]

    def to_internal_value(self, data: Any) -> Any:
        """The value, if it has the file's form."""
        try:
            return msgspec.convert(data, self.form)
        except msgspec.ValidationError as error:
            raise serializers.ValidationError(str(error)) from None

    def to_representation(self, value: Any) -> Any:
        """Told by whoever has the field."""
        return value


def fraction_told(units: int | None) -> str | None:
    """A fraction of one, kept in basis points, as a decimal text."""
    return None if units is None else text_of(units, BASIS_POINTS)


def problems_refuse(problems: Iterable[str], prefix: str, field: str = "body") -> None:
    """Refuse what the file would be refused for, each problem under its own field."""
    fields: dict[str, list[str]] = {}
    for problem in problems:
        path, _, message = problem.removeprefix(prefix).removeprefix(".").partition(": ")
        fields.setdefault(path or field, []).append(message)
    if fields:
        raise serializers.ValidationError(fields)


def agreed(values: dict[str, Any], *, scaled: str, whole: str, needed: bool) -> None:
    """Let a figure that may be given in two units be one: both may stand there if they say the same."""
    units = {values.pop(scaled, None), values.get(whole)} - {None}
    if len(units) > 1:
        raise serializers.ValidationError({scaled: [f"This says something else than {whole}."]})
    if not units and needed:
        raise serializers.ValidationError({scaled: [f"Write this, or {whole}."]})
    if units:
        values[whole] = units.pop()
