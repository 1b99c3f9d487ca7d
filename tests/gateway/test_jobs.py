"""What becomes of a task, whatever its provider does: it ends, and its hold is resolved once."""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.core.files.storage import default_storage
from django.db import OperationalError
from django.utils import timezone

from accounts.keys import Caller
from billing import ledger
from billing.models import Hold, LedgerEntry
from gateway import jobs
from gateway.errors import InsufficientCredits, InvalidValue, NotCancellable, TaskNotFound
from gateway.fetch import FetchError
from gateway.flows import videos
from gateway.jobs import asking, handing, looking
from gateway.models import Receipt, TaskEvent, VideoTask
from gateway.providers.http import close_pools
from gateway.routing import retry
from gateway.routing.keys import fingerprint
from gateway.tasks import progress, writer
from gateway.tasks.callbacks import callback_url
from tests.gateway.workers import (
    CANCELLED,
    SEEDANCE,
    TURBO,
    ask_for,
    bring_to_its_end,
    call_of,
    claim,
    completed,
    ending_of,
    events_of,
    failed,
    make_caller,
    money_of,
    pass_deadline,
    read,
    step,
)
from tests.pictures import picture
from tests.upstreams import bytedance_videos
from tests.upstreams.bytedance import FakeByteDance
from tests.upstreams.contract import behave
from tests.upstreams.kling import FakeKling

FIRST = "kling-v1"  # without fallbacks, 8 credits
FRAME = base64.b64encode(picture(640, 360)).decode()
UNTOUCHED = (500_000, 0)


@pytest.fixture(scope="module")
def kling_server() -> Iterator[FakeKling]:
    with FakeKling() as server:
        yield server


@pytest.fixture(scope="module")
def bytedance_server() -> Iterator[FakeByteDance]:
    with FakeByteDance() as server:
        yield server


@pytest.fixture
def kling(kling_server: FakeKling, settings: Any) -> FakeKling:
    kling_server.reset()
    kling_server.tasks.clear()
    kling_server.tokens.clear()
    use(settings, kling_server, "kling")
    return kling_server


@pytest.fixture
def bytedance(bytedance_server: FakeByteDance, settings: Any) -> FakeByteDance:
    bytedance_server.reset()
    bytedance_server.videos.known.clear()
    use(settings, bytedance_server, "bytedance")
    return bytedance_server


def use(settings: Any, fake: FakeKling | FakeByteDance, provider: str, keys: tuple[str, ...] = ("vendor-key",)) -> None:
    settings.PROVIDERS = {provider: {"api_keys": list(keys), "base_url": fake.base_url}}
    settings.FETCH_ALLOWED_PRIVATE_HOSTS = [f"127.0.0.1:{fake.port}"]


@pytest.fixture
async def caller(audited: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Caller]:
    monkeypatch.setattr(progress, "_known", {})
    monkeypatch.setattr(retry, "PAUSES", (0.0, 0.0))
    monkeypatch.setattr(asking, "AWAY_PAUSE", 0.01)
    yield await asyncio.to_thread(make_caller)
    await close_pools()


@pytest.fixture(autouse=True)
def storage_of_ones_own(settings, tmp_path) -> None:
    """Other test processes store files, too."""
    settings.MEDIA_ROOT = tmp_path / "media"


def stored() -> set[str]:
    """The files in the storage."""
    folders = default_storage.listdir("")[0] if default_storage.exists("") else []
    return {f"{folder}/{name}" for folder in folders for name in default_storage.listdir(folder)[1]}


async def deleted(names: set[str]) -> None:
    """Waits for it: what nobody needs any more is deleted a moment after the end is told."""
    async with asyncio.timeout(10):
        while names & stored():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def running(caller: Caller, model: str, **wish: Any) -> VideoTask:
    """A task that its provider has taken on."""
    task = await step((await ask_for(caller, model, **wish)).pk)
    assert task.state == "running"
    return task


