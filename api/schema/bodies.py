"""The schemas of fields that are written, as strict as the fields themselves.

Patterns are read by clients of many languages, so they have neither lookaheads nor flags.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType
from typing import Any
from zoneinfo import available_timezones

from django.core.validators import RegexValidator
from rest_framework import serializers

from api.manage.fields import RowField, ScaledField
from api.manage.prices import ListedPriceField
from api.manage.strict import MOMENT
from providers.validators import (
    FRAMING_HEADERS,
    SECRET_HEADERS,
    base_url_validate,
    headers_validate,
    model_name_validate,
)
from tenants.roles import PLATFORM_ROLES, TENANT_ROLES
from tenants.validators import (
    networks_validate,
    percents_validate,
    roles_validate,
    texts_validate,
    time_zone_validate,
)

Schema = dict[str, Any]

_ZERO: Schema = {"pattern": r"\u0000"}
_TEXT: Schema = {"type": "string", "not": _ZERO}
_SAID: Schema = _TEXT | {"minLength": 1, "pattern": r"[^\s\u0000]"}
_ROW: Schema = {"type": "string", "minLength": 1, "description": "Another row: its names, or its id."}
_NETWORK: Schema = _SAID | {"description": "A network such as `10.0.0.0/8`.", "format": "cidr"}
_DOLLARS: Schema = {
    "type": ["string", "number"],
    "description": "A decimal number of dollars; what cannot be kept to its last digit is refused.",
    "examples": ["12.50"],
    "maxLength": 40,
}
_AMOUNT: Schema = _DOLLARS | {
    "pattern": "^[$]?0*[0-9]{1,7}([.][0-9]{1,9}0*)?$",
    "not": {"type": "string", "pattern": "^[$]?[0.]*$"},
    "exclusiveMinimum": 0,
}
_PRICE: Schema = _DOLLARS | {"pattern": "^[$]?0*[0-9]{1,12}([.][0-9]{1,12}0*)?$", "minimum": 0}


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def with_numbers(schema: Any) -> Any:
    """The same where a decimal is a text: it may be a number as well."""
    if isinstance(schema, list):
        return [with_numbers(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    told = {name: with_numbers(inner) for name, inner in schema.items()}
    return told | ({"type": ["string", "number"]} if told.get("format") == "decimal" else {})


def written(field: Any) -> Schema:
    """The schema of what a field takes; empty for fields that are told of as they are written."""
    for kind, make in _KINDS.items():
        if isinstance(field, kind):
            schema = make(field)
            return nullable(schema) if schema and field.allow_null else schema
    return {}


def _text(field: Any) -> Schema:
    schema = dict(_TEXT if field.allow_blank else _SAID)
    if field.max_length:
        schema["maxLength"] = field.max_length
    for rule in _rules(field):
        schema |= {"anyOf": [rule, {"const": ""}]} if field.allow_blank else rule
    return schema


def _json(field: Any) -> Schema:
    return next(_rules(field), {})


def _rules(field: Any) -> Iterator[Schema]:
    """What a field's validators say."""
    for validator in field.validators:
        if isinstance(validator, RegexValidator):
            pattern = re.compile(validator.regex).pattern.replace(r"\A", "^").replace(r"\Z", "$")
            yield (
                {"not": {"pattern": f"{_ZERO['pattern']}|{pattern}"}}
                if validator.inverse_match
                else {"pattern": pattern}
            )
        elif isinstance(validator, FunctionType) and validator in _RULES:
            yield _RULES[validator]


def _rows(field: Any) -> Schema:
    return {"type": "array", "items": _ROW}


def _either_case(names: frozenset[str]) -> str:
    """A pattern of names in letters of either size."""
    return "|".join(
        "".join(f"[{mark.upper()}{mark}]" if mark.isalpha() else mark for mark in name)
        for name in sorted(names)
    )


_RULES: Mapping[Any, Schema] = {
    texts_validate: {"type": "array", "items": _SAID},
    networks_validate: {"type": "array", "items": _NETWORK},
    roles_validate: {
        "type": "array",
        "items": {"enum": list(dict.fromkeys((*PLATFORM_ROLES, *TENANT_ROLES)))},
    },
    percents_validate: {
        "type": "array",
        "description": "Whole percents, rising.",
        "items": {"type": "integer", "minimum": 1, "maximum": 1000},
        "uniqueItems": True,
    },
    time_zone_validate: {"enum": sorted(available_timezones())},
    model_name_validate: {"pattern": r"^[^\s*\u0000]*[*]?[^\s*\u0000]*$"},
    base_url_validate: {"format": "uri", "pattern": r"^https?://[^\s/?#@\u0000]+(/[^\s?#\u0000]*)?$"},
    headers_validate: {
        "type": "object",
        "propertyNames": {
            "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
            "not": {"pattern": f"^({_either_case(SECRET_HEADERS | FRAMING_HEADERS)})$"},
        },
        "additionalProperties": {"type": "string", "not": {"pattern": r"[\r\n\u0000]"}},
    },
}
"""What validators of columns say, as schemas."""

_KINDS: Mapping[type[Any], Callable[[Any], Schema]] = {
    RowField: lambda _: _ROW,
    ScaledField: lambda _: _AMOUNT,
    ListedPriceField: lambda _: _PRICE,
    serializers.ListSerializer: _rows,
    serializers.ListField: _rows,
    serializers.JSONField: _json,
    serializers.DateTimeField: lambda _: {"type": "string", "format": "date-time", "pattern": MOMENT},
    serializers.CharField: _text,
}
