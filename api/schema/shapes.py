"""Structs, serializers' fields and samples of answers as JSON schemas."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from rest_framework import serializers

from api.manage.fields import RowField, ScaledField, StructField
from api.manage.prices import ListedPriceField
from api.schema.bodies import nullable, with_numbers, written

Schema = dict[str, Any]

FILE = "manage.file"
"""Values in the words of the configuration file, apart from the rows of the same names."""

_REFERENCE = "#/components/schemas/"
_TEXT: Schema = {"type": "string"}
_DOLLARS: Schema = {"type": "string", "description": "A decimal number of dollars.", "examples": ["12.50"]}


class Shapes:
    """Collects the schemas that a document refers to; each dialect's names stand by themselves."""

    def __init__(self) -> None:
        self.components: dict[str, Schema] = {}
        self.responses: dict[str, Schema] = {}

    def of_type(self, family: str, kind: Any) -> Schema:
        """The schema of a type; structs are described once, and referred to."""
        (schema,), parts = msgspec.json.schema_components(
            [kind], ref_template=f"{_REFERENCE}{family}.{{name}}"
        )
        self.components |= {f"{family}.{name}": with_numbers(part) for name, part in parts.items()}
        return schema

    def of_sample(self, name: str, samples: Iterable[Any]) -> Schema:
        """The schema of answers that look like these."""
        self.components[name] = _joined([_sampled(sample) for sample in samples])
        return reference(name)

    def of_serializer(self, name: str, serializer: Any) -> Schema:
        """The schema of rows that are told."""
        fields: Mapping[str, Any] = getattr(serializer, "fields", {})
        told: Schema = {"type": "object", "description": _first_line(serializer)}
        told["properties"] = {
            name: self._of_field(field) for name, field in fields.items() if not field.write_only
        }
        self.components[name] = told
        return reference(name)

    def of_body(self, name: str, serializer: Any, *, partial: bool) -> Schema:
        """The schema of bodies that are written: whole rows, or what is to change of a row."""
        fields = {name: field for name, field in serializer.fields.items() if not field.read_only}
        told: Schema = {"type": "object", "description": _first_line(serializer)}
        told["properties"] = {name: written(field) or self._of_field(field) for name, field in fields.items()}
        told["additionalProperties"] = False
        if not partial:
            told["required"] = [name for name, field in fields.items() if field.required]
            told["allOf"] = list(getattr(serializer, "together", ()))
        self.components[name] = {word: said for word, said in told.items() if said != []}
        return reference(name)

    def _of_field(self, field: Any) -> Schema:
        schema = self._plain(field)
        return nullable(schema) if field.allow_null else schema

    def _plain(self, field: Any) -> Schema:
        if isinstance(field, StructField):
            return self.of_type(FILE, field.form)
        if isinstance(field, serializers.ListField):
            return {"type": "array", "items": self._of_field(field.child)}
        if isinstance(field, serializers.ChoiceField):
            return {"enum": [*field.choices, *([""] if field.allow_blank else [])]}
        return next((dict(make(field)) for kind, make in _FIELDS.items() if isinstance(field, kind)), {})


def reference(name: str) -> Schema:
    """Where a component stands."""
    return {"$ref": f"{_REFERENCE}{name}"}


def _whole(field: Any) -> Schema:
    bounds = {"minimum": field.min_value, "maximum": field.max_value}
    return {"type": "integer"} | {name: value for name, value in bounds.items() if value is not None}


def _text(field: Any) -> Schema:
    return _TEXT | ({"maxLength": field.max_length} if field.max_length else {})


_FIELDS: Mapping[type[Any], Callable[[Any], Schema]] = {
    ScaledField: lambda _: _DOLLARS,
    ListedPriceField: lambda _: _DOLLARS,
    RowField: lambda _: _TEXT | {"description": "Another row: its names, or its id."},
    serializers.UUIDField: lambda _: _TEXT | {"format": "uuid"},
    serializers.DateTimeField: lambda _: _TEXT | {"format": "date-time"},
    serializers.BooleanField: lambda _: {"type": "boolean"},
    serializers.IntegerField: _whole,
    serializers.CharField: _text,
    serializers.SerializerMethodField: lambda _: {},
}


def _sampled(value: Any) -> Schema:
    match value:
        case None:
            return {"type": "null"}
        case bool():
            return {"type": "boolean"}
        case str():
            return {"type": "string"}
        case dict():
            members = {name: _sampled(inner) for name, inner in value.items()}
            return {"type": "object", "properties": members, "required": sorted(members)}
        case _:
            return {}


def _joined(schemas: list[Schema]) -> Schema:
    """What all of them are."""
    first, *others = schemas
    if all(one == first for one in others):
        return first
    if any("properties" not in one for one in schemas):
        return {"type": sorted({str(one["type"]) for one in schemas})}
    names = list(dict.fromkeys(name for one in schemas for name in one["properties"]))
    members = {
        name: _joined([one["properties"][name] for one in schemas if name in one["properties"]])
        for name in names
    }
    required = [name for name in names if all(name in one["properties"] for one in schemas)]
    return {"type": "object", "properties": members, "required": sorted(required)}


def _first_line(thing: Any) -> str:
    return (thing.__doc__ or "").strip().partition("\n")[0]


def summary_of(thing: Any) -> str:
    """The first sentence that something says of itself."""
    return _first_line(thing).partition(";")[0].rstrip(".")