def posts(fake: FakeKling | FakeByteDance) -> list[dict[str, Any]]:
    return [one.body for one in fake.requests if one.method == "POST"]


# --- All is well -----------------------------------------------------------------------------------------------------


@pytest.mark.database
async def test_credits_are_held_before_a_provider_is_asked_and_paid_once_the_clip_is_ours(caller, bytedance) -> None:
    behave(bytedance, {"polls": 2})
    task = await ask_for(caller, SEEDANCE, image=FRAME, last_frame=FRAME)
    frames = {frame["name"] for frame in task.frames.values()}
    assert await money_of(caller) == (500_000, 25_000)
    assert bytedance.requests == []
    assert len(frames) == 2
    assert frames <= stored()

    task = await bring_to_its_end(task.pk)
    assert await ending_of(task.pk) == completed(25)
    assert await money_of(caller) == (475_000, 0)
    entries = LedgerEntry.objects.filter(account=caller.user_id).order_by("id")
    assert [(entry.kind, entry.amount) async for entry in entries] == [("grant", 500_000), ("capture", -25_000)]
    receipt = await Receipt.objects.aget()
    assert (receipt.served_by, receipt.model) == ("bytedance/seedance-1-0-pro-250528", SEEDANCE)
    assert receipt.usage == {"seconds": 5.0, "reported": True}
    assert [attempt["error"] for attempt in receipt.attempts] == [""]
    assert (task.body, task.frames, task.claim, task.progress) == ({}, {}, "", 100)
    with default_storage.open(task.media) as file:
        assert file.read(12)[4:8] == b"ftyp"
    await deleted(frames)


async def test_progress_goes_up_and_is_100_at_the_end_alone(caller, kling) -> None:
    behave(kling, {"polls": 5})
    task = await running(caller, TURBO)
    for seconds in (30, 60, 15, 240, 10**7):
        await VideoTask.objects.filter(pk=task.pk).aupdate(started_at=timezone.now() - timedelta(seconds=seconds))
        await step(task.pk)
    await bring_to_its_end(task.pk)

    events = await events_of(task.pk)
    bodies = [msgspec.json.decode(event.body) for event in events]
    assert [event.number for event in events] == [body["id"] for body in bodies] == [1, 2, 3, 4, 5, 6, 7]
    assert [event.type.removeprefix("video.") for event in events] == [
        *("queued", "in_progress", "progress", "progress", "progress", "progress", "completed")
    ]
    assert [body["task"]["progress"] for body in bodies] == [0, 0, 23, 47, 97, 98, 100]
    assert [body["task"]["video_url"] is not None for body in bodies] == [False] * 6 + [True]
    assert [body["task"]["credits"] for body in bodies] == [None] * 6 + [18]


# --- What providers do -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "code"),
    [("Failure to pass the risk control system", "content_policy_violation"), ("It broke", "provider_error")],
)
async def test_a_failed_task_is_free_and_says_why(caller, kling, message, code) -> None:
    behave(kling, {"task_failed": message})
    task = await bring_to_its_end((await ask_for(caller)).pk)
    assert await ending_of(task.pk) == failed(code)
    assert await money_of(caller) == UNTOUCHED
    assert (task.body, task.error_message != "", task.progress < 100) == ({}, True, True)


async def test_what_a_provider_cancelled_is_cancelled(caller, bytedance) -> None:
    task = await running(caller, SEEDANCE)
    bytedance.videos.known[task.provider_task_id].cancelled = True
    await step(task.pk)
    assert await ending_of(task.pk) == CANCELLED


@pytest.mark.parametrize("model", [TURBO, SEEDANCE])
async def test_what_a_provider_has_forgotten_has_failed(caller, request, model) -> None:
    fake = request.getfixturevalue("kling" if model == TURBO else "bytedance")
    task = await running(caller, model)
    (fake.tasks if model == TURBO else fake.videos.known).clear()
    await step(task.pk)
    assert await ending_of(task.pk) == failed("provider_error")


