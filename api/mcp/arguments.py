"""Reads a tool's arguments: strictly, since a name that is passed over is a wish that nobody meets."""

from typing import Any, TypeVar

from msgspec import Struct

from api.mcp.schemas import Schema
from gateway.errors import InvalidValue
from gateway.requests.decoding import convert, cut

Shape = TypeVar("Shape", bound=Struct)


def check_names(arguments: dict[str, Any], schema: Schema) -> None:
    """Raises `InvalidValue` for an argument that `schema` does not have."""
    known = schema["properties"]
    for name in arguments:
        if name not in known:
            names = ", ".join(f"`{one}`" for one in known)
            raise InvalidValue(f"`{cut(name)}` is no argument of this tool. It takes {names}.", param=cut(name))


def read(arguments: dict[str, Any], shape: type[Shape], schema: Schema) -> Shape:
    """`arguments` as `shape`. Raises a `RequestError` naming the argument at fault."""
    check_names(arguments, schema)
    return convert(arguments, shape)
