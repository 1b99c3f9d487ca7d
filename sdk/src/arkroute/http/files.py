"""Files that callers hand over: paths, bytes, open files, or a name with bytes."""

from __future__ import annotations

import base64
import mimetypes
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Union

# A tuple is a file's name and its bytes.
FileInput = Union["os.PathLike[str]", bytes, IO[bytes], tuple[str, bytes]]


@dataclass(frozen=True)
class Upload:
    """A file, read whole: another try sends it again."""

    name: str
    data: bytes

    @property
    def mime(self) -> str:
        return mimetypes.guess_type(self.name)[0] or "application/octet-stream"

    def part(self) -> tuple[str, bytes, str]:
        """As httpx wants a part of a form."""
        return self.name, self.data, self.mime

    def base64(self) -> str:
        return base64.b64encode(self.data).decode()


def read_file(file: FileInput, default_name: str) -> Upload:
    """The file's bytes, and its name where it has one. Raises `OSError` where it cannot be read."""
    if isinstance(file, tuple):
        return Upload(*file)
    if isinstance(file, (bytes, bytearray)):
        return Upload(default_name, bytes(file))
    if isinstance(file, os.PathLike):
        path = Path(file)
        return Upload(path.name, path.read_bytes())
    data = file.read()
    if not isinstance(data, bytes):
        raise TypeError("The file is open as text. Open it in binary: open(path, 'rb').")
    name = getattr(file, "name", None)
    return Upload(os.path.basename(name) if isinstance(name, str) else default_name, data)


def is_named_file(value: object) -> bool:
    """Whether it is a file's name and its bytes."""
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], bytes)


def picture_text(picture: str | FileInput) -> str:
    """A picture as a field of JSON has it: a text (base64, a data URI, an address) as it is, a file in base64."""
    return picture if isinstance(picture, str) else read_file(picture, "picture").base64()
