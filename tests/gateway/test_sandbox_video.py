"""The sandbox's clips: real files of exactly the length and shape asked for, made while somebody asks for them."""

import asyncio
import io
from itertools import pairwise
from typing import Any

import av
import pytest
from PIL import Image, ImageChops, ImageStat

from accounts.keys import InvalidApiKey
from gateway.catalog import get_model
from gateway.errors import InvalidImage, InvalidValue, ProviderFault, RateLimitExceeded
from gateway.providers.base import CancellableVideoProvider, Deployment, VideoProvider, VideoState
from gateway.providers.sandbox import Sandbox, videos
from gateway.providers.sandbox.clips import frame_size
from gateway.providers.sandbox.videos import Studio
from gateway.types import InputImage, VideoRequest

DEPLOYMENT = Deployment(provider="sandbox", model=get_model("sandbox-video"))
RED, BLUE = (200, 40, 40), (40, 60, 200)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody watches these clips being made."""
    monkeypatch.setattr(videos, "SECONDS_OF_WORK", 0.0)


@pytest.fixture(autouse=True)
def studio(monkeypatch: pytest.MonkeyPatch) -> Studio:
    """As in a process that has just begun."""
    studio = Studio()
    monkeypatch.setattr("gateway.providers.sandbox.STUDIO", studio)
    return studio


def ask(prompt: str = "A lighthouse at dawn", **fields: Any) -> VideoRequest:
    """For a small clip of a second, unless told otherwise."""
    defaults = {"model": "sandbox-video", "seconds": 1, "ratio": "16:9", "resolution": "144p", "reference": "video_1"}
    return VideoRequest(prompt=prompt, body={}, **{**defaults, **fields})


def plain(colour: tuple[int, int, int], width: int = 64, height: int = 36) -> InputImage:
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, "PNG")
    return InputImage(file.getvalue(), "image/png", width, height)


async def look(request: VideoRequest, task_id: str = "") -> VideoState:
    task_id = task_id or (await Sandbox().submit_video(DEPLOYMENT, request)).id
    return await Sandbox().look_up_video(DEPLOYMENT, task_id, request)


async def wait_for(request: VideoRequest) -> list[VideoState]:
    """All that is seen of a task until it has ended."""
    seen = [await Sandbox().submit_video(DEPLOYMENT, request)]
    async with asyncio.timeout(20):
        while seen[-1].status in ("queued", "running"):
            await asyncio.sleep(0.01)
            seen.append(await look(request, seen[0].id))
    return seen


async def make(request: VideoRequest) -> bytes:
    clip = (await wait_for(request))[-1].clip
    assert clip is not None
    assert clip.seconds == request.seconds
    return clip.data


def pictures(data: bytes) -> list[Image.Image]:
    with av.open(io.BytesIO(data)) as file:
        return [frame.to_image() for frame in file.decode(video=0)]


def colour_above_the_label(picture: Image.Image) -> tuple[int, ...]:
    return tuple(
        round(value) for value in ImageStat.Stat(picture.crop((0, 0, picture.width, picture.height // 2))).mean
    )


def is_about(colour: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return all(abs(one - two) < 12 for one, two in zip(colour, other, strict=True))


def test_the_adapter_offers_what_the_jobs_need():
    assert isinstance(Sandbox(), VideoProvider)
    assert isinstance(Sandbox(), CancellableVideoProvider)


@pytest.mark.parametrize(
    ("ratio", "resolution", "size"),
    [
        ("16:9", "720p", (1280, 720)),
        ("9:16", "720p", (720, 1280)),
        ("1:1", "720p", (720, 720)),
        ("16:9", "480p", (854, 480)),
        ("16:9", "4k", (1280, 720)),
        ("21:9", "1080p", (1280, 548)),
        ("", "720p", (1280, 720)),
    ],
)
def test_a_clip_has_the_pixels_of_its_ratio(ratio: str, resolution: str, size: tuple[int, int]) -> None:
    assert frame_size(ratio, resolution) == size


def test_a_clip_without_a_ratio_has_its_first_frames() -> None:
    assert frame_size("", "720p", (400, 500)) == (720, 900)
    assert frame_size("1:1", "720p", (400, 500)) == (720, 720)


async def test_a_clip_is_a_real_file_of_exactly_its_length_and_size():
    data = await make(ask(ratio="9:16", resolution="720p"))

    with av.open(io.BytesIO(data)) as file:
        [video] = file.streams
        assert file.duration == 1_000_000
        assert (video.duration * video.time_base, video.average_rate, video.frames) == (1, 24, 24)
        context = video.codec_context
        assert (context.name, context.pix_fmt, context.width, context.height) == ("h264", "yuv420p", 720, 1280)
        assert "sandbox" in file.metadata["comment"]
        assert [frame.pts * frame.time_base * 24 for frame in file.decode(video=0)] == list(range(24))
    assert data.index(b"moov") < data.index(b"mdat")  # a browser plays it while it comes


async def test_a_clip_with_sound_has_both_for_exactly_its_length():
    data = await make(ask(seconds=2, audio=True))

    with av.open(io.BytesIO(data)) as file:
        assert file.duration == 2_000_000
        assert [(one.type, one.duration * one.time_base) for one in file.streams] == [("video", 2), ("audio", 2)]
        [sound] = file.streams.audio
        assert (sound.codec_context.name, sound.codec_context.sample_rate) == ("aac", 48_000)
        loudest = max(max(map(abs, memoryview(frame.planes[0]).cast("f"))) for frame in file.decode(audio=0))
    assert 0.01 < loudest < 0.2


async def test_the_pictures_move_and_a_line_at_the_foot_tells_the_time():
    first, *_, last = shown = pictures(await make(ask(resolution="360p")))

    above = [picture.crop((0, 0, picture.width, picture.height * 4 // 5)) for picture in shown]
    for one, following in pairwise(above):
        assert ImageChops.difference(one, following).convert("L").getextrema()[1] > 20
    foot = (
        ImageChops.difference(first, last).crop((0, 300, first.width, 360)).convert("L").point(lambda v: 255 * (v > 60))
    )
    box = foot.getbbox()
    assert box is not None
    assert box[2] == first.width
    assert box[0] < first.width // 10


async def test_the_same_request_gives_the_same_file_in_every_process(monkeypatch: pytest.MonkeyPatch) -> None:
    data = await make(ask(audio=True))
    monkeypatch.setattr("gateway.providers.sandbox.STUDIO", Studio())

    assert await make(ask(audio=True)) == data
    assert await make(ask("A forest", audio=True)) != data


async def test_a_clip_begins_with_the_first_frame_and_ends_with_the_last():
    shown = pictures(await make(ask("A galaxy", first_frame=plain(RED), last_frame=plain(BLUE))))

    colours = [colour_above_the_label(picture) for picture in shown]
    assert is_about(colours[0], RED)
    assert is_about(colours[-1], BLUE)
    assert not is_about(colours[12], RED)
    assert not is_about(colours[12], BLUE)


async def test_a_first_frame_without_a_ratio_gives_the_clip_its_own():
    [picture, *_] = pictures(await make(ask(ratio="", first_frame=plain(RED, 60, 80))))

    assert picture.size == (144, 192)


async def test_a_frame_that_is_no_picture_fails_the_task():
    with pytest.raises(InvalidImage) as refusal:
        await wait_for(ask(first_frame=InputImage(b"\x89PNG\r\n\x1a\n", "image/png")))

    assert refusal.value.param == "image"


async def test_progress_grows_with_the_work_and_never_is_100_before_its_end():
    *seen, done = await wait_for(ask(resolution="360p"))

    told = [state.progress for state in seen]
    assert told == sorted(told)
    assert told[0] == 0
    assert 0 < told[-1] <= 99
    assert all(state.wait == 0.25 for state in seen)
    assert done.progress is None


async def test_a_clip_takes_a_few_seconds_to_watch(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(videos, "SECONDS_OF_WORK", 3600.0)
    request = ask()
    task_id = (await look(request)).id
    work = studio._tasks[task_id].work
    assert work is not None
    await asyncio.wrap_future(work)

    state = await look(request, task_id)
    assert state.status == "running"
    assert 0 < (state.progress or 0) < 1  # by the clock, though it is there


async def test_a_task_fails_on_request():
    *_, state = await wait_for(ask("sandbox:fail=content_policy_violation"))

    assert state.status == "failed"
    assert state.error is not None
    assert state.error.kind is ProviderFault.CONTENT_POLICY


@pytest.mark.parametrize(
    ("code", "kind"),
    [("rate_limit_exceeded", RateLimitExceeded), ("invalid_api_key", InvalidApiKey), ("nonsense", InvalidValue)],
)
async def test_what_no_provider_could_cause_is_raised(code: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        await look(ask(f"sandbox:fail={code}"))


async def test_a_delay_passes_before_the_failure_and_nobody_waits_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(videos, "monotonic", lambda: now)
    request = ask("sandbox:delay=30 sandbox:fail=overloaded")

    assert (await look(request)).status == "queued"
    now += 29.9
    assert (await look(request)).status == "queued"
    now += 0.2
    assert (await look(request)).status == "failed"


async def test_a_cancelled_task_stays_so_and_its_work_stops(studio: Studio) -> None:
    request = ask(seconds=12, resolution="720p")
    task_id = (await look(request)).id
    work = studio._tasks[task_id].work
    assert await Sandbox().cancel_video(DEPLOYMENT, task_id)

    assert (await look(request)).status == "cancelled"
    assert work is not None
    with pytest.raises(videos._Cancelled):
        await asyncio.wrap_future(work)


async def test_what_was_delivered_cannot_be_cancelled_and_is_made_again_for_who_asks_again():
    request = ask()
    done = (await wait_for(request))[-1]

    assert not await Sandbox().cancel_video(DEPLOYMENT, done.id)
    again = (await wait_for(request))[-1]
    assert again.clip == done.clip


async def test_a_process_that_never_heard_of_a_task_begins_it(monkeypatch: pytest.MonkeyPatch) -> None:
    request = ask()
    task_id = (await look(request)).id
    monkeypatch.setattr("gateway.providers.sandbox.STUDIO", Studio())

    assert (await look(request, task_id)).status == "running"
    assert (await wait_for(request))[-1].id == task_id


async def test_two_clips_are_made_at_once_and_the_others_wait():
    requests = [ask(reference=f"video_{number}", seconds=12, resolution="720p") for number in range(3)]
    states = [await look(request) for request in requests]

    assert [state.status for state in states] == ["running", "running", "queued"]
    assert len({state.id for state in states}) == 3
    for state in states:
        await Sandbox().cancel_video(DEPLOYMENT, state.id)


async def test_clips_that_nobody_fetches_make_room_for_others(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(videos, "MOST_HELD", 1)
    left, wanted = ask(reference="left"), ask(reference="wanted")
    left_id = (await look(left)).id
    work = studio._tasks[left_id].work
    assert work is not None
    await asyncio.wrap_future(work)

    assert (await look(wanted)).status == "queued"
    monkeypatch.setattr(videos, "LOST_INTEREST_SECONDS", -1.0)
    assert (await wait_for(wanted))[-1].status == "completed"
    assert (await wait_for(left))[-1].status == "completed"


async def test_tasks_are_forgotten_in_time(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    await look(ask(reference="old"))
    monkeypatch.setattr(videos, "TIDY_SECONDS", -1.0)
    monkeypatch.setattr(videos, "FORGOTTEN_SECONDS", -1.0)
    new = await look(ask("sandbox:delay=60", reference="new"))

    assert list(studio._tasks) == [new.id]