@pytest.mark.parametrize(
    "behaviour",
    [
        {"status": 429, "code": "1302", "retry_after": "86400"},
        {"status": 500, "code": "5000"},
        {"status": 503, "html": True},
        {"status": 504, "code": "5002"},
        {"poll_code": "1002"},
        {"bad_json": True},
        {"refuse": True},
        {"hang": True},
    ],
    ids=lambda behaviour: " ".join(behaviour),
)
async def test_looks_in_vain_say_nothing_of_the_task(caller, kling, settings, behaviour) -> None:
    task = await running(caller, TURBO)
    behave(kling, behaviour)
    patience, settings.PROVIDER_TIMEOUT_SECONDS = settings.PROVIDER_TIMEOUT_SECONDS, 0.05
    for tries in (1, 2):
        task = await step(task.pk)
        assert (task.state, task.tries, task.claim) == ("running", tries, "")
        assert timedelta(seconds=1) < task.next_at - timezone.now() <= timedelta(seconds=asking.LONGEST_WISH)
    assert await money_of(caller) == (500_000, 18_000)
    kling.reset()
    settings.PROVIDER_TIMEOUT_SECONDS = patience
    await step(task.pk)
    assert await ending_of(task.pk) == completed()


async def test_past_its_deadline_a_task_has_failed_and_its_provider_is_told_to_stop(caller, bytedance) -> None:
    behave(bytedance, {"polls": 1_000_000})
    task = await running(caller, SEEDANCE)
    await pass_deadline(task.pk)
    task = await step(task.pk)
    assert await ending_of(task.pk) == failed("deadline_exceeded")
    assert bytedance.videos.known[task.provider_task_id].cancelled
    assert await money_of(caller) == UNTOUCHED


async def test_a_task_that_waited_past_its_deadline_is_not_begun(caller, kling) -> None:
    task = await ask_for(caller)
    await pass_deadline(task.pk)
    await step(task.pk)
    assert await ending_of(task.pk) == failed("deadline_exceeded")
    assert kling.requests == []


async def test_a_clip_that_comes_past_the_deadline_is_not_charged_and_not_kept(caller, kling, monkeypatch) -> None:
    task = await running(caller, TURBO)
    before, really = stored(), looking.store_clip

    async def slowly(clip: Any, **limits: float) -> str:
        name = await really(clip, **limits)
        await pass_deadline(task.pk)
        return name

    monkeypatch.setattr(looking, "store_clip", slowly)
    await step(task.pk)
    assert await ending_of(task.pk) == failed("deadline_exceeded")
    assert stored() == before


async def test_where_nobody_works_the_sweeper_releases_and_a_late_worker_says_so(caller, kling) -> None:
    task = await running(caller, TURBO)
    await pass_deadline(task.pk, by=601)
    assert await ledger.sweep() == 1
    assert await ledger.sweep() == 0
    assert await money_of(caller) == UNTOUCHED
    await step(task.pk)
    assert await ending_of(task.pk) == ("failed", "deadline_exceeded", "released", 0, "late")


@pytest.mark.database
async def test_a_clip_whose_hold_is_gone_is_not_given_away(caller, kling) -> None:
    task = await running(caller, TURBO)
    before = stored()
    await Hold.objects.aupdate(deadline=timezone.now())
    assert await ledger.sweep() == 1
    await step(task.pk)
    assert await ending_of(task.pk) == ("failed", "deadline_exceeded", "released", 0, "late")
    events = await events_of(task.pk)
    assert [(event.number, event.type) for event in events[2:]] == [(3, "video.failed")]
    await deleted(stored() - before)


# --- A clip that cannot be fetched -----------------------------------------------------------------------------------


