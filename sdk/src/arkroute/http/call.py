"""One call of the API, complete: it is built once, so that every try of it sends the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from arkroute.http.configuration import Timeout
from arkroute.http.files import Upload
from arkroute.http.options import Options, split


@dataclass(frozen=True)
class Call:
    """`path` follows the base URL, or is a link to a file elsewhere. `needs_key` is false for what is open to all."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    content: bytes | None = None
    timeout: Timeout | None = None
    needs_key: bool = True

    @property
    def is_elsewhere(self) -> bool:
        """Whether it leaves the API: the key and the client's own headers stay here then."""
        return "://" in self.path


def read(path: str, options: Mapping[str, Any], *, method: str = "GET", needs_key: bool = True) -> Call:
    """A call that costs nothing. `options` are `RequestOptions`; what else there is, is its body."""
    fields, sent = split(options, paid=False)
    if fields:
        return _with_json(Call(method, path, needs_key=needs_key), fields, sent)
    return Call(method, path, sent.headers, sent.query, timeout=sent.timeout, needs_key=needs_key)


def paid(path: str, parameters: Mapping[str, Any]) -> Call:
    """A POST of JSON that costs credits, with its own `Idempotency-Key`."""
    fields, options = split(parameters, paid=True)
    return _with_json(Call("POST", path), fields, options)


def paid_form(path: str, parameters: Mapping[str, Any], files: Sequence[tuple[str, Upload]]) -> Call:
    """The same as a form with files."""
    fields, options = split(parameters, paid=True)
    return _with_form(Call("POST", path), fields, files, options)


def read_form(path: str, parameters: Mapping[str, Any], files: Sequence[tuple[str, Upload]]) -> Call:
    """A form that costs nothing."""
    fields, options = split(parameters, paid=False)
    return _with_form(Call("POST", path), fields, files, options)


def _with_json(call: Call, fields: Mapping[str, Any], options: Options) -> Call:
    body = json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    headers = {"content-type": "application/json", **options.headers}
    return Call(call.method, call.path, headers, options.query, body, options.timeout, call.needs_key)


def _with_form(call: Call, fields: Mapping[str, Any], files: Sequence[tuple[str, Upload]], options: Options) -> Call:
    form = httpx.Request(
        call.method,
        "http://form",
        data={name: _texts(value) for name, value in fields.items()},
        files=[(name, upload.part()) for name, upload in files],
    )
    headers = {"content-type": form.headers["content-type"], **options.headers}
    return Call(call.method, call.path, headers, options.query, form.read(), options.timeout)


def _texts(value: Any) -> Any:
    """As a form says it: booleans in JSON's words, objects in JSON, lists as several fields."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (list, tuple)):
        return [_texts(one) for one in value]
    return value if isinstance(value, str) else str(value)
