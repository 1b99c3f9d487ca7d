"""A form with a file (multipart/form-data, RFC 7578), read by Django's parser."""

from io import BytesIO
from typing import Any, NamedTuple

from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.utils.datastructures import MultiValueDict

from arkroute.engine.exchange import Refusal


class Form(NamedTuple):
    """`file` is the content of the field of that name."""

    values: MultiValueDict[str, str]
    file: bytes | None

    def field(self, name: str) -> str | None:
        """None where it is missing or empty."""
        return self.values.get(name) or None

    def fields(self, name: str) -> list[str]:
        return self.values.getlist(name)


def read_form(content_type: bytes, body: bytes) -> Form:
    """Raises `Refusal` for what is no such form."""
    about = {"CONTENT_TYPE": content_type.decode("latin-1"), "CONTENT_LENGTH": len(body)}
    try:
        values, files = MultiPartParser(about, BytesIO(body), [_InMemory()], "utf-8").parse()
    except (MultiPartParserError, SuspiciousOperation) as error:
        raise Refusal(400, f"The body is no multipart/form-data: {error}") from error
    file = files.get("file")
    return Form(values, None if file is None else file.read())


class _InMemory(MemoryFileUploadHandler):
    """Whatever its size: the body is in memory already."""

    def handle_raw_input(self, *args: Any, **kwargs: Any) -> None:
        self.activated = True
