"""Requests as Stripe takes them: forms with nested keys, held against the parameters that its library knows.

`line_items[0][price_data][unit_amount]=1000` becomes `{"line_items": [{"price_data": {"unit_amount": 1000}}]}`.
"""

import re
import typing
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from types import UnionType
from typing import Any, Literal, Union

from stripe import RequestOptions
from typing_extensions import get_type_hints, is_typeddict

from tests.upstreams.stripe.errors import bad_parameter

KEY = re.compile(r"\A[^\[\]]+(?:\[[^\[\]]*\])*\Z")
PART = re.compile(r"[^\[\]]+|\[\]")
# Names that the library's modules of parameters leave to type checkers.
NAMES = {"StripeContext": object, "Mapping": Mapping}
METADATA_KEYS, METADATA_KEY_LENGTH, METADATA_VALUE_LENGTH = 50, 40, 500


def decode(fields: Mapping[str, str]) -> dict[str, Any]:
    """Dictionaries of strings, lists being ones with numbers as keys."""
    tree: dict[str, Any] = {}
    for key, value in fields.items():
        if not KEY.match(key):
            raise bad_parameter(f"Invalid request: the parameter {key} cannot be read.", param=key)
        node = tree
        *path, last = PART.findall(key)
        for part in path:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise bad_parameter(f"Invalid hash: {key}", param=key)
        node[str(len(node)) if last == "[]" else last] = value
    return tree


def read(kind: Any, tree: Mapping[str, Any], parent: str = "") -> dict[str, Any]:
    """The parameters, typed as `kind`, a class of `stripe.params`, says. Raises `RequestRefused`, as Stripe would."""
    known = _parameters(kind)
    found: dict[str, Any] = {}
    for name, raw in tree.items():
        param = f"{parent}[{name}]" if parent else name
        if name not in known:
            raise bad_parameter(f"Received unknown parameter: {param}", code="parameter_unknown", param=param)
        found[name] = _convert(known[name], raw, param)
    for name in sorted(kind.__required_keys__ & known.keys()):
        if name not in tree:
            param = f"{parent}[{name}]" if parent else name
            raise bad_parameter(f"Missing required param: {param}.", code="parameter_missing", param=param)
    return found


@cache
def _parameters(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind, localns=NAMES)
    return {name: hint for name, hint in hints.items() if name not in RequestOptions.__annotations__}


def _convert(hint: Any, raw: Any, param: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, UnionType):
        return _convert_union(arguments, raw, param)
    if origin is Literal:
        return _choose(arguments, raw, param)
    if origin is dict:
        return _metadata(raw, param)
    if origin is list:
        if not isinstance(raw, dict) or list(raw) != [str(number) for number in range(len(raw))]:
            raise bad_parameter("Invalid array", param=param)
        return [_convert(arguments[0], one, f"{param}[{number}]") for number, one in raw.items()]
    if is_typeddict(hint):
        if not isinstance(raw, dict):
            raise bad_parameter("Invalid object", param=param)
        return read(hint, raw, param)
    return _convert_plain(hint, raw, param)


def _convert_union(kinds: tuple[Any, ...], raw: Any, param: str) -> Any:
    words = [word for kind in kinds if typing.get_origin(kind) is Literal for word in typing.get_args(kind)]
    if raw == "" and "" in words:
        return None  # which unsets it
    if raw in words:
        return raw
    others = [kind for kind in kinds if typing.get_origin(kind) is not Literal]
    if isinstance(raw, dict):
        nested = [kind for kind in others if is_typeddict(kind) or typing.get_origin(kind) in (dict, list)]
        if not nested:
            raise bad_parameter(f"Invalid string: {raw}", param=param)
        return _convert(nested[0], raw, param)
    plain = [kind for kind in others if kind in (int, bool, float, Decimal)]
    if plain:
        return _convert_plain(plain[0], raw, param)
    # A word beside `str` is one of those that there are today.
    return _choose(tuple(words), raw, param) if any(words) else _convert_plain(str, raw, param)


def _choose(words: tuple[str, ...], raw: Any, param: str) -> str:
    if raw not in words:
        name = param.rpartition("[")[2].rstrip("]")
        raise bad_parameter(f"Invalid {name}: must be one of {', '.join(words[:-1])}, or {words[-1]}", param=param)
    return raw


def _convert_plain(kind: Any, raw: Any, param: str) -> Any:
    if isinstance(raw, dict):
        raise bad_parameter(f"Invalid string: {raw}", param=param)
    if raw == "":
        raise bad_parameter(
            f"You passed an empty string for '{param}'. We assume empty values are an attempt to unset a field; "
            f"however '{param}' cannot be unset.",
            code="parameter_invalid_empty",
            param=param,
        )
    if kind is bool:
        if raw not in ("true", "false"):
            raise bad_parameter(f"Invalid boolean: {raw}", param=param)
        return raw == "true"
    if kind is int:
        if not re.fullmatch(r"-?\d{1,18}", raw):
            raise bad_parameter(f"Invalid integer: {raw}", code="parameter_invalid_integer", param=param)
        return int(raw)
    if kind in (float, Decimal):
        return float(raw)
    return raw


def _metadata(raw: Any, param: str) -> dict[str, str]:
    if not isinstance(raw, dict) or not all(isinstance(value, str) for value in raw.values()):
        raise bad_parameter("Invalid object", param=param)
    if len(raw) > METADATA_KEYS:
        raise bad_parameter(f"Metadata can only have up to {METADATA_KEYS} keys.", param=param)
    for key, value in raw.items():
        if len(key) > METADATA_KEY_LENGTH or len(value) > METADATA_VALUE_LENGTH:
            raise bad_parameter(f"Metadata keys and values have limits; {key} is over one.", param=f"{param}[{key}]")
    return {key: value for key, value in raw.items() if value}
