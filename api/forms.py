"""Reads multipart forms, with Django's parser and in memory: what is sent goes on to a provider, not to the disk."""

import asyncio
from io import BytesIO
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from gateway.errors import InvalidJSON
from gateway.requests.forms import Form, Upload


class InMemory(MemoryFileUploadHandler):
    """Keeps files of any size in memory: the body, which is there already, has the limit."""

    def handle_raw_input(self, *args: Any, **kwargs: Any) -> None:
        self.activated = True


async def read_form(body: bytes, content_type: str) -> Form:
    """The form in `body`. Raises `InvalidJSON`, the contract's error for a body that is not what it says it is."""
    # Megabytes, searched for a boundary.
    return await asyncio.to_thread(_parse, body, content_type)


def _parse(body: bytes, content_type: str) -> Form:
    meta = {"CONTENT_TYPE": content_type, "CONTENT_LENGTH": len(body)}
    try:
        fields, files = MultiPartParser(meta, BytesIO(body), [InMemory()], "utf-8").parse()
    except (MultiPartParserError, SuspiciousOperation) as error:  # the latter: too many fields, or too large ones
        reason = str(error).rstrip(".") or "it is malformed"
        raise InvalidJSON(f"The body is no form that can be read: {reason}. Send multipart/form-data.") from None
    return Form(
        fields={name: [str(value) for value in values] for name, values in fields.lists()},
        files={name: [_upload(file) for file in values] for name, values in files.lists()},
    )


def _upload(file: UploadedFile) -> Upload:
    return Upload(filename=file.name or "", data=file.read())
