"""Fields that take what the document says of them and nothing else: a text is a text, a number a number."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.core.validators import RegexValidator
from django.db import models
from django.db.backends.base.operations import BaseDatabaseOperations
from rest_framework import serializers

MOMENT = (
    "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    "([.][0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
"""A moment with its zone, as RFC 3339 writes it."""

_MOMENT = re.compile(MOMENT.removesuffix("$"))
_LONGEST_NUMBER = 30


class TextField(serializers.CharField):
    """A text, measured as it was written; spaces at its ends go, unless it has to follow a pattern."""

    def __init__(self, **options: Any) -> None:
        patterned = any(
            isinstance(one, RegexValidator) and not one.inverse_match for one in options.get("validators", ())
        )
        super().__init__(**{"trim_whitespace": not patterned, **options})

    def to_internal_value(self, data: Any) -> str:
        """The text."""
        if not isinstance(data, str):
            self.fail("invalid")
        if self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)


class FlagField(serializers.BooleanField):
    """True or false, not a word for it."""

    def to_internal_value(self, data: Any) -> bool:
        """The flag."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class WholeField(serializers.IntegerField):
    """A whole number: 12, or 12.0, which is as whole."""

    def to_internal_value(self, data: Any) -> int:
        """The number."""
        if isinstance(data, Decimal) and abs(data.adjusted()) < _LONGEST_NUMBER and data == int(data):
            data = int(data)
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return data


class MomentField(serializers.DateTimeField):
    """A moment with its zone."""

    def to_internal_value(self, value: Any) -> Any:
        """The moment."""
        if not isinstance(value, str) or not _MOMENT.fullmatch(value):
            raise serializers.ValidationError("Write a moment with its zone, such as 2026-01-31T12:00:00Z.")
        return super().to_internal_value(value)


STRICT: Mapping[type[Any], type[Any]] = {
    models.CharField: TextField,
    models.TextField: TextField,
    models.BooleanField: FlagField,
    models.IntegerField: WholeField,
    models.BigIntegerField: WholeField,
    models.SmallIntegerField: WholeField,
    models.PositiveIntegerField: WholeField,
    models.PositiveSmallIntegerField: WholeField,
    models.PositiveBigIntegerField: WholeField,
    models.DateTimeField: MomentField,
}


def bounds_of(column: Any) -> tuple[int, int] | None:
    """What a column of whole numbers holds on any database; None for other columns."""
    return BaseDatabaseOperations.integer_field_ranges.get(column.get_internal_type())
