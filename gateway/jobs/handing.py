"""A task on its way to a provider. That it arrives there twice is what must not happen."""

import logging

from django.utils import timezone

from accounts.keys import KeyRejected
from gateway.call import Call
from gateway.errors import GatewayError, Overloaded, ProviderError, ProviderFault
from gateway.jobs.asking import (
    LONGEST_PAUSE,
    attempts_of,
    call_of,
    deployment_of,
    deployments_of,
    pause_of,
    request_of,
    turn_of,
    write,
)
from gateway.jobs.looking import look_after
from gateway.models import VideoTask
from gateway.providers.base import Deployment, TraceableVideoProvider, VideoProvider, VideoState
from gateway.providers.registry import get_provider
from gateway.routing.execute import execute
from gateway.routing.keys import known_as
from gateway.tasks import life
from gateway.types import VideoRequest

logger = logging.getLogger(__name__)

# How long providers that are busy are asked again to take a task on. Seconds.
SUBMIT_PATIENCE = 900.0
LOST = (
    "The video was being handed to its provider when we were interrupted, and nobody can tell whether it arrived. "
    "Nothing was charged; ask for it again."
)
# Nobody took it on, and nobody has begun: another time may do.
_AT_THE_DOOR = frozenset({ProviderFault.RATE_LIMITED, ProviderFault.OVERLOADED, ProviderFault.UNREACHABLE})


class _NotOurs(Exception):
    """The task was cancelled, or another worker has it."""


async def hand_over(task: VideoTask) -> None:
    """Asks providers until one takes it on.

    Each is written down before it is asked: whoever finds the task left behind looks there.
    """
    async with turn_of(task):
        await _hand_over(task, await request_of(task, whole=True))


async def _hand_over(task: VideoTask, request: VideoRequest) -> None:
    call = call_of(task)
    asked: list[Deployment] = []

    async def submit(deployment: Deployment) -> VideoState:
        if not (await write(task, life.hand_over(_place_of(deployment)))).changed:
            raise _NotOurs
        asked.append(deployment)
        provider: VideoProvider = get_provider(deployment.provider)
        return await provider.submit_video(deployment, request)

    try:
        state = await execute(call, await deployments_of(task, request), submit)
    except _NotOurs:
        return
    except (GatewayError, KeyRejected) as error:
        await _not_taken(task, call, error, asked)
        return
    except Exception:
        logger.exception("%s: its submission failed unexpectedly", task.pk)
        message = f"Something went wrong on our side. Nothing was charged. Tell us the id {task.pk}."
        await write(task, life.fail("internal_error", message, attempts_of(task, call)))
        return
    await _accept(task, asked[-1], state, attempts_of(task, call))


async def _not_taken(task: VideoTask, call: Call, error: GatewayError | KeyRejected, asked: list[Deployment]) -> None:
    """No provider has the task, as far as we know.

    If all were merely busy, and none can have begun, it waits for another try. If the last one may have begun and
    knows its tasks by our references, it is asked for it later.
    """
    cause = error.__cause__ if isinstance(error.__cause__, ProviderError) else None
    waited = (timezone.now() - task.created_at).total_seconds()
    if waited < SUBMIT_PATIENCE:
        if isinstance(error, Overloaded) if cause is None else _is_at_the_door(cause):
            await write(task, life.postpone(pause_of(task, getattr(error, "retry_after", None))))
            return
        if cause is not None and cause.may_have_begun and _is_traceable(asked[-1]):
            await write(task, life.stay(LONGEST_PAUSE, attempts_of(task, call)))
            return
    await write(task, life.fail(error.code, error.message, attempts_of(task, call)))


def _is_at_the_door(error: ProviderError) -> bool:
    return error.kind in _AT_THE_DOOR and not error.may_have_begun


def _is_traceable(deployment: Deployment) -> bool:
    return isinstance(get_provider(deployment.provider), TraceableVideoProvider)


async def find_lost(task: VideoTask) -> None:
    """It was being handed over, and nobody knows what became of that: did it arrive?

    Some providers know a task by the reference that it was submitted with. One that has it goes on with it; where it
    has none, the task is handed over again. Of the others nobody can tell, and asking again might make (and cost) a
    second clip: the task has failed, and nothing is charged.
    """
    deployment = deployment_of(task)
    if deployment is None:
        logger.error("%s: no key of ours can ask %s for it", task.pk, task.served_by)
        await write(task, life.stay(LONGEST_PAUSE))
        return
    provider = get_provider(deployment.provider)
    if not isinstance(provider, TraceableVideoProvider):
        transition = life.fail("provider_error", LOST) if deployment.is_external else life.postpone(0)
        await write(task, transition)
        return
    try:
        state = await provider.find_video(deployment, await request_of(task, whole=False))
    except ProviderError as error:
        logger.warning("%s: %s cannot say whether it has it: %s", task.pk, task.served_by, error.kind)
        await write(task, life.stay(pause_of(task, error.retry_after)))
        return
    if state is None:
        await write(task, life.postpone(0))
    else:
        await _accept(task, deployment, state, task.attempts)


async def _accept(task: VideoTask, deployment: Deployment, state: VideoState, attempts: life.Attempts) -> None:
    await write(task, life.accept(state.id, await look_after(task, deployment, state), attempts))


def _place_of(deployment: Deployment) -> life.Place:
    return life.Place(
        served_by=deployment.label,
        served_model_id=deployment.model.id,
        key_fingerprint=known_as(deployment),
        stand_in=deployment.stand_in,
    )
