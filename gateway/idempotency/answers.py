"""Answers as they are kept: compressed, small ones in their row and large ones in our storage."""

import zlib
from io import BytesIO
from secrets import token_hex
from typing import Any

from django.core.files import File
from django.core.files.storage import default_storage
from msgspec import Struct

from gateway.models import IdempotentCall

# An answer of more bytes is not kept. Ten pictures of 4 MB in base64 have 53 MB.
MOST_BYTES = 64 * 1024 * 1024
# Compressed bytes that a row may have.
MOST_IN_ROW = 128 * 1024
# No link leads here: those to media name a file of hex digits.
FOLDER = "answers"
# Streams and JSON get ten times smaller at the quickest level, pictures in base64 hardly smaller at the best.
LEVEL = 1


class Answer(Struct):
    """What was answered to the call with this `request_id`. `headers` are lower-case names and values."""

    request_id: str
    status: int
    headers: dict[str, str]
    body: bytes


def columns_of(answer: Answer) -> dict[str, Any]:
    """The columns that keep the answer; a large body is in our storage when this returns. Raises what that raises."""
    body, file = zlib.compress(answer.body, LEVEL), ""
    if len(body) > MOST_IN_ROW:
        file, body = default_storage.save(f"{FOLDER}/{token_hex(20)}", File(BytesIO(body))), b""
    return {"status": answer.status, "headers": answer.headers, "body": body, "file": file}


def body_of(row: IdempotentCall) -> bytes:
    """The bytes that were answered. Raises `OSError` where our storage has lost them."""
    if not row.file:
        return zlib.decompress(bytes(row.body))
    with default_storage.open(row.file) as file:
        return zlib.decompress(file.read())
