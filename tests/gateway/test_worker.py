"""Workers share a table, live through a database that is away, and leave in order."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from accounts.keys import Caller
from gateway import jobs
from gateway.errors import ConcurrencyExceeded
from gateway.jobs import asking, looking
from gateway.models import TaskEvent, VideoTask
from gateway.providers.http import close_pools
from gateway.queue import claims, worker
from gateway.tasks import life, writer
from tests.gateway.workers import (
    CANCELLED,
    SEEDANCE,
    ask_for,
    claim,
    completed,
    ending_of,
    failed,
    make_caller,
    money_of,
    read,
    step,
)
from tests.upstreams.bytedance import FakeByteDance
from tests.upstreams.contract import behave


@pytest.fixture(scope="module")
def server() -> Iterator[FakeByteDance]:
    with FakeByteDance() as server:
        yield server


@pytest.fixture
def vendor(server: FakeByteDance, settings: Any) -> FakeByteDance:
    server.reset()
    server.videos.known.clear()
    settings.PROVIDERS = {"bytedance": {"api_keys": ["vendor-key"], "base_url": server.base_url}}
    settings.FETCH_ALLOWED_PRIVATE_HOSTS = [f"127.0.0.1:{server.port}"]
    return server


@pytest.fixture
async def caller(audited: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Caller]:
    async def at_once(*_: object) -> float:
        return 0.0

    monkeypatch.setattr(worker, "PAUSE", 0.01)
    monkeypatch.setattr(worker, "AWAY_PAUSE", 0.01)
    monkeypatch.setattr(asking, "AWAY_PAUSE", 0.01)
    monkeypatch.setattr(looking, "look_after", at_once)
    monkeypatch.setattr("gateway.jobs.handing.look_after", at_once)
    yield await asyncio.to_thread(make_caller)
    await close_pools()


async def until(ready: Any) -> None:
    async with asyncio.timeout(30):
        while not await ready():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def end(working: "asyncio.Task[None]") -> None:
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working


async def is_asked(vendor: FakeByteDance) -> bool:
    return bool(vendor.requests)


# --- Sharing ---------------------------------------------------------------------------------------------------------


@pytest.mark.database
async def test_workers_that_ask_at_once_claim_different_rows(caller, vendor) -> None:
    for _ in range(18):
        await ask_for(caller, SEEDANCE)
    together = threading.Barrier(4)

    def ask() -> list[str]:
        together.wait()
        try:
            rounds = [claims.claim_due(VideoTask.objects.filter(ended_at=None), 3) for _ in range(5)]
        finally:
            connection.close()
        return [task.pk for found in rounds for task in found]

    found = [name for names in await asyncio.gather(*(asyncio.to_thread(ask) for _ in range(4))) for name in names]
    assert sorted(Counter(found).values()) == [1] * 18
    assert await VideoTask.objects.filter(next_at__gt=timezone.now() + timedelta(seconds=50)).acount() == 18


@pytest.mark.database
async def test_the_limit_of_videos_at_a_time_is_exact(audited, vendor) -> None:
    caller = await asyncio.to_thread(make_caller, concurrent_videos=4)
    asked = (ask_for(caller, SEEDANCE) for _ in range(12))
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(one, ConcurrencyExceeded) for one in outcomes) == 8
    assert await VideoTask.objects.acount() == 4
    assert await money_of(caller) == (500_000, 100_000)
    task = await VideoTask.objects.afirst()
    await writer.change(task.pk, life.cancel(VideoTask.State.QUEUED))
    await ask_for(caller, SEEDANCE)


@pytest.mark.database
async def test_a_living_worker_keeps_what_it_works_on_and_nothing_else(caller, vendor) -> None:
    kept, lost = await claim((await ask_for(caller, SEEDANCE)).pk), await claim((await ask_for(caller, SEEDANCE)).pk)
    other = await claim(lost.pk)
    await VideoTask.objects.aupdate(next_at=timezone.now())
    waiting = VideoTask.objects.filter(ended_at=None)
    await asyncio.to_thread(claims.renew, waiting, [kept, lost])
    assert (await read(kept.pk)).next_at > timezone.now() + timedelta(seconds=50)
    assert (await read(lost.pk)).next_at <= timezone.now()
    await asyncio.to_thread(claims.give_back, waiting, [kept, lost], 0)
    assert [(await read(one.pk)).claim for one in (kept, lost)] == ["", other.claim]


# --- A database that is away -----------------------------------------------------------------------------------------


async def test_a_worker_lives_through_a_database_that_is_away_and_forgets_nothing(caller, vendor, monkeypatch) -> None:
    """The vendor's answer comes while nothing can be read or written, until the claim on its task has run out."""
    away = threading.Event()
    monkeypatch.setattr(worker, "END_SECONDS", 0.0)
    for module, name in ((claims, "claim_due"), (claims, "renew"), (writer, "_write")):
        monkeypatch.setattr(module, name, unless(away, getattr(module, name)))
    behave(vendor, {"delay": 0.1})
    task = await ask_for(caller, SEEDANCE)
    working = asyncio.create_task(jobs.run())
    await until(lambda: is_asked(vendor))
    away.set()
    await asyncio.sleep(0.3)
    assert (await read(task.pk)).state == "submitting"
    await VideoTask.objects.aupdate(next_at=timezone.now())
    away.clear()
    await until(lambda: VideoTask.objects.filter(pk=task.pk, state="completed").aexists())
    await end(working)
    assert await ending_of(task.pk) == completed(25)
    assert len(vendor.videos.known) == 1


