"""A multipart form (RFC 7578), as the REST endpoints that take files are given it.

Django's parser reads it, and in memory: what is sent goes on to a provider, not to the disk.
"""

from collections.abc import Iterable
from io import BytesIO
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from msgspec import Struct

from gateway.errors import InvalidJSON, InvalidType, InvalidValue, MissingParameter


class Upload(Struct, frozen=True):
    """A file in a form. Its name is the client's own, without a path."""

    filename: str
    data: bytes


class Form(Struct, frozen=True):
    """Fields and files by their names, each with its values in order. A field may be empty."""

    fields: dict[str, list[str]]
    files: dict[str, list[Upload]]


def parse_form(body: bytes, content_type: str) -> Form:
    """The form in `body`. Raises `InvalidJSON`, the contract's error for a body that is not what it says it is.

    Megabytes are searched for a boundary: not on the event loop.
    """
    meta = {"CONTENT_TYPE": content_type, "CONTENT_LENGTH": len(body)}
    try:
        fields, files = MultiPartParser(meta, BytesIO(body), [_InMemory()], "utf-8").parse()
    except (MultiPartParserError, SuspiciousOperation) as error:  # the latter: too many fields, or too large ones
        reason = str(error).rstrip(".") or "it is malformed"
        raise InvalidJSON(f"The body is no form that can be read: {reason}. Send multipart/form-data.") from None
    return Form(
        fields={name: [str(value) for value in values] for name, values in fields.lists()},
        files={name: [_upload(file) for file in values] for name, values in files.lists()},
    )


class _InMemory(MemoryFileUploadHandler):
    """Keeps files of any size in memory: the body, which is there already, has the limit."""

    def handle_raw_input(self, *args: Any, **kwargs: Any) -> None:
        self.activated = True


def _upload(file: UploadedFile) -> Upload:
    # Its own bytes, where `read` would copy them.
    data = file.file.getvalue() if isinstance(file.file, BytesIO) else file.read()
    return Upload(filename=file.name or "", data=data)


def sent_fields(form: Form) -> dict[str, list[str]]:
    """The fields that say something, `name[]`, `name[0]` and `name[key]` as `name`.

    Forms send what their user left alone as an empty field: it counts as not sent.
    """
    sent: dict[str, list[str]] = {}
    for name, values in form.fields.items():
        if filled := [value for value in values if value]:
            sent.setdefault(name.partition("[")[0], []).extend(filled)
    return sent


def only_values(sent: dict[str, list[str]], names: Iterable[str]) -> dict[str, str]:
    """The values of those `names` that were sent. Raises `InvalidValue` where one was sent twice."""
    found = {}
    for name in names:
        if values := sent.get(name):
            if len(values) > 1:
                raise InvalidValue(f"`{name}` was sent {len(values)} times. Send it once.", param=name)
            found[name] = values[0]
    return found


def only_file(form: Form, name: str) -> Upload:
    """The file in the field `name`. Raises `MissingParameter`, `InvalidType` for a text, `InvalidValue` for several."""
    files = form.files.get(name, [])
    if len(files) > 1:
        raise InvalidValue(f"`{name}` was sent {len(files)} times. Send one file.", param=name)
    if files:
        return files[0]
    if name in form.fields:
        raise InvalidType(f"`{name}` must be a file: its part of the form needs a `filename`.", param=name)
    raise MissingParameter(f"`{name}` is required. Add the file to the form.", param=name)