async def test_a_clip_whose_address_has_expired_fails_the_task_after_some_tries(caller, kling) -> None:
    behave(kling, {"expired": True})
    task = await bring_to_its_end((await ask_for(caller)).pk)
    assert await ending_of(task.pk) == failed("deadline_exceeded")
    assert await money_of(caller) == UNTOUCHED
    assert len([one for one in kling.requests if one.path.startswith("/results/")]) == looking.FETCH_TRIES
    errors = [attempt["error"] for attempt in (await Receipt.objects.aget()).attempts]
    assert errors == ["", *[looking.NOT_FETCHED] * looking.FETCH_TRIES]


async def test_looks_in_vain_do_not_use_up_the_tries_of_fetching(caller, kling) -> None:
    task = await running(caller, TURBO)
    behave(kling, {"failing_polls": looking.FETCH_TRIES, "expired": True})
    for _ in range(2 * looking.FETCH_TRIES - 1):
        assert (await step(task.pk)).state == "running"
    behave(kling, {"expired": False})
    await step(task.pk)
    assert await ending_of(task.pk) == completed()


async def test_a_result_that_is_no_video_is_not_passed_on(caller, bytedance) -> None:
    task = await running(caller, SEEDANCE)
    before = stored()
    bytedance.videos.known[task.provider_task_id].clip = bytedance.results.add(64, 64)
    await bring_to_its_end(task.pk)
    assert await ending_of(task.pk) == failed("deadline_exceeded")
    assert stored() == before


async def test_a_storage_that_is_full_for_a_while_fails_nothing(caller, kling, monkeypatch) -> None:
    task = await running(caller, TURBO)

    async def full(clip: Any, **limits: float) -> str:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(looking, "store_clip", full)
        for _ in range(looking.FETCH_TRIES + 1):
            assert (await step(task.pk)).state == "running"
    await step(task.pk)
    assert await ending_of(task.pk) == completed()


# --- Workers that come late, and answers that come twice -------------------------------------------------------------


@pytest.mark.parametrize("claimed_as", ["queued", "submitting", "running"])
async def test_a_worker_whose_lease_is_over_changes_nothing(caller, kling, claimed_as) -> None:
    task = await ask_for(caller)
    if claimed_as == "running":
        await step(task.pk)
    if claimed_as == "submitting":
        await VideoTask.objects.filter(pk=task.pk).aupdate(
            state="submitting",
            served_by=f"kling/{TURBO}",
            served_model_id=TURBO,
            key_fingerprint=fingerprint("vendor-key"),
        )
    late = await claim(task.pk)
    done = await bring_to_its_end(task.pk)
    events, files = await events_of(task.pk), stored()
    for behaviour in ({"polls": 0}, {"polls": 10, "task_failed": "Out of order"}, {"expired": True}):
        behave(kling, behaviour)
        for known in kling.tasks.values():
            known.polls = 0
        await jobs.step(late)
    assert msgspec.to_builtins((await read(task.pk)).__dict__ | {"_state": None}) == msgspec.to_builtins(
        done.__dict__ | {"_state": None}
    )
    assert await events_of(task.pk) == events
    assert stored() == files
    assert await ending_of(task.pk) == completed()
    assert len(kling.tasks) == 1


@pytest.mark.parametrize("behaviour", [{}, {"polls": 9}, {"task_failed": "It broke"}, {"expired": True}])
async def test_a_worker_whose_task_has_gone_to_another_leaves_it_to_that(caller, kling, behaviour) -> None:
    task = await running(caller, TURBO)
    late = await claim(task.pk)
    behave(kling, behaviour)
    other = await claim(task.pk)
    files, events = stored(), await events_of(task.pk)
    await jobs.step(late)
    left = await read(task.pk)
    assert (left.state, left.claim, left.next_at, left.tries) == ("running", other.claim, other.next_at, 0)
    assert (stored(), await events_of(task.pk)) == (files, events)
    kling.reset()
    await jobs.step(other)
    assert await ending_of(task.pk) == completed()