def unless(away: threading.Event, really: Any) -> Any:
    def ask(*arguments: Any) -> Any:
        if away.is_set():
            raise OperationalError("the database is away")
        return really(*arguments)

    return ask


async def test_a_step_that_goes_wrong_is_tried_again(caller, vendor, monkeypatch, caplog) -> None:
    really, wrong = looking.store_clip, []

    async def store_clip(clip: Any, **limits: float) -> str:
        if not wrong:
            wrong.append(clip)
            raise ZeroDivisionError
        return await really(clip, **limits)

    monkeypatch.setattr(looking, "store_clip", store_clip)
    monkeypatch.setattr(worker, "AFTER_TROUBLE", 0.0)
    task = await ask_for(caller, SEEDANCE)
    working = asyncio.create_task(jobs.run())
    await until(lambda: VideoTask.objects.filter(pk=task.pk, state="completed").aexists())
    await end(working)
    assert await ending_of(task.pk) == completed(25)
    assert [record.exc_info[0] for record in caplog.records if record.levelname == "ERROR"] == [ZeroDivisionError]


# --- Leaving ---------------------------------------------------------------------------------------------------------


async def test_a_submission_under_way_is_brought_to_its_end(caller, vendor) -> None:
    behave(vendor, {"delay": 0.2})
    task = await ask_for(caller, SEEDANCE)
    working = asyncio.create_task(jobs.run())
    await until(lambda: is_asked(vendor))
    await end(working)
    task = await read(task.pk)
    assert (task.state, task.claim) == ("running", "")
    assert task.provider_task_id in vendor.videos.known


async def test_what_does_not_end_in_time_is_left_to_others_at_once(caller, vendor, monkeypatch) -> None:
    monkeypatch.setattr(worker, "END_SECONDS", 0.05)
    behave(vendor, {"hang": True})
    task = await ask_for(caller, SEEDANCE)
    working = asyncio.create_task(jobs.run())
    await until(lambda: is_asked(vendor))
    await end(working)
    task = await read(task.pk)
    assert (task.state, task.claim) == ("submitting", "")
    assert task.next_at <= timezone.now()
    await jobs.step(await claim(task.pk))
    assert await ending_of(task.pk) == failed("provider_error")


async def test_what_is_claimed_in_the_moment_of_the_end_is_left_to_others_at_once(caller, vendor, monkeypatch) -> None:
    begun, go_on, really = threading.Event(), threading.Event(), claims.claim_due

    def slowly(*arguments: Any) -> Any:
        begun.set()
        go_on.wait(5)
        return really(*arguments)

    monkeypatch.setattr(claims, "claim_due", slowly)
    task = await ask_for(caller, SEEDANCE)
    working = asyncio.create_task(jobs.run())
    await asyncio.to_thread(begun.wait, 5)
    working.cancel()
    await asyncio.sleep(0.01)
    go_on.set()
    await asyncio.gather(working, return_exceptions=True)
    task = await read(task.pk)
    assert (task.state, task.claim) == ("queued", "")
    assert task.next_at <= timezone.now()
    assert vendor.requests == []


# --- The writer ------------------------------------------------------------------------------------------------------


async def test_a_transition_that_cannot_be_written_fails_no_other(caller, vendor) -> None:
    tasks = [await ask_for(caller, SEEDANCE) for _ in range(3)]

    def spoil(task: VideoTask, now: Any) -> life.Change:
        return life.Change(events=[TaskEvent(task_id=task.pk, number=1, type="video.queued", body="{}")])

    queued = life.cancel(VideoTask.State.QUEUED)
    outcomes = await asyncio.gather(
        writer.change(tasks[0].pk, queued),
        writer.change(tasks[1].pk, spoil),
        writer.change("video_unknown", queued),
        writer.change(tasks[2].pk, queued, claim="of another"),
        return_exceptions=True,
    )
    assert [type(one).__name__ for one in outcomes] == ["Outcome", "IntegrityError", "DoesNotExist", "Outcome"]
    assert (outcomes[0].changed, outcomes[3].changed) == (True, False)
    assert [(await read(task.pk)).state for task in tasks] == ["cancelled", "queued", "queued"]
    assert await money_of(caller) == (500_000, 50_000)


async def test_a_look_and_an_end_in_one_transaction_are_both_written(caller, vendor) -> None:
    task = await ask_for(caller, SEEDANCE)
    assert (await step(task.pk)).state == "running"
    await asyncio.gather(
        writer.change(task.pk, life.look(30, 5)), writer.change(task.pk, life.cancel(VideoTask.State.RUNNING))
    )
    task = await read(task.pk)
    assert (task.state, task.progress, task.last_event) == ("cancelled", 30, 4)
    assert await ending_of(task.pk) == CANCELLED


async def test_a_caller_that_leaves_does_not_undo_what_it_asked_for(caller, vendor) -> None:
    task = await ask_for(caller, SEEDANCE)
    asking_for_it = asyncio.create_task(writer.change(task.pk, life.cancel(VideoTask.State.QUEUED)))
    await asyncio.sleep(0)
    asking_for_it.cancel()
    await until(lambda: VideoTask.objects.filter(pk=task.pk, state="cancelled").aexists())
