"""Requests and answers held against the types of OpenAI's own SDK."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from openai._models import validate_type
from pydantic import ConfigDict, TypeAdapter


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    # Pydantic takes a configuration for a list of typed dictionaries, and none for one.
    return TypeAdapter(list[kind], config=ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True))  # type: ignore[valid-type]


def check_request(kind: Any, body: dict[str, Any]) -> None:
    """Fails where `body` is not what the SDK's `kind` says, or holds a field that it does not know."""
    for part in _adapter(kind).validate_python([body])[0].values():
        if isinstance(part, Iterable) and not isinstance(part, str | list | dict):
            list(part)  # an iterable is looked at as it is read


def read_answer(kind: Any, answer: Any) -> Any:
    """`answer` as the SDK gives it to its users. Fails where it is no `kind`."""
    return validate_type(type_=kind, value=answer)