async def test_a_provider_that_calls_twice_is_paid_once(caller, kling, settings) -> None:
    settings.PUBLIC_URL = "https://gateway.example.com"
    task = await running(caller, TURBO)
    token = callback_url(task.pk).rpartition("/")[2]
    assert task.next_at > timezone.now() + timedelta(seconds=10)
    for _ in range(2):
        assert await videos.note_callback(token)
        assert (await read(task.pk)).next_at <= timezone.now()
    await step(task.pk)
    assert await videos.note_callback(token)
    assert await ending_of(task.pk) == completed()
    assert (await events_of(task.pk))[-1].type == "video.completed"
    assert not await videos.note_callback("x" + token)


# --- Handing over ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("retry_after", ["", "3600"])
async def test_a_busy_provider_is_asked_again_later(caller, kling, settings, retry_after) -> None:
    behave(kling, {"status": 429, "code": "1302", "retry_after": retry_after})
    task = await ask_for(caller, FIRST)
    for tries in (1, 2):
        task = await step(task.pk)
        assert (task.state, task.tries, task.served_by, task.claim) == ("queued", tries, "", "")
        assert timezone.now() < task.next_at <= timezone.now() + timedelta(seconds=asking.LONGEST_WISH)
    assert await money_of(caller) == (500_000, 8_000)
    kling.reset()
    use(settings, kling, "kling")  # and what was known of its key is forgotten
    await bring_to_its_end(task.pk)
    assert await ending_of(task.pk) == completed(8)
    assert len(kling.tasks) == 1


async def test_patience_with_a_busy_provider_ends(caller, kling) -> None:
    behave(kling, {"status": 429, "code": "1302"})
    task = await ask_for(caller, FIRST)
    assert (await step(task.pk)).state == "queued"
    long_ago = timezone.now() - timedelta(seconds=handing.SUBMIT_PATIENCE)
    await VideoTask.objects.filter(pk=task.pk).aupdate(created_at=long_ago)
    task = await step(task.pk)
    assert await ending_of(task.pk) == failed("overloaded")
    assert (await Receipt.objects.aget()).served_by == f"kling/{FIRST}"


async def test_a_refusal_at_the_door_fails_at_once(caller, kling) -> None:
    behave(kling, {"status": 400, "code": "1301"})
    task = await step((await ask_for(caller)).pk)
    assert await ending_of(task.pk) == failed("content_policy_violation")
    assert len(posts(kling)) == 1


@pytest.mark.parametrize(
    ("behaviour", "steps"),
    [
        ({"lose_answer": True}, ["running"]),  # the adapter finds it
        ({"stall_after": 0}, ["submitting", "running"]),  # the next look does
        ({"hang": True}, ["submitting", "queued", "running"]),  # it never arrived
    ],
    ids=lambda case: " ".join(case),
)
async def test_where_the_answer_is_lost_a_task_is_found_by_our_reference(
    caller, kling, settings, behaviour, steps
) -> None:
    settings.PROVIDER_TIMEOUT_SECONDS = 0.1
    behave(kling, behaviour)
    task = await ask_for(caller)
    seen = [(await step(task.pk)).state]
    kling.reset()
    seen += [(await step(task.pk)).state for _ in steps[1:]]
    assert seen == steps
    await bring_to_its_end(task.pk)
    assert await ending_of(task.pk) == completed()
    assert len(kling.tasks) == 1


@pytest.mark.parametrize("behaviour", [{"die_after": 0}, {"hang": True}], ids=lambda behaviour: " ".join(behaviour))
async def test_where_the_answer_is_lost_and_nobody_can_tell_the_task_has_failed(
    caller, bytedance, settings, behaviour
) -> None:
    settings.PROVIDER_TIMEOUT_SECONDS = 0.1
    behave(bytedance, behaviour)
    task = await step((await ask_for(caller, SEEDANCE)).pk)
    assert (await ending_of(task.pk))[2:] == ("released", 0, "failed")
    assert len(posts(bytedance)) == 1


