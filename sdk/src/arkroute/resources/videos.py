"""`client.videos`: tasks that take minutes, from the request to the file."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union, overload

from arkroute.errors import VideoFailedError, VideoTimeoutError
from arkroute.http.call import Call, paid, read
from arkroute.http.configuration import Timeout
from arkroute.http.files import picture_text
from arkroute.http.options import RequestOptions, SpendingOptions
from arkroute.resources.downloads import Target, save, save_async
from arkroute.resources.images import Picture
from arkroute.resources.resource import AsyncResource, Resource, segment
from arkroute.types import VideoTask

if TYPE_CHECKING:
    from typing_extensions import Unpack

# What an answer was, or its `task_id`.
Task = Union[VideoTask, str]
# Told of the task at every look. Of the async client's it may be a coroutine function.
OnProgress = Callable[[VideoTask], object]
AsyncOnProgress = Callable[[VideoTask], Union[Awaitable[object], object]]
POLL_INTERVAL = 2.0


class VideoFields(SpendingOptions, total=False):
    """Which of them a model takes, `client.models.retrieve(…).parameters` says.

    What a vendor takes beyond these goes into `extra_body`.
    """

    # The first frame, and the last: a file, or a text (base64, a data URI, an https address).
    image: Picture
    last_frame: Picture
    # Seconds.
    duration: float
    # "16:9", "9:16", "1:1", …
    aspect_ratio: str
    # "720p", "1080p", …
    resolution: str
    # With sound.
    audio: bool
    # An https address that is told of the end.
    webhook_url: str
    seed: int
    negative_prompt: str


class VideoParameters(VideoFields, total=False):
    """What a video may have, and how long its request may take."""

    timeout: Timeout


class Videos(Resource):
    def create(self, *, model: str, prompt: str, **parameters: Unpack[VideoParameters]) -> VideoTask:
        """A task, at once. Its `price` is held now, and charged when the video is completed."""
        return self._ask(_creation(model, prompt, dict(parameters)), VideoTask)

    def retrieve(self, task: Task, **options: Unpack[RequestOptions]) -> VideoTask:
        """The task as it is now. Every look at a completed one gives a fresh `video_url`."""
        return self._ask(_look(task, options), VideoTask)

    def wait(
        self,
        task: Task,
        *,
        on_progress: OnProgress | None = None,
        poll_interval: float = POLL_INTERVAL,
        timeout: float | None = None,
    ) -> VideoTask:
        """The task once it is completed. `on_progress(task)` is told of it at every look.

        `poll_interval` and `timeout` are in seconds; without a timeout it waits for as long as the task may take.
        Raises `VideoFailedError` if it failed or was cancelled, `VideoTimeoutError` if it goes on past the timeout.
        """
        end = _end_of(timeout)
        while True:
            current = self.retrieve(task)
            if on_progress is not None:
                on_progress(current)
            if (pause := _pause(current, poll_interval, timeout, end)) is None:
                return current
            time.sleep(pause)

    def create_and_wait(
        self,
        *,
        model: str,
        prompt: str,
        on_progress: OnProgress | None = None,
        poll_interval: float = POLL_INTERVAL,
        timeout: float | None = None,
        **parameters: Unpack[VideoFields],
    ) -> VideoTask:
        """`create`, then `wait`: `timeout` is the seconds to wait for the video."""
        task = self.create(model=model, prompt=prompt, **parameters)
        return self.wait(task, on_progress=on_progress, poll_interval=poll_interval, timeout=timeout)

    def cancel(self, task: Task, **options: Unpack[RequestOptions]) -> VideoTask:
        """The task, cancelled; one that has ended as it is.

        Raises `ConflictError` (`not_cancellable`) where its provider has begun it and cannot stop.
        """
        return self._ask(_cancellation(task, options), VideoTask)

    @overload
    def download(self, task: Task, path: None = None, **options: Unpack[RequestOptions]) -> bytes: ...
    @overload
    def download(self, task: Task, path: Target, **options: Unpack[RequestOptions]) -> Path: ...
    def download(self, task: Task, path: Target | None = None, **options: Any) -> bytes | Path:
        """The clip: its bytes, or with `path` written to a file, whose path is returned.

        Raises `ConflictError` (`task_not_ready`) while the video is not completed.
        """
        call = _content(task, options)
        return self._exchange.send(call).content if path is None else save(self._exchange, call, path)


class AsyncVideos(AsyncResource):
    async def create(self, *, model: str, prompt: str, **parameters: Unpack[VideoParameters]) -> VideoTask:
        """As `Videos.create`."""
        return await self._ask(_creation(model, prompt, dict(parameters)), VideoTask)

    async def retrieve(self, task: Task, **options: Unpack[RequestOptions]) -> VideoTask:
        """As `Videos.retrieve`."""
        return await self._ask(_look(task, options), VideoTask)

    async def wait(
        self,
        task: Task,
        *,
        on_progress: AsyncOnProgress | None = None,
        poll_interval: float = POLL_INTERVAL,
        timeout: float | None = None,
    ) -> VideoTask:
        """As `Videos.wait`. `on_progress` may be a coroutine function."""
        end = _end_of(timeout)
        while True:
            current = await self.retrieve(task)
            if on_progress is not None and inspect.isawaitable(told := on_progress(current)):
                await told
            if (pause := _pause(current, poll_interval, timeout, end)) is None:
                return current
            await asyncio.sleep(pause)

    async def create_and_wait(
        self,
        *,
        model: str,
        prompt: str,
        on_progress: AsyncOnProgress | None = None,
        poll_interval: float = POLL_INTERVAL,
        timeout: float | None = None,
        **parameters: Unpack[VideoFields],
    ) -> VideoTask:
        """As `Videos.create_and_wait`."""
        task = await self.create(model=model, prompt=prompt, **parameters)
        return await self.wait(task, on_progress=on_progress, poll_interval=poll_interval, timeout=timeout)

    async def cancel(self, task: Task, **options: Unpack[RequestOptions]) -> VideoTask:
        """As `Videos.cancel`."""
        return await self._ask(_cancellation(task, options), VideoTask)

    @overload
    async def download(self, task: Task, path: None = None, **options: Unpack[RequestOptions]) -> bytes: ...
    @overload
    async def download(self, task: Task, path: Target, **options: Unpack[RequestOptions]) -> Path: ...
    async def download(self, task: Task, path: Target | None = None, **options: Any) -> bytes | Path:
        """As `Videos.download`."""
        call = _content(task, options)
        if path is None:
            return (await self._exchange.send(call)).content
        return await save_async(self._exchange, call, path)


def _creation(model: str, prompt: str, parameters: dict[str, Any]) -> Call:
    for field in ("image", "last_frame"):
        if parameters.get(field) is not None:
            parameters[field] = picture_text(parameters[field])
    return paid("/video/generations", {"model": model, "prompt": prompt, **parameters})


def _look(task: Task, options: RequestOptions) -> Call:
    return read(f"/video/status/{_id(task)}", options)


def _cancellation(task: Task, options: RequestOptions) -> Call:
    return read(f"/video/cancel/{_id(task)}", options, method="POST")


def _content(task: Task, options: dict[str, Any]) -> Call:
    return read(f"/videos/{_id(task)}/content", options)


def _id(task: Task) -> str:
    return segment(task if isinstance(task, str) else task.task_id)


def _end_of(timeout: float | None) -> float:
    return float("inf") if timeout is None else time.monotonic() + timeout


def _pause(task: VideoTask, poll_interval: float, timeout: float | None, end: float) -> float | None:
    """Seconds until the next look; None for a video that is there. Raises where there is none to wait for."""
    if task.status == "completed":
        return None
    if task.is_ended:
        raise VideoFailedError(task)
    left = end - time.monotonic()
    if timeout is not None and left <= 0:
        raise VideoTimeoutError(task, timeout)
    return max(0.0, min(poll_interval, left))
