"""A schema of the document as a list of fields, each with those in it."""

from typing import Any

from msgspec import Struct

Document = dict[str, Any]
Schema = dict[str, Any]

# Values of an enumeration that are shown.
MOST_VALUES = 12


class Field(Struct, frozen=True):
    """`kind` is the type in words; `bounds` what it may be besides. What there is not is empty."""

    name: str
    kind: str
    description: str = ""
    is_required: bool = False
    bounds: str = ""
    values: list[str] = []
    fields: list["Field"] = []


def resolve(document: Document, value: dict[str, Any]) -> dict[str, Any]:
    """What `value` is, or refers to."""
    target = value.get("$ref")
    if target is None:
        return value
    found: Any = document
    for step in target.removeprefix("#/").split("/"):
        found = found[step]
    resolved: dict[str, Any] = {**found, **{name: one for name, one in value.items() if name != "$ref"}}
    return resolved


def fields_of(document: Document, schema: Schema) -> list[Field]:
    """The fields of an object, the required ones first; of several objects those of each, under its name."""
    schema = resolve(document, schema)
    if "properties" in schema:
        required = schema.get("required", ())
        found = [read_field(document, name, one, name in required) for name, one in schema["properties"].items()]
        return sorted(found, key=lambda field: not field.is_required)
    if "x-events" in schema:
        return [_variant(document, one) for one in schema["x-events"]]
    options = [one for one in schema.get("anyOf", ()) if _holds_fields(document, one)]
    if len(options) == 1:
        return fields_of(document, options[0])
    if options:
        return [_variant(document, one) for one in options]
    return fields_of(document, schema["items"]) if "items" in schema else []


def read_field(document: Document, name: str, schema: Schema, is_required: bool) -> Field:
    """One field, with those in it."""
    resolved = resolve(document, schema)
    return Field(
        name=name,
        kind=kind_of(document, resolved),
        description=resolved.get("description", ""),
        is_required=is_required,
        bounds=_bounds(resolved),
        values=[str(value) for value in _values(resolved)[:MOST_VALUES]],
        fields=fields_of(document, resolved),
    )


def kind_of(document: Document, schema: Schema) -> str:
    """`string`, `array of objects`, `boolean or string`. That a field may be null goes without saying."""
    schema = resolve(document, schema)
    if schema.get("format") == "binary":
        return "file"
    if "anyOf" in schema:
        kinds = [kind_of(document, one) for one in schema["anyOf"]]
        return " or ".join(dict.fromkeys(kind for kind in kinds if kind != "null")) or "null"
    kind = schema.get("type", "")
    if isinstance(kind, list):
        kind = " or ".join(one for one in kind if one != "null")
    if kind == "array":
        return (
            f"array of {kind_of(document, schema['items']).replace(' or ', 's or ')}s"
            if schema.get("items")
            else "array"
        )
    if kind:
        return str(kind)
    values = _values(schema)
    return "boolean" if values and isinstance(values[0], bool) else "string" if values else "any"


def _variant(document: Document, schema: Schema) -> Field:
    resolved = resolve(document, schema)
    return Field(
        name=resolved.get("title", ""),
        kind="object",
        description=resolved.get("description", ""),
        fields=fields_of(document, resolved),
    )


def _holds_fields(document: Document, schema: Schema) -> bool:
    resolved = resolve(document, schema)
    return "properties" in resolved or ("items" in resolved and _holds_fields(document, resolved["items"]))


def _values(schema: Schema) -> list[Any]:
    if "const" in schema:
        return [schema["const"]]
    for one in (schema, schema.get("items", {}), *schema.get("anyOf", ())):
        if "enum" in one:
            return [value for value in one["enum"] if value is not None]
    return []


def _bounds(schema: Schema) -> str:
    for one in (schema, *schema.get("anyOf", ())):
        low, high = one.get("minimum"), one.get("maximum")
        if low is not None and high is not None:
            return f"{low:,} to {high:,}"
        if low is not None:
            return f"{low:,} or more"
        if one.get("maxLength", 0) > 1:
            return f"up to {one['maxLength']:,} characters"
        if "maxItems" in one:
            return f"up to {one['maxItems']:,}"
    return ""