async def test_a_fallback_makes_the_clip_for_the_price_of_the_model_asked_for(caller, bytedance, monkeypatch) -> None:
    monkeypatch.delitem(bytedance_videos.MODELS, "dreamina-seedance-2-0-260128")
    task = await bring_to_its_end((await ask_for(caller, "seedance-2.0", duration=4)).pk)
    assert (await ending_of(task.pk))[0] == "completed"
    assert (task.served_model_id, task.cost) == ("seedance-2.0-fast", (await Receipt.objects.aget()).captured)
    assert [attempt["error"] for attempt in task.attempts] == ["auth", ""]
    models = [body["model"] for body in posts(bytedance)]
    assert models == ["dreamina-seedance-2-0-260128", "dreamina-seedance-2-0-fast-260128"]


async def test_a_fallback_that_cannot_make_the_same_clip_is_not_asked(caller, bytedance, monkeypatch) -> None:
    monkeypatch.delitem(bytedance_videos.MODELS, "dreamina-seedance-2-0-260128")
    task = await step((await ask_for(caller, "seedance-2.0", duration=4, resolution="1080p")).pk)
    assert await ending_of(task.pk) == failed("provider_error")
    assert len(posts(bytedance)) == 1


async def test_the_key_that_submitted_a_task_looks_at_it(caller, kling, settings) -> None:
    use(settings, kling, "kling", keys=("first-vendor-key", "second-vendor-key"))
    tasks = [await running(caller, FIRST) for _ in range(4)]
    submitted = kling.tokens[:]
    assert set(submitted) == {"first-vendor-key", "second-vendor-key"}
    for task in tasks:
        await step(task.pk)
    assert kling.tokens[4:] == submitted
    assert [await ending_of(task.pk) for task in tasks] == [completed(8)] * 4


@pytest.mark.parametrize("state", ["running", "submitting"])
async def test_a_task_whose_key_is_gone_waits_for_it(caller, kling, settings, state) -> None:
    task = await running(caller, TURBO)
    await VideoTask.objects.filter(pk=task.pk).aupdate(state=state)
    use(settings, kling, "kling", keys=("another-vendor-key",))
    asked = len(kling.requests)
    task = await step(task.pk)
    assert (task.state, len(kling.requests)) == (state, asked)
    use(settings, kling, "kling")
    await bring_to_its_end(task.pk)
    assert await ending_of(task.pk) == completed()
    assert len(kling.tasks) == 1


async def test_a_lost_task_is_looked_for_with_its_own_key_even_while_that_rests(caller, kling, settings) -> None:
    use(settings, kling, "kling", keys=("first-vendor-key", "second-vendor-key"))
    task = await running(caller, FIRST)
    await VideoTask.objects.filter(pk=task.pk).aupdate(state="submitting", provider_task_id="")
    behave(kling, {"status": 429, "code": "1302", "fail_times": 4})
    other = await ask_for(caller, FIRST)
    await step(other.pk)  # both keys are limited now
    kling.reset()
    task = await step(task.pk)
    assert task.state == "running"
    assert set(kling.tasks) == {task.provider_task_id}
    await bring_to_its_end(task.pk)
    await bring_to_its_end(other.pk)


async def test_a_lost_task_of_the_sandbox_is_begun_again_for_it_costs_nobody(caller) -> None:
    task = await running(caller, "sandbox-video")
    await VideoTask.objects.filter(pk=task.pk).aupdate(state="submitting")
    assert [(await step(task.pk)).state for _ in range(2)] == ["queued", "running"]


# --- A database that is away -----------------------------------------------------------------------------------------


def lose_database(monkeypatch: pytest.MonkeyPatch, transition: str, times: int) -> list[str]:
    """So often this transition cannot be written; the list fills with the tries in vain."""
    really, lost = writer._write, list[str]()

    def write(batch: Any) -> Any:
        names = {asked.transition.__qualname__.partition(".")[0] for asked in batch}
        if transition in names and len(lost) < times:
            lost.append(transition)
            raise OperationalError("the database is away")
        return really(batch)

    monkeypatch.setattr(writer, "_write", write)
    return lost


