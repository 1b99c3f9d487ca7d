from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from arkroute.types.record import Answer, Record, header_number


class VideoError(Record):
    """Why a video has failed: `code` is one of the API's, `deadline_exceeded` or `cancelled`."""

    __slots__ = ()

    code: str
    message: str


class VideoTask(Answer):
    """A video, made or in the making.

    `status` is `processing`, `completed`, `failed` or `cancelled`; `progress` is in percent, `duration` in seconds.
    `video_url` is a link to the file, good for a day from when it was asked for. `credits` is what was charged, once it
    has ended.
    """

    __slots__ = ()

    NESTED: ClassVar[Mapping[str, type[Record]]] = {"error": VideoError}

    id: str
    object: str
    task_id: str
    status: str
    state: str
    progress: int
    video_url: str | None
    duration: float
    model: str
    created_at: int
    credits: float | None
    error: VideoError | None

    @property
    def is_ended(self) -> bool:
        return self.status in ("completed", "failed", "cancelled")

    @property
    def price(self) -> float | None:
        """The credits that are held for it, in the answer of `videos.create`. It is charged when it is completed."""
        return header_number(self.response, "x-arkroute-credits")
