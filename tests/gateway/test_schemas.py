"""Values against the schemas of callers: what is found, and what a schema cannot make the gateway do."""

from typing import Any

import pytest

from gateway.schemas import Breach, UnusableSchema, breach_of

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("schema", "value", "found"),
    [
        (PERSON, {"name": "Alice", "age": 7}, None),
        (PERSON, {}, Breach("#", "required")),
        (PERSON, [], Breach("#", "type")),
        (PERSON, {"name": "Alice", "age": -1}, Breach("#/properties/age", "minimum")),
        (PERSON, {"name": "Alice", "size": 1}, Breach("#", "additionalProperties")),
        (
            {"$defs": {"n": {"type": "number"}}, "items": {"$ref": "#/$defs/n"}},
            ["x"],
            Breach("#/items", "type"),
        ),
        ({"pattern": "(a+)+$"}, "a" * 40 + "!", None),
        ({"patternProperties": {"^x": {}}, "additionalProperties": False}, {"y": 1}, None),
        (
            {"properties": {"pattern": {"type": "string"}}},
            {"pattern": 1},
            Breach("#/properties/pattern", "type"),
        ),
        (False, 1, Breach("#", "false")),
    ],
)
def test_the_first_breach_is_told_in_the_words_of_the_schema(
    schema: Any, value: Any, found: Breach | None
) -> None:
    assert breach_of(schema, value) == found


def branching(depth: int) -> dict[str, Any]:
    """A schema that looks at a value twice at each of its levels."""
    twice = {f"a{level}": {"allOf": [{"$ref": f"#/$defs/a{level + 1}"}] * 2} for level in range(depth)}
    return {"$defs": {**twice, f"a{depth}": {}}, "$ref": "#/$defs/a0"}


def test_a_schema_may_branch_but_not_for_ever() -> None:
    assert breach_of(branching(8), 1) is None
    with pytest.raises(UnusableSchema):
        breach_of(branching(60), 1)


@pytest.mark.parametrize(
    "schema",
    [
        7,
        {"type": "nothing"},
        {"$ref": "#"},
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "file:///etc/passwd"},
        {"required": 7},
    ],
    ids=str,
)
def test_a_schema_that_cannot_be_used_is_one_and_is_not_fetched(schema: Any) -> None:
    with pytest.raises(UnusableSchema):
        breach_of(schema, {"a": 1})
