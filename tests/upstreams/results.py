"""Pictures that a fake vendor has made, at addresses of its own."""

import io
from collections.abc import Iterator
from itertools import count
from typing import Any

from PIL import Image

# Small ones of the shape that was asked for: what is tested is their way, not their pixels.
LONGEST_SIDE = 64


class Results:
    """Files by their path, `/results/<number>.png`. Real vendors sign theirs and delete them after a day."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[bytes, str]] = {}
        self._numbers: Iterator[int] = count(1)

    def add(self, width: int, height: int, kind: str = "png") -> str:
        """The path of a new picture: `kind` is png or jpeg."""
        scale = LONGEST_SIDE / max(width, height)
        number = next(self._numbers)
        buffer = io.BytesIO()
        size = max(1, round(width * scale)), max(1, round(height * scale))
        Image.new("RGB", size, (number % 256, 128, 128)).save(buffer, kind.upper())
        path = f"/results/{number}.{kind}"
        self._files[path] = (buffer.getvalue(), f"image/{kind}")
        return path

    def find(self, path: str) -> tuple[bytes, str] | None:
        """A file and its type."""
        return self._files.get(path)


def is_picture(value: Any, *, mimes: frozenset[str]) -> bool:
    """Whether bytes are a whole picture of one of these types."""
    try:
        with Image.open(io.BytesIO(value)) as image:
            image.load()
            return image.get_format_mimetype() in mimes
    except (OSError, TypeError):
        return False
