"""A value that satisfies a JSON Schema, for tool arguments and structured output.

Honoured: type, const, enum, properties, required, items, prefixItems, minItems, maxItems, uniqueItems, the bounds of
numbers and strings, multipleOf, format, $ref within the document, anyOf, oneOf, allOf. Not honoured: pattern, not,
if, contains, dependencies. Source: https://json-schema.org/draft/2020-12
"""

import math
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from gateway.errors import ProviderError, ProviderFault

# Beyond this depth only what is required appears, so that recursive schemas come to an end.
GENEROUS_DEPTH = 4
DEEPEST = 40
# Values and characters that one instance may have.
LARGEST = 20_000
WORD = "sandbox"
FORMATS = {
    "date-time": "2026-01-31T12:00:00Z",
    "date": "2026-01-31",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "sandbox@example.com",
    "idn-email": "sandbox@example.com",
    "hostname": "sandbox.example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/sandbox",
    "uri-reference": "/sandbox",
    "iri": "https://example.com/sandbox",
    "url": "https://example.com/sandbox",
    "uuid": "00000000-0000-4000-8000-000000000001",
    "json-pointer": "/sandbox",
    "regex": "^sandbox$",
    "byte": "c2FuZGJveA==",
}


def instance_of(schema: Any) -> Any:
    """The value. Raises `ProviderError` (bad request) for a schema that has none within the sandbox's bounds."""
    try:
        return _Instance(schema).make(schema, 0, 0)
    except (TypeError, ValueError, AttributeError, KeyError, ArithmeticError) as error:
        raise _refusal(f"a keyword has a value of the wrong kind ({error})") from error