@pytest.mark.parametrize("transition", ["hand_over", "accept", "complete"])
async def test_what_a_provider_said_is_not_lost_while_the_database_is_away(
    caller, bytedance, monkeypatch, transition
) -> None:
    def away(model_id: str) -> float:
        raise OperationalError("the database is away")

    monkeypatch.setattr(progress, "_read_median", away)
    lost = lose_database(monkeypatch, transition, 3)
    task = await bring_to_its_end((await ask_for(caller, SEEDANCE)).pk)
    assert lost == [transition] * 3
    assert await ending_of(task.pk) == completed(25)
    assert len(posts(bytedance)) == 1


@pytest.mark.database
async def test_a_transaction_that_was_committed_although_its_answer_was_lost_is_made_once(
    caller, bytedance, monkeypatch
) -> None:
    really, lost = writer._write, set[str]()

    def write(batch: Any) -> Any:
        written = really(batch)
        name = batch[0].transition.__qualname__.partition(".")[0]
        if name not in lost:
            lost.add(name)
            raise OperationalError("the connection is gone")
        return written

    monkeypatch.setattr(writer, "_write", write)
    task = await bring_to_its_end((await ask_for(caller, SEEDANCE)).pk)
    assert lost == {"hand_over", "accept", "complete"}
    assert await ending_of(task.pk) == completed(25)
    assert default_storage.exists(task.media)
    assert [event.number for event in await events_of(task.pk)] == [1, 2, 3]


# --- Cancelling ------------------------------------------------------------------------------------------------------


async def cancel(caller: Caller, task_id: str) -> VideoTask:
    return await videos.cancel(call_of(caller), task_id)


async def test_a_queued_task_is_cancelled_at_once_and_again(caller, kling) -> None:
    task = await ask_for(caller)
    late = await claim(task.pk)
    ended = await asyncio.gather(*(cancel(caller, task.pk) for _ in range(3)))
    assert [one.state for one in ended] == ["cancelled"] * 3
    await jobs.step(late)
    assert await ending_of(task.pk) == CANCELLED
    assert await money_of(caller) == UNTOUCHED
    assert kling.requests == []
    assert [event.type for event in await events_of(task.pk)] == ["video.queued", "video.cancelled"]


async def test_a_task_that_waits_at_its_provider_is_cancelled_there(caller, bytedance) -> None:
    behave(bytedance, {"polls": 1_000_000})
    task = await running(caller, SEEDANCE)
    bytedance.videos.known[task.provider_task_id].looks = -100  # so many find it queued
    ended = await asyncio.gather(*(cancel(caller, task.pk) for _ in range(2)))
    assert [one.state for one in ended] == ["cancelled"] * 2
    assert bytedance.videos.known[task.provider_task_id].cancelled
    assert await ending_of(task.pk) == CANCELLED


@pytest.mark.parametrize("model", [TURBO, SEEDANCE])
async def test_a_task_that_its_provider_does_not_stop_goes_on(caller, request, model) -> None:
    fake = request.getfixturevalue("kling" if model == TURBO else "bytedance")
    task = await running(caller, model)
    behave(fake, {"polls": 5} | ({"running_at_delete": True} if model == SEEDANCE else {}))
    with pytest.raises(NotCancellable):
        await cancel(caller, task.pk)
    behave(fake, {"polls": 0})
    await bring_to_its_end(task.pk)
    assert (await ending_of(task.pk))[0] == "completed"
    assert (await cancel(caller, task.pk)).state == "completed"


async def test_what_is_deleted_while_it_goes_on_is_charged_and_kept_nowhere(caller, kling) -> None:
    before = stored()
    behave(kling, {"polls": 1})
    task = await running(caller, TURBO)
    await videos.delete(call_of(caller), task.pk)
    with pytest.raises(TaskNotFound):
        await videos.find(call_of(caller), task.pk)
    await bring_to_its_end(task.pk)
    assert await ending_of(task.pk) == completed()
    await deleted(stored() - before)


