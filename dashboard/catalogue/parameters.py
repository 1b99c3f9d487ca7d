"""A model's parameters as a table, from the JSON Schema that programs are given."""

from typing import Any

from msgspec import Struct

from gateway.catalog.parameters import Schema, parameters
from gateway.catalog.schema import Model

# So many values are shown; the rest unfold.
SHOWN = 6


class Parameter(Struct, frozen=True):
    """`values` are those allowed, `more` the rest of them; `bounds` those of a number. What there is not is empty."""

    name: str
    kind: str
    description: str
    is_required: bool
    default: str
    values: list[str]
    more: list[str]
    bounds: str


def parameter_table(model: Model) -> list[Parameter]:
    """All parameters of `model`, the required ones first."""
    schema = parameters(model)
    required = schema["required"]
    rows = [_parameter(name, field, name in required) for name, field in schema["properties"].items()]
    return sorted(rows, key=lambda row: not row.is_required)


def _parameter(name: str, field: Schema, is_required: bool) -> Parameter:
    values = [_text(value) for value in _values(field)]
    return Parameter(
        name=name,
        kind=_kind(field),
        description=field.get("description", ""),
        is_required=is_required,
        default=_text(field["default"]) if "default" in field else "",
        values=values[:SHOWN],
        more=values[SHOWN:],
        bounds=_bounds(field),
    )


def _kind(field: Schema) -> str:
    """`string`, `array of objects`, `string or array of strings`."""
    if field.get("contentMediaType", "").startswith("audio/"):
        return "file"
    if "type" in field:
        kind = field["type"]
        return f"array of {_kind(field['items'])}s" if kind == "array" and "items" in field else str(kind)
    kinds = [_kind(one) for one in field.get("anyOf", ()) if "type" in one]
    return " or ".join(dict.fromkeys(kinds)) or "string"


def _values(field: Schema) -> list[Any]:
    if "const" in field:
        return [field["const"]]
    if "examples" in field:
        return list(field["examples"])
    listed = field.get("enum") or field.get("items", {}).get("enum")
    if listed is None:
        listed = next((one["enum"] for one in field.get("anyOf", ()) if "enum" in one), [])
    return list(listed)


def _bounds(field: Schema) -> str:
    if "minimum" in field and "maximum" in field:
        return f"{field['minimum']:,} to {field['maximum']:,}"
    if "minimum" in field:
        return f"{field['minimum']:,} or more"
    if "maxLength" in field:
        return f"up to {field['maxLength']:,} characters"
    return ""


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
