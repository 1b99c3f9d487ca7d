"""Videos, from the request to the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from arkroute import APIConnectionError, APIError, ConflictError, VideoFailedError, VideoTimeoutError
from arkroute.types import VideoTask
from tests.gateway import FakeGateway, Pieces, Threads, answer, refusal


def task(status: str = "processing", progress: int = 0, **more: Any) -> httpx.Response:
    return answer({"id": "v1", "task_id": "v1", "status": status, "progress": progress, "error": None, **more})


def test_waiting_tells_of_every_look_and_returns_the_completed_task(do: Threads, pauses: list[float]) -> None:
    gateway = FakeGateway(task(), task(progress=10), task(progress=60), task("completed", 100, video_url="https://x"))
    seen: list[int] = []
    video = do(
        gateway,
        lambda client: client.videos.create_and_wait(
            model="m", prompt="p", duration=5, on_progress=lambda current: seen.append(current.progress)
        ),
    )
    assert isinstance(video, VideoTask)
    assert video.video_url == "https://x"
    assert seen == [10, 60, 100]
    assert pauses == [2, 2]
    assert [request.url.path for request in gateway.requests] == ["/v1/video/generations", *["/v1/video/status/v1"] * 3]


async def test_progress_may_be_told_to_a_coroutine() -> None:
    seen: list[str] = []

    async def tell(current: VideoTask) -> None:
        seen.append(current.status)

    client = FakeGateway(task(), task("completed")).async_client()
    await client.videos.wait("v1", on_progress=tell, poll_interval=0)
    assert seen == ["processing", "completed"]


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_video_that_ends_without_a_clip_is_an_error_with_the_task(do: Threads, status: str) -> None:
    gateway = FakeGateway(task(status, error={"code": "deadline_exceeded", "message": "Too slow."}))
    with pytest.raises(VideoFailedError, match=r"v1: Too slow\.") as caught:
        do(gateway, lambda client: client.videos.wait("v1"))
    assert (caught.value.code, caught.value.task.status) == ("deadline_exceeded", status)


def test_a_caller_waits_no_longer_than_it_wants(do: Threads) -> None:
    with pytest.raises(VideoTimeoutError, match="not cancelled") as caught:
        do(FakeGateway(task(progress=40)), lambda client: client.videos.wait("v1", timeout=0))
    assert caught.value.task.progress == 40


def test_a_look_that_fails_is_tried_again(do: Threads) -> None:
    gateway = FakeGateway(httpx.ReadError("lost"), refusal(503, "overloaded"), task("completed"))
    assert do(gateway, lambda client: client.videos.wait("v1")).status == "completed"


def test_a_task_is_named_by_itself_or_by_its_id(do: Threads) -> None:
    gateway = FakeGateway(task("cancelled"))
    begun = VideoTask({"task_id": "v1", "status": "processing"}, answer())
    assert do(gateway, lambda client: client.videos.cancel(begun)).status == "cancelled"
    assert do(gateway, lambda client: client.videos.cancel("v1")).is_ended
    assert {request.url.path for request in gateway.requests} == {"/v1/video/cancel/v1"}


def test_the_clip_is_bytes_or_a_file(do: Threads, tmp_path: Path) -> None:
    def clip(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Pieces(b"cl", b"ip"))

    assert do(FakeGateway(clip), lambda client: client.videos.download("v1")) == b"clip"
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"older and longer")
    assert do(FakeGateway(clip), lambda client: client.videos.download("v1", str(path))) == path
    assert path.read_bytes() == b"clip"
    assert [file.name for file in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_broken_download_leaves_nothing_behind(do: Threads, tmp_path: Path) -> None:
    gateway = FakeGateway(httpx.Response(200, stream=Pieces(b"cl", httpx.ReadError("reset"))))
    with pytest.raises(APIConnectionError):
        do(gateway, lambda client: client.videos.download("v1", tmp_path / "clip.mp4"))
    assert list(tmp_path.iterdir()) == []


def test_a_video_that_is_not_there_yet_is_a_conflict(do: Threads, tmp_path: Path) -> None:
    gateway = FakeGateway(refusal(409, "task_not_ready", x_should_retry="false"))
    with pytest.raises(ConflictError) as caught:
        do(gateway, lambda client: client.videos.download("v1", tmp_path / "clip.mp4"))
    assert isinstance(caught.value, APIError)
    assert caught.value.code == "task_not_ready"
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_is_written_as_it_is(do: Threads) -> None:
    null = Path("/dev/null")
    assert do(FakeGateway(httpx.Response(200, content=b"clip")), lambda c: c.videos.download("v1", null)) == null
    assert null.is_char_device()