async def test_a_clip_that_cannot_be_reached_is_asked_for_until_the_deadline(caller, kling, monkeypatch) -> None:
    task = await running(caller, TURBO)

    async def unreachable(clip: Any, **limits: float) -> str:
        raise FetchError("the connection to its server failed")

    with monkeypatch.context() as broken:
        broken.setattr(looking, "store_clip", unreachable)
        for _ in range(looking.FETCH_TRIES + 2):
            assert (await step(task.pk)).state == "running"
    assert (await bring_to_its_end(task.pk)).state == "completed"


async def test_a_task_that_is_being_handed_over_is_cancelled_once_it_is(caller, bytedance, monkeypatch) -> None:
    behave(bytedance, {"polls": 1_000_000, "delay": 0.15})
    task = await ask_for(caller, SEEDANCE)
    handing_over = asyncio.create_task(step(task.pk))
    while not bytedance.requests:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    with monkeypatch.context() as impatient:
        impatient.setattr(videos, "HANDING_OVER_SECONDS", 0.0)
        with pytest.raises(NotCancellable):
            await cancel(caller, task.pk)
    assert (await cancel(caller, task.pk)).state == "cancelled"
    await handing_over
    assert await ending_of(task.pk) == CANCELLED
    assert [one.cancelled for one in bytedance.videos.known.values()] == [True]


@pytest.mark.database
async def test_a_cancel_that_races_the_end_leaves_one_end(caller, bytedance) -> None:
    behave(bytedance, {"polls": 1})
    tasks = [await running(caller, SEEDANCE) for _ in range(6)]
    claimed = [await claim(task.pk) for task in tasks]
    both = [work for one in claimed for work in (jobs.step(one), cancel(caller, one.pk))]
    outcomes = await asyncio.gather(*both, return_exceptions=True)
    assert all(isinstance(one, VideoTask | NotCancellable | None) for one in outcomes), outcomes
    for task in tasks:
        await bring_to_its_end(task.pk) if not (await read(task.pk)).is_ended else None
        assert await ending_of(task.pk) in (CANCELLED, completed(25))
        endings = TaskEvent.objects.filter(task=task, type__in=("video.completed", "video.failed", "video.cancelled"))
        assert await endings.acount() == 1
    charged = 25_000 * await VideoTask.objects.filter(state="completed").acount()
    assert await money_of(caller) == (500_000 - charged, 0)


async def test_a_deleted_task_is_gone_and_so_is_its_clip(caller, kling) -> None:
    task = await bring_to_its_end((await ask_for(caller)).pk)
    await videos.delete(call_of(caller), task.pk)
    for asked in (videos.find, videos.cancel, videos.delete, videos.open_content):
        with pytest.raises(TaskNotFound):
            await asked(call_of(caller), task.pk)
    await deleted({task.media})
    assert await ending_of(task.pk) == completed()


# --- Beginning -------------------------------------------------------------------------------------------------------


@pytest.mark.database
async def test_who_cannot_pay_leaves_nothing_behind(caller, bytedance) -> None:
    before = stored()
    asked = (ask_for(caller, "seedance-2.5", image=FRAME) for _ in range(8))
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    made = [one for one in outcomes if isinstance(one, VideoTask)]
    assert sum(isinstance(one, InsufficientCredits) for one in outcomes) == 8 - len(made) > 0
    assert await VideoTask.objects.acount() == len(made) == 500_000 // made[0].cost
    assert len(stored() - before) == len(made)
    assert (await money_of(caller))[1] == sum(task.cost for task in made)


@pytest.mark.database
async def test_what_no_database_keeps_is_refused_with_its_name(caller) -> None:
    for wish in ({"prompt": "a\0b"}, {"multi_prompt": [{"prompt": "a\0b"}]}):
        with pytest.raises(InvalidValue) as refused:
            await ask_for(caller, **wish)
        assert refused.value.param == next(iter(wish))
    with pytest.raises(TaskNotFound):
        await videos.find(call_of(caller), "video_\0")
