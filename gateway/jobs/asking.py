"""A task as providers are asked for it: the request, the places to ask, and what is written of the answer."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from weakref import WeakKeyDictionary

from django.db import InterfaceError, OperationalError

from accounts.keys import Caller
from gateway.call import Call
from gateway.catalog import get_model
from gateway.errors import ModelNotFound, Overloaded
from gateway.models import VideoTask
from gateway.providers.base import Deployment
from gateway.requests.videos import can_make
from gateway.routing.deployments import find_again, find_deployments
from gateway.tasks import life
from gateway.tasks.callbacks import callback_url
from gateway.tasks.files import read_frames
from gateway.tasks.writer import Outcome, change
from gateway.types import VideoRequest

logger = logging.getLogger(__name__)

# Between two tries of something that failed: doubled each time, this at most. Seconds.
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0
# Between two tries to write what became of a task: doubled each time, that long at most. Seconds.
AWAY_PAUSE, LONGEST_AWAY_PAUSE = 0.5, 10.0
# A provider may ask for more, up to this: one that says `tomorrow` would have the task fail. Seconds.
LONGEST_WISH = 300.0


# Tasks whose pictures are in memory at once. Each has two of up to 20 MB, and they are encoded for the provider.
WITH_PICTURES = 4
# Semaphores belong to an event loop.
_turns: "WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]" = WeakKeyDictionary()


async def write(task: VideoTask, transition: life.Transition) -> Outcome:
    """Makes a transition of a task that this worker has claimed, however long the database stays away.

    What a provider said must not be lost: it may be the id by which the clip is known. Raises what the database
    refuses for good.
    """
    pause = AWAY_PAUSE
    while True:
        try:
            return await change(task.pk, transition, claim=task.claim)
        except (OperationalError, InterfaceError):
            logger.exception("%s: what has become of it cannot be written; it is tried again", task.pk)
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_AWAY_PAUSE)


def deployment_of(task: VideoTask) -> Deployment | None:
    """Where a task was handed to; None where nothing of ours can ask there any more."""
    try:
        model = get_model(task.served_model_id)
    except ModelNotFound:
        return None
    return find_again(model, task.served_by, task.key_fingerprint)


async def deployments_of(task: VideoTask, request: VideoRequest) -> list[Deployment]:
    """Where the task can be made as it was asked for. A stand-in makes what the model that it stands for would."""
    model = get_model(task.model_id)
    found = [
        deployment
        for deployment in await find_deployments(model, request)
        if deployment.stand_in or deployment.model is model or can_make(deployment.model, request, set(task.frames))
    ]
    if not found:
        raise Overloaded(f"`{model.id}` cannot be asked now, and its fallbacks make no such videos.")
    return found


@asynccontextmanager
async def turn_of(task: VideoTask) -> AsyncIterator[None]:
    """A block in which a task's pictures may be in memory, if it has any: of few tasks at a time."""
    if not task.frames:
        yield
        return
    turns = _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(WITH_PICTURES))
    async with turns:
        yield


async def request_of(task: VideoTask, *, whole: bool) -> VideoRequest:
    """What was asked for; its pictures without their bytes, unless it is wanted `whole`."""
    frames = await asyncio.to_thread(partial(read_frames, task.frames, whole=whole)) if task.frames else {}
    return VideoRequest(
        model=task.model,
        prompt=task.prompt,
        seconds=task.seconds,
        resolution=task.resolution,
        ratio=task.ratio,
        reference=task.pk,
        body=task.body,
        audio=task.audio,
        first_frame=frames.get("first_frame"),
        last_frame=frames.get("last_frame"),
        callback_url=callback_url(task.pk),
    )


def call_of(task: VideoTask) -> Call:
    """The call that routing notes its tries on."""
    caller = Caller(
        key_id=task.api_key_id,
        user_id=task.account_id,
        email="",
        key_name="",
        key_prefix="",
        requests_per_minute=0,
        concurrent_requests=0,
        concurrent_videos=0,
    )
    return Call(caller=caller, endpoint=task.endpoint, request_id=task.request_id, model=task.model)


def pause_of(task: VideoTask, wish: float | None = None) -> float:
    """Seconds until another try is worth it. `wish` is the provider's own, if it has one."""
    own = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(task.tries, 10))
    return max(own, min(wish or 0.0, LONGEST_WISH))


def attempts_of(task: VideoTask, call: Call) -> life.Attempts:
    """Who was tried for the task so far."""
    return [*task.attempts, *(attempt.as_dict() for attempt in call.attempts)]
