"""Values made from JSON Schemas are valid, and no schema costs more than it should."""

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.sandbox.instances import instance_of

TREE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "left": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
            "required": ["name", "left", "children"],
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/node",
}
SCHEMAS = [
    {},
    {"type": "object"},
    {"type": ["null", "integer"]},
    {"const": {"a": [1]}},
    {"enum": [None, 3]},
    {"type": "integer", "exclusiveMinimum": 5},
    {"type": "integer", "minimum": 10, "multipleOf": 7},
    {"type": "integer", "maximum": -3},
    {"type": "integer", "exclusiveMaximum": -3},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.1},
    {"type": "number", "minimum": 0.2, "maximum": 0.3},
    {"type": "string", "minLength": 30},
    {"type": "string", "maxLength": 3},
    {"type": "string", "maxLength": 0},
    {"type": "array", "items": {"type": "string"}, "minItems": 4, "uniqueItems": True},
    {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 9}, "minItems": 5, "uniqueItems": True},
    {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 3, "uniqueItems": True},
    {"type": "array", "maxItems": 0, "items": {"type": "string"}},
    {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "boolean"}], "items": False},
    {"type": "object", "required": ["x"]},
    {"type": "object", "minProperties": 3, "additionalProperties": {"type": "integer"}},
    {"oneOf": [{"type": "integer"}, {"type": "string"}]},
    {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}]},
    {"allOf": [{"properties": {"a": {"type": "integer"}}, "required": ["a"]}, {"properties": {"b": {"const": 2}}}]},
    {"properties": {"a": {"$ref": "#/$defs/a%20b"}}, "$defs": {"a b": {"type": "integer"}}, "required": ["a"]},
    {"properties": {"a": {"$ref": "#/definitions/x~1y"}}, "definitions": {"x/y": {"type": "integer"}}},
    TREE,
    *({"type": "string", "format": name} for name in ("date-time", "date", "time", "email", "uri", "uuid", "ipv4")),
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: json.dumps(schema)[:60])
def test_the_value_is_valid(schema):
    jsonschema.validate(
        instance_of(schema),
        schema,
        cls=jsonschema.Draft202012Validator,
        format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
    )


@given(st.integers(-1000, 1000), st.integers(0, 40), st.booleans(), st.booleans(), st.integers(1, 9))
def test_a_number_keeps_its_bounds_where_it_can(low, room, low_open, high_open, step):
    schema = {
        "type": "integer",
        "exclusiveMinimum" if low_open else "minimum": low,
        "exclusiveMaximum" if high_open else "maximum": low + room,
        "multipleOf": step,
    }
    fitting = [n for n in range(low + low_open, low + room + 1 - high_open) if n % step == 0]
    if fitting:
        assert instance_of(schema) == fitting[0]
    else:
        with pytest.raises(ProviderError):
            instance_of(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/$defs/nowhere"},
        {"$ref": "https://example.com/schema.json"},
        {"allOf": [{"$ref": "#"}]},
        {"type": "array", "items": {"$ref": "#"}, "minItems": 1},
        {"type": "array", "items": {"type": "string"}, "minItems": 10**9},
        {"type": "string", "minLength": 10**9},
        {"type": "object", "minProperties": 10**9},
        {"type": "integer", "minimum": 3, "maximum": 2},
        {"type": "integer", "minimum": "three"},
        {"type": "object", "properties": {"a": 3}},
        {"type": "object", "properties": "none"},
        {"type": "number", "minimum": 1e308, "multipleOf": 1e-308},
        {
            "$defs": {
                f"n{i}": {"type": "object", "properties": {f"p{j}": {"$ref": f"#/$defs/n{i + 1}"} for j in range(20)}}
                for i in range(4)
            }
            | {"n4": {"type": "object", "required": [f"x{i}" for i in range(2000)]}},
            "$ref": "#/$defs/n0",
        },
    ],
    ids=lambda schema: json.dumps(schema)[:50],
)
def test_a_schema_without_a_reasonable_instance_is_a_bad_request(schema):
    with pytest.raises(ProviderError) as refusal:
        instance_of(schema)

    assert refusal.value.kind is ProviderFault.BAD_REQUEST
