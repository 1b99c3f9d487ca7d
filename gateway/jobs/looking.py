"""A task at a provider: how it is, what it came to, and the clip on its way to our storage."""

import asyncio
import logging
import random
from time import perf_counter

from django.utils import timezone

from accounts.keys import KeyRejected
from gateway.call import Attempt
from gateway.errors import GatewayError, ProviderError
from gateway.fetch import AddressRefused, FetchError, NothingThere
from gateway.jobs.asking import LONGEST_PAUSE, deployment_of, pause_of, request_of, write
from gateway.models import VideoTask
from gateway.providers.base import CancellableVideoProvider, Clip, Deployment, VideoProvider, VideoState
from gateway.providers.registry import get_provider
from gateway.routing.execute import explain
from gateway.tasks import life
from gateway.tasks.callbacks import callback_url
from gateway.tasks.files import NoVideo, discard, store_clip
from gateway.tasks.progress import progress_of, usual_seconds

logger = logging.getLogger(__name__)

State = VideoTask.State

# A clip that is not where its provider says is asked for so often, its provider each time for its address. One that
# merely cannot be reached is asked for until the deadline: it is paid for.
FETCH_TRIES = 5
NOT_FETCHED = "clip not there"
# A clip that takes longer than usual is looked at less often, so many times less at most.
LEAST_OFTEN = 3.0
# Where its provider calls us, too, that is rarely needed.
WITH_CALLBACK = 3.0


async def look(task: VideoTask) -> None:
    deployment = deployment_of(task)
    if deployment is None:
        # An operator who takes a key away may bring it back.
        logger.error("%s: no key of ours can ask %s for it", task.pk, task.served_by)
        await write(task, life.stay(LONGEST_PAUSE))
        return
    provider: VideoProvider = get_provider(deployment.provider)
    request = await request_of(task, whole=provider.looks_at_frames)
    try:
        state = await provider.look_up_video(deployment, task.provider_task_id, request)
    except ProviderError as error:
        # It says nothing of the task, which goes on and may be paid for.
        logger.warning("%s: %s cannot be looked at: %s", task.pk, task.served_by, error.kind)
        await write(task, life.stay(pause_of(task, error.retry_after)))
        return
    except (GatewayError, KeyRejected) as error:
        await write(task, life.fail(error.code, error.message))
        return
    match state.status:
        case "queued" | "running":
            progress = await progress_of(task, deployment.model, state.progress)
            await write(task, life.look(progress, await look_after(task, deployment, state)))
        case "completed":
            await _take(task, state)
        case "failed":
            assert state.error is not None, "a task that failed says why"
            told = explain(state.error)
            await write(task, life.fail(told.code, told.message))
        case "cancelled":
            await write(task, life.cancel(State.RUNNING))


async def _take(task: VideoTask, state: VideoState) -> None:
    """Stores the clip, then completes the task with it."""
    clip = state.clip or Clip()
    began = perf_counter()
    try:
        name = await store_clip(clip, seconds=(task.deadline - timezone.now()).total_seconds())
    except FetchError as error:
        logger.warning("%s: the clip of %s cannot be reached: %s", task.pk, task.served_by, error)
        if isinstance(error, NothingThere | AddressRefused):
            await _find_nothing(task, began)
        else:
            await write(task, life.stay(pause_of(task)))
        return
    except NoVideo:
        logger.warning("%s: what %s made is no video", task.pk, task.served_by)
        await _find_nothing(task, began)
        return
    except OSError:
        logger.exception("%s: its clip could not be stored", task.pk)
        await write(task, life.stay(LONGEST_PAUSE))
        return
    outcome = await write(task, life.complete(name, clip.seconds))
    if outcome.task.media != name:
        # It was cancelled or given up meanwhile, or another worker was here before.
        await asyncio.to_thread(discard, [name])


async def _find_nothing(task: VideoTask, began: float) -> None:
    """Where the clip should be there is none: once more, or for good."""
    in_vain = Attempt(task.served_by, int((perf_counter() - began) * 1000), NOT_FETCHED)
    attempts = [*task.attempts, in_vain.as_dict()]
    if sum(attempt["error"] == NOT_FETCHED for attempt in attempts) < FETCH_TRIES:
        await write(task, life.stay(pause_of(task), attempts))
    else:
        message = "The provider made the video, but it cannot be fetched any more. Nothing was charged."
        await write(task, life.fail(life.DEADLINE_EXCEEDED, message, attempts))


async def look_after(task: VideoTask, deployment: Deployment, state: VideoState) -> float:
    """Seconds until a look is worth it: as the provider says, else as the catalogue does, later where it takes long.

    Not to the moment, so that those that began together do not ask together for ever.
    """
    if state.wait is not None:
        return state.wait
    model = deployment.model
    assert model.video is not None, "a task's model makes videos"
    passed = (timezone.now() - (task.started_at or timezone.now())).total_seconds()
    pace = min(LEAST_OFTEN, max(1.0, passed / await usual_seconds(model)))
    if callback_url(task.pk) and get_provider(deployment.provider).calls_back:
        pace *= WITH_CALLBACK
    return model.video.poll_seconds * pace * random.uniform(0.9, 1.1)  # noqa: S311  no secret


async def give_up(task: VideoTask) -> None:
    await write(task, life.fail(life.DEADLINE_EXCEEDED, "The video was not done in time. Nothing was charged."))
    if task.state == State.RUNNING:
        await try_to_cancel(task)  # so that our account is rid of it


async def try_to_cancel(task: VideoTask) -> bool:
    """Whether a running task's provider has cancelled it. Raises nothing: a provider that cannot has not."""
    deployment = deployment_of(task)
    provider = get_provider(deployment.provider) if deployment is not None else None
    if deployment is None or not isinstance(provider, CancellableVideoProvider):
        return False
    try:
        return await provider.cancel_video(deployment, task.provider_task_id)
    except ProviderError as error:
        logger.warning("%s: %s could not be asked to cancel it: %s", task.pk, task.served_by, error.kind)
        return False
