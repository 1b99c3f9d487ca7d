"""Pictures and clips that a fake vendor has made, at addresses of its own."""

import io
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from itertools import count
from typing import Any

import av
from PIL import Image

# Small ones of the shape that was asked for: what is tested is their way, not their pixels.
LONGEST_SIDE = 64
FRAMES_PER_SECOND = 2


class Results:
    """Files by their path, `/results/<number>.png` or `.mp4`. Real vendors sign theirs and delete them after a day."""

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

    def add_video(self, seconds: int, width: int, height: int) -> str:
        """The path of a new clip: an MP4 of so many seconds."""
        path = f"/results/{next(self._numbers)}.mp4"
        self._files[path] = (clip(seconds, width, height), "video/mp4")
        return path

    def find(self, path: str) -> tuple[bytes, str] | None:
        """A file and its type."""
        return self._files.get(path)


@cache
def clip(seconds: int, width: int, height: int) -> bytes:
    """An MP4 with H.264 of so many seconds: small, of the shape that was asked for, getting brighter."""
    scale = LONGEST_SIDE / max(width, height)
    across, down = (max(2, round(side * scale / 2) * 2) for side in (width, height))  # even ones, as H.264 wants
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(FRAMES_PER_SECOND), options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = across, down, "yuv420p"
        frames = seconds * FRAMES_PER_SECOND
        for number in range(frames):
            picture = Image.new("RGB", (across, down), (255 * number // frames, 128, 128))
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode())
    return buffer.getvalue()


def is_picture(value: Any, *, mimes: frozenset[str]) -> bool:
    """Whether bytes are a whole picture of one of these types."""
    try:
        with Image.open(io.BytesIO(value)) as image:
            image.load()
            return image.get_format_mimetype() in mimes
    except (OSError, TypeError):
        return False
