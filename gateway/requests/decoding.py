"""Reads JSON strictly, and turns every complaint into one of our named errors."""

import re
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, inspect

from gateway.errors import InvalidJSON, InvalidType, InvalidValue, MissingParameter, RequestError

Body = TypeVar("Body", bound=Struct)

# The last place named: a client's value, which may say the same, comes before it.
_PATH = re.compile(r" - at `\$\.?([^`]*)`$")
# msgspec's "Expected `array` of length >= 1" and "Expected `int | null`, got `str`".
_RANGE = re.compile(r"Expected `[^`]+`(?P<length> of length)? (?P<sign>[<>]=?) (?P<bound>\S+)$")
_TYPE = re.compile(r"Expected `(?P<wanted>[^`]+)`, got `(?P<got>[^`]+)`$")
_JSON_NAMES = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "array": "an array",
    "object": "an object",
}
_MISSING = re.compile(r"Object missing required field `(.+)`")
# Characters of a client's value that a message repeats.
LONGEST_QUOTE = 60


def decode_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in `raw`. Refuses what is not JSON to the letter: NaN, bad UTF-8, bottomless nesting.

    Raises `InvalidJSON`, or `InvalidType` for JSON that is no object.
    """
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidJSON(
            f"The body is not valid JSON: {_brief(error)}. Send one JSON object, encoded as UTF-8."
        ) from None
    if not isinstance(value, dict):
        raise InvalidType(f"The body must be a JSON object, not {_json_name(value)}.")
    return value


def convert(body: dict[str, Any], shape: type[Body], *, strict: bool = True) -> Body:
    """`body` as `shape`; if not `strict`, texts (a form has nothing else) may stand for numbers and booleans.

    Raises `MissingParameter`, `InvalidType` or `InvalidValue` naming the field.
    """
    try:
        return msgspec.convert(body, shape, strict=strict)
    except msgspec.ValidationError as error:
        raise _explain(str(error), shape) from None


def _brief(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return str(error).removeprefix("JSON is malformed: ") or "it is malformed"


def _json_name(value: object) -> str:
    names = {list: "array", str: "str", bool: "bool", int: "int", float: "float"}
    return _JSON_NAMES.get(names.get(type(value), ""), "null")


def _explain(complaint: str, shape: type[Struct]) -> RequestError:
    """Our error for msgspec's message, which names the place as `$.messages[0].role`."""
    found = _PATH.search(complaint)
    path = found.group(1) if found else ""
    text = _PATH.sub("", complaint)
    if missing := _MISSING.match(text):
        param = f"{path}.{missing.group(1)}" if path else missing.group(1)
        return MissingParameter(f"`{param}` is required. Add it to the body.", param=param)
    param_or_none = path or None
    if text.startswith("Invalid enum value"):
        allowed = ", ".join(f"`{value}`" for value in _allowed_values(shape, path))
        value = text.removeprefix("Invalid enum value ")
        value = f"'{cut(value[1:-1])}'" if value.startswith("'") else cut(value)
        return InvalidValue(f"`{path}` does not take {value}. Allowed: {allowed}.", param=param_or_none)
    if found := _RANGE.match(text):
        what = "have a length of" if found["length"] else "be"
        bound = "at least" if found["sign"].startswith(">") else "at most"
        number = found["bound"].removesuffix(".0")
        return InvalidValue(f"`{path}` must {what} {bound} {number}.", param=param_or_none)
    if found := _TYPE.match(text):
        wanted = " or ".join(_JSON_NAMES.get(name, name) for name in found["wanted"].split(" | ") if name != "null")
        got = _JSON_NAMES.get(found["got"], found["got"])
        return InvalidType(f"`{path}` must be {wanted}, not {got}.", param=param_or_none)
    return InvalidValue(f"`{path}`: {text}.", param=param_or_none)


def cut(value: str) -> str:
    """`value` as a message repeats it: a long one not to its end."""
    return value if len(value) <= LONGEST_QUOTE else f"{value[:LONGEST_QUOTE]}…"


def _allowed_values(shape: type[Struct], path: str) -> list[Any]:
    """The values of the enumeration at `path` in `shape`."""
    found: inspect.Type = inspect.type_info(shape)
    for step in re.findall(r"[^.\[\]]+", path):
        found = _step_into(found, step)
    return [value for option in _options(found) if isinstance(option, inspect.LiteralType) for value in option.values]


def _step_into(place: inspect.Type, step: str) -> inspect.Type:
    for option in _options(place):
        if isinstance(option, inspect.StructType):
            for field in option.fields:
                if field.encode_name == step:
                    return field.type
        elif isinstance(option, inspect.ListType) and (step.isdigit() or step == "..."):
            return option.item_type
        elif isinstance(option, inspect.DictType):
            return option.value_type
    return inspect.AnyType()


def _options(place: inspect.Type) -> tuple[inspect.Type, ...]:
    if isinstance(place, inspect.Metadata):
        return _options(place.type)
    return tuple(place.types) if isinstance(place, inspect.UnionType) else (place,)