class _Instance:
    """The making of one value: the document that references look into, and what may still be spent."""

    def __init__(self, document: Any) -> None:
        self.document = document
        self.left = LARGEST

    def make(self, schema: Any, depth: int, nth: int) -> Any:
        """A value of `schema`; with another `nth`, another value where there are several."""
        self.spend(1)
        if depth > DEEPEST:
            raise _refusal("it refers to itself without an end")
        if schema is True or schema is None:
            return WORD
        if not isinstance(schema, dict):
            raise _refusal("a schema must be an object")
        schema = self.flatten(schema, depth)
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return schema["enum"][nth % len(schema["enum"])]
        match _kind(schema):
            case "object":
                return self.object(schema, depth)
            case "array":
                return self.array(schema, depth)
            case "integer" | "number" as kind:
                return _number(schema, kind, nth)
            case "boolean":
                return nth % 2 == 0
            case "null":
                return None
            case _:
                return self.string(schema, nth)

    def flatten(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        """The schema with its references followed and one branch of each alternative taken."""
        for _ in range(DEEPEST):
            self.spend(1)
            if depth > DEEPEST:
                break
            if "$ref" in schema:
                rest = {key: value for key, value in schema.items() if key != "$ref"}
                schema = _merge(self.find(schema["$ref"]), rest)
            elif alternatives := [key for key in ("anyOf", "oneOf") if schema.get(key)]:
                key = alternatives[0]
                rest = {name: value for name, value in schema.items() if name != key}
                schema = _merge(rest, self.choose(schema[key], depth))
            elif schema.get("allOf"):
                parts = schema["allOf"]
                schema = {key: value for key, value in schema.items() if key != "allOf"}
                for part in parts:
                    schema = _merge(schema, self.flatten(part, depth + 1) if isinstance(part, dict) else {})
            else:
                return schema
        raise _refusal("it refers to itself without an end")

    def choose(self, branches: Any, depth: int) -> dict[str, Any]:
        """The first branch that is more than null; deep down, the plainest one."""
        usable = [branch for branch in branches if isinstance(branch, dict)]
        if not usable:
            return {}
        filled = [branch for branch in usable if branch.get("type") != "null"] or usable
        if depth < GENEROUS_DEPTH:
            return filled[0]
        plain = [branch for branch in usable if "$ref" not in branch and _kind(branch) not in ("object", "array")]
        return (plain or filled)[0]

    def find(self, reference: Any) -> dict[str, Any]:
        """What a reference such as `#/$defs/Step` points at."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise _refusal("`$ref` must point into the same schema, as in `#/$defs/Step`")
        place = self.document
        for step in unquote(reference[1:]).split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(place, dict) and name in place:
                place = place[name]
            elif isinstance(place, list) and name.isdecimal() and int(name) < len(place):
                place = place[int(name)]
            else:
                raise _refusal(f"`{reference[:80]}` leads nowhere")
        if not isinstance(place, dict):
            raise _refusal(f"`{reference[:80]}` is no schema")
        return place

    def object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties, required = schema.get("properties") or {}, schema.get("required") or []
        if not isinstance(properties, dict) or not all(isinstance(name, str) for name in required):
            raise _refusal("`properties` or `required` is not what JSON Schema says")
        names = list(properties) if depth < GENEROUS_DEPTH else [name for name in properties if name in required]
        made = {name: self.make(properties[name], depth + 1, 0) for name in names if properties[name] is not False}
        more = schema.get("additionalProperties", True)
        for name in required:
            if name not in made:
                made[name] = self.make(more, depth + 1, 0)
        while len(made) < schema.get("minProperties", 0):
            made[f"{WORD}_{len(made)}"] = self.make(more, depth + 1, len(made))
        return made

    def array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        leading = schema.get("prefixItems") or []
        items = schema.get("items", True)
        least, most = schema.get("minItems", 0), schema.get("maxItems", LARGEST)
        length = max(least, len(leading) or (1 if depth < GENEROUS_DEPTH and items is not False else 0))
        length = min(length, most)
        if length > self.left:
            raise _refusal("its arrays are too long")
        return [self.make(leading[i] if i < len(leading) else items, depth + 1, i) for i in range(length)]

    def string(self, schema: dict[str, Any], nth: int) -> str:
        if made := FORMATS.get(schema.get("format", "")):
            return made
        made = f"{WORD} {nth + 1}" if nth else WORD
        least, most = schema.get("minLength", 0), schema.get("maxLength", LARGEST)
        self.spend(max(0, least - len(made)))
        if len(made) > most:
            return (str(nth) if nth else made)[:most]
        return made.ljust(least, "x")

    def spend(self, amount: int) -> None:
        self.left -= amount
        if self.left < 0:
            raise _refusal("its smallest instance is too large")


def _kind(schema: dict[str, Any]) -> str:
    """The type to make; where the schema names none, the one that its keywords speak of."""
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return next((kind for kind in kinds if kind != "null"), "null")
    if isinstance(kinds, str):
        return kinds
    if "properties" in schema or "required" in schema or "additionalProperties" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    if schema.keys() & {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}:
        return "number"
    return "string"


def _number(schema: dict[str, Any], kind: str, nth: int) -> int | float:
    """The lowest multiple that the bounds allow (1, where there is no lower bound), `nth` steps up.

    Where no multiple lies between the bounds of a number, the middle.
    """
    step = schema.get("multipleOf") or 1
    low, low_open = _bound(schema, "minimum", "exclusiveMinimum", max, -math.inf)
    high, high_open = _bound(schema, "maximum", "exclusiveMaximum", min, math.inf)

    def fits(value: float) -> bool:
        inside = low <= value <= high and not (low_open and value == low) and not (high_open and value == high)
        return inside and math.isfinite(value)

    if low == -math.inf:
        value = min(1, high) // step * step
        value = value if fits(value) else value - step
    else:
        value = -(-low // step) * step
        value = value if fits(value) else value + step
    if not fits(value):
        if kind == "integer" or "multipleOf" in schema or not fits((low + high) / 2):
            raise _refusal("no number lies within its bounds")
        return (low + high) / 2
    if fits(value + nth * step):
        value += nth * step
    return int(value) if float(value).is_integer() else round(value, 12)


def _bound(
    schema: dict[str, Any], inclusive: str, exclusive: str, tighter: Callable[..., float], free: float
) -> tuple[float, bool]:
    """A bound, and whether it is itself excluded: in the current notation, or in draft 4's boolean one."""
    bound, limit = schema.get(inclusive, free), schema.get(exclusive)
    if isinstance(limit, bool):
        return bound, limit
    if limit is None:
        return bound, False
    return tighter(bound, limit), tighter(bound, limit) == limit


def _merge(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Both schemas at once: properties and required names are joined, else the second decides."""
    merged = {**first, **second}
    if "properties" in first and "properties" in second:
        merged["properties"] = {**first["properties"], **second["properties"]}
    if "required" in first and "required" in second:
        merged["required"] = list(dict.fromkeys([*first["required"], *second["required"]]))
    return merged


def _refusal(why: str) -> ProviderError:
    return ProviderError(ProviderFault.BAD_REQUEST, f"The sandbox finds no instance of this JSON Schema: {why}.")
