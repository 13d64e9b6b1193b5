"""Whether a value keeps to a JSON Schema that a caller sent. No I/O: a schema's references lead nowhere else.

Patterns are not looked at, nor is what depends on them: a caller's expression may take for ever.
"""

from collections.abc import Iterator
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, cast

from msgspec import Struct

REFERENCES_AT_MOST = 20_000
"""That are followed for one value: a few lines of a schema can ask for more than a lifetime holds."""

_FAR = ("unevaluatedProperties", "unevaluatedItems", "$dynamicRef")
"""What looks through a schema again, or depends on patterns."""

_steps_left: ContextVar[list[int]] = ContextVar("steps_left")


class Breach(Struct, frozen=True, gc=False):
    """Where a value breaks its schema: in the schema's words, for the value is nobody's business."""

    path: str
    keyword: str


class UnusableSchema(Exception):
    """Nothing can be checked by this schema."""


def breach_of(schema: object, value: object) -> Breach | None:
    """The first place where a value does not keep to a schema."""
    from jsonschema.exceptions import ValidationError, best_match  # takes longer to load than all of us

    if not isinstance(schema, dict | bool):
        raise UnusableSchema
    _steps_left.set([REFERENCES_AT_MOST])
    try:
        validator = _validator()(schema, registry=_registry())
        found = cast(ValidationError | None, best_match(validator.iter_errors(value)))
    except Exception as error:  # the library raises whatever a wrong schema makes Python raise
        raise UnusableSchema from error
    if found is None:
        return None
    path = "/".join(str(part) for part in list(found.absolute_schema_path)[:-1])
    return Breach(f"#/{path}" if path else "#", str(found.validator or "false"))


def _nothing(*_: object) -> Iterator[Any]:
    return iter(())


@lru_cache(1)
def _validator() -> Any:
    from jsonschema.validators import Draft202012Validator, extend

    usual = Draft202012Validator.VALIDATORS["additionalProperties"]

    def additional(validator: Any, told: Any, instance: Any, schema: Any) -> Iterator[Any]:
        if "patternProperties" not in schema:
            yield from usual(validator, told, instance, schema)

    follow = Draft202012Validator.VALIDATORS["$ref"]

    def counted(validator: Any, told: Any, instance: Any, schema: Any) -> Iterator[Any]:
        left = _steps_left.get()
        left[0] -= 1
        if left[0] < 0:
            raise UnusableSchema
        yield from follow(validator, told, instance, schema)

    left_out = dict.fromkeys(("pattern", "patternProperties", *_FAR), _nothing)
    return extend(Draft202012Validator, {**left_out, "additionalProperties": additional, "$ref": counted})


@lru_cache(1)
def _registry() -> Any:
    """Knows no other document, and fetches none."""
    from referencing import Registry

    return Registry()
