"""How the tables of this package tell of an operation. https://spec.openapis.org/oas/v3.1.1.html"""

from enum import Enum
from typing import Any, TypeAlias

from msgspec import Struct

Schema: TypeAlias = dict[str, Any]
# A Struct of which the schema is made; several, of which it is one; or the schema itself.
Shape: TypeAlias = type[Struct] | tuple[type[Struct], ...] | Schema

JSON = "application/json"
FORM = "multipart/form-data"
EVENTS = "text/event-stream"
TEXT = "text/plain"


class Key(Enum):
    """Whether an operation asks for an API key."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    NONE = "none"


class Content(Struct, frozen=True):
    """A body of one media type. `examples` are by their names, each as it could be sent or answered."""

    shape: Shape
    examples: dict[str, Any] = {}


class Answer(Struct, frozen=True):
    """An answer that is no error. `headers` are the names of `api.openapi.headers.HEADERS`."""

    description: str
    content: dict[str, Content] = {}
    headers: tuple[str, ...] = ()


class Operation(Struct, frozen=True, kw_only=True):
    """`path` is the documented one, with `/v1`. `errors` are the names of `api.openapi.errors.ERRORS`.

    `parameters` are the names of `api.openapi.parameters.PARAMETERS`.
    """

    method: str
    path: str
    id: str
    tag: str
    summary: str
    description: str
    answers: dict[int, Answer]
    errors: tuple[str, ...]
    key: Key = Key.REQUIRED
    parameters: tuple[str, ...] = ()
    body: dict[str, Content] = {}


def stream_of(*events: type[Struct], example: str, ends_with: str = "") -> Content:
    """Server-sent events, whose `data` is one of `events` in JSON.

    The specification has no word for their shape before version 3.2; `x-events` names the schemas.
    """
    names = " or ".join(f"`{event.__name__}`" for event in events)
    schema = {
        "type": "string",
        "description": f"Server-sent events. The `data` of each is JSON: {names}.{ends_with}",
        "x-events": events,
    }
    return Content(schema, {"stream": example})
