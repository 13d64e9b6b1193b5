"""Values that a JSON schema of ours allows, and some beside them that it may forbid."""

import re
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from jsonschema import Draft202012Validator

Schema = dict[str, Any]

_WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
_SCALARS = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(-1e3, 1e3) | _WORDS
ANYTHING = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_WORDS, inner, max_size=2)
)
"""Whatever JSON can say, in small."""


def for_python(document: Any) -> Any:
    """The document with patterns that end where others' end: Python's `$` lets a line end follow."""
    if isinstance(document, list):
        return [for_python(one) for one in document]
    if not isinstance(document, dict):
        return document
    told = {name: for_python(inner) for name, inner in document.items()}
    if isinstance(told.get("pattern"), str):
        told["pattern"] = re.sub(r"\$$", r"\\Z", told["pattern"])
    return told


def validator_of(schema: Schema, document: Schema) -> Draft202012Validator:
    """Judges by a schema and what it refers to."""
    return Draft202012Validator(
        {**schema, "components": document["components"]},
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )


def values(schema: Schema, document: Schema) -> SearchStrategy[Any]:
    """Values that the schema allows."""
    judge = validator_of(schema, document)
    return _drawn(schema, document).filter(judge.is_valid)


def beside(schema: Schema, document: Schema) -> SearchStrategy[Any]:
    """Objects with a member more, less, or other than the schema allows, as far as it forbids that."""
    members = _resolved(schema, document)["properties"]
    one_off = st.sampled_from([*members, "no_such_field"])

    def changed(body: Schema) -> SearchStrategy[Any]:
        return st.one_of(
            st.builds(lambda name, value: {**body, name: value}, one_off, ANYTHING),
            st.builds(lambda name: {key: body[key] for key in body if key != name}, one_off),
        )

    return values(schema, document).flatmap(changed)


def _resolved(schema: Schema, document: Schema) -> Schema:
    while "$ref" in schema:
        found: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return schema


def _drawn(schema: Schema, document: Schema) -> SearchStrategy[Any]:
    schema = _resolved(schema, document)
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        outer = {word: said for word, said in schema.items() if word != "anyOf"}
        return st.one_of(*(_drawn({**outer, **one}, document) for one in schema["anyOf"]))
    kinds = schema.get("type", "null")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    return st.one_of(*(_of_kind(kind, schema, document) for kind in kinds))


def _of_kind(kind: str, schema: Schema, document: Schema) -> SearchStrategy[Any]:
    match kind:
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema.get("minimum"), schema.get("maximum"))
        case "number":
            return st.integers(schema.get("minimum", 1), schema.get("maximum", 1000))
        case "string":
            return _text(schema)
        case "array":
            items = _drawn(schema["items"], document)
            return st.lists(items, max_size=3, unique=schema.get("uniqueItems", False))
        case "object":
            return _object(schema, document)
        case _:
            return st.none()


def _text(schema: Schema) -> SearchStrategy[str]:
    most = min(schema.get("maxLength", 40), 40)
    if "pattern" not in schema:
        return st.text(_characters(), min_size=schema.get("minLength", 0), max_size=most)
    return st.from_regex(re.compile(schema["pattern"]), alphabet=_characters()).filter(
        lambda text: len(text) <= schema.get("maxLength", 1000)
    )


def _characters() -> SearchStrategy[str]:
    return st.characters(codec="utf-8", exclude_characters="\x00")


def _object(schema: Schema, document: Schema) -> SearchStrategy[Any]:
    members = {name: _drawn(part, document) for name, part in schema.get("properties", {}).items()}
    needed = schema.get("required", [])
    if members:
        return st.fixed_dictionaries(
            {name: members[name] for name in needed},
            optional={name: part for name, part in members.items() if name not in needed},
        )
    inner = schema.get("additionalProperties")
    if not inner:
        return st.just({})
    names = _drawn({"type": "string", **schema.get("propertyNames", {})}, document)
    return st.dictionaries(names, _drawn(inner, document), max_size=2)
