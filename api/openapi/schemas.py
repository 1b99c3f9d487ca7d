"""The schemas of bodies: made of the Structs that check requests, and of those that tell of answers."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from api.openapi.errors import error_schema
from api.openapi.fields import DESCRIBED
from api.openapi.operation import Operation, Schema, Shape

PLACE = "#/components/schemas/"
_NAMES = {struct.__name__: described.name for struct, described in DESCRIBED.items()}


def reference(shape: Shape) -> Schema:
    """The schema of a body: a reference, one of several, or itself."""
    if isinstance(shape, dict):
        return {name: _events(value) if name == "x-events" else value for name, value in shape.items()}
    if isinstance(shape, tuple):
        return {"anyOf": [reference(one) for one in shape]}
    return {"$ref": PLACE + _public_name(shape.__name__)}


def component_schemas(operations: tuple[Operation, ...], also: tuple[type[Struct], ...] = ()) -> dict[str, Schema]:
    """All that `operations` refer to, by their names."""
    structs = dict.fromkeys([struct for operation in operations for struct in _structs_of(operation)] + [*also])
    _, made = msgspec.json.schema_components(structs, ref_template=PLACE + "{name}")
    by_name = {struct.__name__: struct for struct in (*DESCRIBED, *structs)}
    schemas = {"Error": error_schema()}
    for name, schema in made.items():
        public = _public_name(name)
        schemas[public] = {**_tidy(schema), "title": public}
        if name in by_name:
            _describe(schemas[public], by_name[name])
    return schemas


def _public_name(name: str) -> str:
    return _NAMES.get(name, name)


def _structs_of(operation: Operation) -> Iterator[type[Struct]]:
    contents = [*operation.body.values()]
    for answer in operation.answers.values():
        contents += answer.content.values()
    for content in contents:
        shape = content.shape
        if isinstance(shape, dict):
            yield from shape.get("x-events", ())
        elif isinstance(shape, tuple):
            yield from shape
        else:
            yield shape


def _events(structs: tuple[type[Struct], ...]) -> list[Schema]:
    return [reference(struct) for struct in structs]


def _describe(schema: Schema, struct: type[Struct]) -> None:
    """Adds our words to a schema that was made of a Struct which has none of its own."""
    for base in struct.__mro__:
        if (described := DESCRIBED.get(base)) is None:
            continue
        if base is struct:
            schema.pop("description", None)
            if described.description:
                schema["description"] = described.description
        for name, words in described.fields.items():
            if name in schema["properties"]:
                schema["properties"][name].setdefault("description", words)


def _tidy(value: Any) -> Any:
    """`value` with public names, and without the nulls that stand for what was left out.

    A field that may be null says so by its types, as far as it has but one of those.
    """
    if isinstance(value, list):
        return [_tidy(one) for one in value]
    if not isinstance(value, dict):
        return value
    tidied = {name: _tidy(one) for name, one in value.items() if not (name == "default" and one in (None, ""))}
    if isinstance(target := tidied.get("$ref"), str):
        tidied["$ref"] = PLACE + _public_name(target.removeprefix(PLACE))
    match tidied.get("anyOf"):
        case [{"type": str(kind), **rest}, {"type": "null"}] if "enum" not in rest:
            del tidied["anyOf"]
            return {"type": [kind, "null"], **rest, **tidied}
    return tidied
