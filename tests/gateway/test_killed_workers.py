"""A worker that is killed at any step leaves a task that the next one brings to its end, paid once or not at all."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from django.core.files.storage import default_storage

from accounts.keys import Caller
from gateway.models import VideoTask
from gateway.providers.http import close_pools
from tests.gateway.workers import (
    SEEDANCE,
    TURBO,
    DyingWorkers,
    ask_for,
    bring_to_its_end,
    completed,
    dying_workers,
    ending_of,
    events_of,
    failed,
    make_caller,
    money_of,
    read,
)
from tests.upstreams import kling
from tests.upstreams.bytedance import FakeByteDance
from tests.upstreams.kling import FakeKling

pytestmark = pytest.mark.database

KEY = "key-of-the-killed"
SIGKILL = 9


@pytest.fixture(scope="module")
def traceable() -> Iterator[FakeKling]:
    with FakeKling(api_key=KEY) as server:
        yield server


@pytest.fixture(scope="module")
def untraceable() -> Iterator[FakeByteDance]:
    with FakeByteDance(api_key=KEY) as server:
        yield server


@pytest.fixture(scope="module")
def dying(traceable: FakeKling, untraceable: FakeByteDance, django_db_setup: None) -> Iterator[DyingWorkers]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KLING_API_KEY", KEY)
        patch.setenv("KLING_BASE_URL", traceable.base_url)
        patch.setenv("MODELARK_API_KEY", KEY)
        patch.setenv("MODELARK_BASE_URL", untraceable.base_url)
        patch.setenv("FETCH_ALLOWED_PRIVATE_HOSTS", ",".join(hosts_of(traceable, untraceable)))
        with dying_workers() as workers:
            yield workers


@pytest.fixture
async def caller(
    audited: None, settings: Any, traceable: FakeKling, untraceable: FakeByteDance
) -> AsyncIterator[Caller]:
    settings.PROVIDERS = {
        "kling": {"api_keys": [KEY], "base_url": traceable.base_url},
        "bytedance": {"api_keys": [KEY], "base_url": untraceable.base_url},
    }
    settings.FETCH_ALLOWED_PRIVATE_HOSTS = hosts_of(traceable, untraceable)
    for fake in (traceable, untraceable):
        fake.reset()
    traceable.tasks.clear()
    untraceable.videos.known.clear()
    yield await asyncio.to_thread(make_caller)
    await close_pools()


def hosts_of(*fakes: FakeKling | FakeByteDance) -> list[str]:
    return [f"127.0.0.1:{fake.port}" for fake in fakes]


@pytest.mark.parametrize("transition", ["hand_over", "accept", "look", "complete"])
@pytest.mark.parametrize("moment", ["before", "in", "after"])
async def test_where_the_provider_knows_our_reference_the_next_worker_completes_it(
    caller: Caller, dying: DyingWorkers, traceable: FakeKling, moment: str, transition: str
) -> None:
    traceable.behaviour = kling.Behaviour(polls=1)
    task = await ask_for(caller, TURBO)
    assert await asyncio.to_thread(dying.work, task.pk, f"{moment} {transition}") == SIGKILL

    left = await read(task.pk)
    if (moment, transition) == ("after", "complete"):
        assert left.is_ended
    else:
        assert left.claim or moment == "after"
        await bring_to_its_end(task.pk)
    assert await ending_of(task.pk) == completed()
    assert await money_of(caller) == (482_000, 0)
    assert len(traceable.tasks) == 1, "one clip was made"
    numbers = [event.number for event in await events_of(task.pk)]
    assert numbers == list(range(1, len(numbers) + 1))
    done = await read(task.pk)
    assert (done.body, done.frames, done.progress) == ({}, {}, 100)
    assert default_storage.exists(done.media)


@pytest.mark.parametrize(
    ("dies", "clips", "ending"),
    [
        ("before hand_over", 1, completed(25)),
        ("in hand_over", 1, completed(25)),
        ("after hand_over", 0, failed("provider_error")),
        ("before accept", 1, failed("provider_error")),
        ("in accept", 1, failed("provider_error")),
        ("after accept", 1, completed(25)),
        ("before complete", 1, completed(25)),
    ],
)
async def test_where_nobody_can_tell_whether_it_arrived_it_has_failed_and_is_free(
    caller: Caller, dying: DyingWorkers, untraceable: FakeByteDance, dies: str, clips: int, ending: tuple[Any, ...]
) -> None:
    task = await ask_for(caller, SEEDANCE)
    assert await asyncio.to_thread(dying.work, task.pk, dies) == SIGKILL
    await bring_to_its_end(task.pk)
    assert await ending_of(task.pk) == ending
    assert await money_of(caller) == (500_000 - ending[3], 0)
    assert len(untraceable.videos.known) == clips


async def test_two_processes_at_once_submit_each_task_once(
    caller: Caller, dying: DyingWorkers, traceable: FakeKling
) -> None:
    traceable.behaviour = kling.Behaviour(polls=1)
    tasks = [await ask_for(caller, TURBO) for _ in range(12)]
    await asyncio.to_thread(dying.race, 2)
    assert [await ending_of(task.pk) for task in tasks] == [completed()] * 12
    assert await money_of(caller) == (500_000 - 12 * 18_000, 0)
    submitted = [one.body["external_task_id"] for one in traceable.requests if one.method == "POST"]
    assert sorted(submitted) == [task.pk for task in tasks]
    assert not await VideoTask.objects.exclude(claim="").aexists()
