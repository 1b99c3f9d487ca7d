"""A multipart form, as the REST endpoints that take files are given it."""

from collections.abc import Iterable

from msgspec import Struct

from gateway.errors import InvalidType, InvalidValue, MissingParameter


class Upload(Struct, frozen=True):
    """A file in a form. Its name is the client's own, without a path."""

    filename: str
    data: bytes


class Form(Struct, frozen=True):
    """Fields and files by their names, each with its values in order. A field may be empty."""

    fields: dict[str, list[str]]
    files: dict[str, list[Upload]]


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
