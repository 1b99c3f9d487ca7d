"""JSON objects that are dicts, and have attributes as well: `result["data"][0]["url"]` is `result.data[0].url`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import httpx


class Record(dict[str, Any]):
    """An object of the API. Fields that are declared and missing are None as attributes, as at OpenAI.

    Everything that came is there, also what this version of the SDK does not know. It is a dict: it goes into
    `json.dumps`, and into the next request, as it is.
    """

    __slots__ = ()

    # What the objects in a field are, where they have a class of their own.
    NESTED: ClassVar[Mapping[str, type[Record]]] = {}
    _declared: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = (name for name in getattr(cls, "__annotations__", {}) if name.islower() and not name.startswith("_"))
        cls._declared = cls._declared | frozenset(own)

    def __init__(self, fields: Mapping[str, Any] = {}, /) -> None:
        super().__init__({name: _convert(value, self.NESTED.get(name, Record)) for name, value in fields.items()})

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        if name in self._declared:
            return None
        raise AttributeError(f"{type(self).__name__} has no {name!r}. It has: {', '.join(self) or 'nothing'}.")

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._declared, *self})


class Answer(Record):
    """A whole answer of the API."""

    __slots__ = ("_response",)

    _response: httpx.Response

    def __init__(self, fields: Mapping[str, Any], response: httpx.Response) -> None:
        super().__init__(fields)
        object.__setattr__(self, "_response", response)

    @property
    def response(self) -> httpx.Response:
        """The HTTP around it: status and headers."""
        return self._response

    @property
    def request_id(self) -> str:
        """Names the request. Quote it when you ask about one."""
        return request_id_of(self._response)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self), self._response)


class PaidAnswer(Answer):
    """A whole answer of a call that costs credits."""

    __slots__ = ()

    @property
    def credits(self) -> float | None:
        """What was charged."""
        return header_number(self._response, "x-arkroute-credits")


class TextAnswer(str):
    """An answer that is a text, not JSON. It is a `str`."""

    response: httpx.Response

    def __new__(cls, response: httpx.Response) -> TextAnswer:
        text = super().__new__(cls, response.text)
        text.response = response
        return text

    @property
    def request_id(self) -> str:
        return request_id_of(self.response)

    @property
    def credits(self) -> float | None:
        """What was charged."""
        return header_number(self.response, "x-arkroute-credits")


def request_id_of(response: httpx.Response) -> str:
    """Empty where something on the way took it off."""
    return str(response.headers.get("x-request-id", ""))


def header_number(response: httpx.Response, name: str) -> float | None:
    """A number of a header, whole where it is."""
    try:
        number = float(response.headers[name])
    except (KeyError, ValueError):
        return None
    return int(number) if number.is_integer() else number


def _convert(value: Any, kind: type[Record]) -> Any:
    if isinstance(value, dict):
        return kind(value)
    if isinstance(value, list):
        return [_convert(one, kind) for one in value]
    return value
