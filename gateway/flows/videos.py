"""Videos: read the request, hold, leave it to the job loop; then show, cancel or forget the task."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from time import time

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from msgspec import Struct

from accounts.database import run_in_database_thread
from billing import ledger
from billing.models import CreditAccount
from gateway import jobs
from gateway.call import Call
from gateway.catalog.schema import Model
from gateway.charge import check_balance, check_limit, insufficient
from gateway.errors import (
    ConcurrencyExceeded,
    DatabaseUnavailable,
    KeyCreditsSpent,
    NotCancellable,
    Overloaded,
    TaskNotFound,
    TaskNotReady,
)
from gateway.idempotency import Claim
from gateway.inputs import note_inputs
from gateway.jobs.looking import try_to_cancel
from gateway.limits import spending
from gateway.limits.allowed import find_model
from gateway.media import MediaGone, StoredMedia, open_stored
from gateway.models import VideoTask
from gateway.prices import honoured
from gateway.pricing import quote_video
from gateway.requests.videos import AskedVideo, fit_video, load_frames
from gateway.routing.deployments import find_deployments
from gateway.tasks import life, money
from gateway.tasks.callbacks import look_now, read_token
from gateway.tasks.files import discard, store_frames
from gateway.tasks.writer import change
from gateway.types import VideoRequest

logger = logging.getLogger(__name__)

State = VideoTask.State

# Of a task that is being handed to its provider, it is waited for so long until that is done.
HANDING_OVER_SECONDS = 10.0
# When a client should ask for another task to be taken. Seconds.
RETRY_AFTER = 5


def new_task_id() -> str:
    """`video_` and 44 hex digits: the milliseconds of now, so that ids sort by time, and 128 random bits."""
    return f"video_{int(time() * 1000):012x}{token_hex(16)}"


async def create(call: Call, asked: AskedVideo) -> VideoTask:
    """The task, queued. It and the hold of its cost are durable: it will come to an end, and be charged or released.

    Raises a `GatewayError`; then there is no task, and nothing is held.
    """
    if call.claim is not None and call.claim.task_id:
        return await _find_begun(call, call.claim.task_id)
    model = find_model(call, asked.model)
    call.model = asked.model
    note_inputs(call, asked.body)
    request = fit_video(asked, model, reference=new_task_id())
    quote = honoured(model, lambda one: quote_video(one, request.seconds, request.resolution, request.audio))
    check_limit(call, quote)
    await _look_for_a_place(call, model, request)
    # Fetching pictures is work: not for those who could not pay.
    await check_balance(call, quote.base)
    if asked.frames:
        await run_in_database_thread(_check_room, call.caller.key_id, call.caller.concurrent_videos)
    frames = await store_frames(await load_frames(asked, owner=call.caller.user_id))
    now = datetime.now(UTC)
    task = VideoTask(
        id=request.reference,
        request_id=call.request_id,
        account_id=call.caller.user_id,
        api_key_id=call.caller.key_id,
        endpoint=call.endpoint,
        from_page=call.from_page,
        model=asked.model,
        model_id=model.id,
        seconds=request.seconds,
        ratio=request.ratio,
        resolution=request.resolution,
        audio=request.audio,
        body=request.body,
        frames=frames,
        webhook_url=asked.webhook_url or call.caller.webhook_url,
        cost=quote.ceiling,
        next_at=now,
        deadline=now + timedelta(seconds=_deadline_seconds(model)),
        created_at=now,
    )
    try:
        await _write_within_limit(call, task)
    except (ledger.LedgerError, ConcurrencyExceeded, KeyCreditsSpent, DatabaseUnavailable) as error:
        await asyncio.to_thread(discard, [frame["name"] for frame in frames.values()])
        if isinstance(error, ledger.InsufficientCredits):
            raise insufficient(error.needed, error.available) from None
        raise
    call.charged = task.cost
    jobs.wake()
    return task


async def _find_begun(call: Call, task_id: str) -> VideoTask:
    """The task that was made for this call's key, by a process that died before it answered. Raises `TaskNotFound`."""
    task = await find(call, task_id)
    call.model, call.charged = task.model, task.cost
    call.served_by, call.stand_in = task.served_by, task.stand_in
    return task


async def find(call: Call, task_id: str) -> VideoTask:
    """The caller's own task. Raises `TaskNotFound`, in the same words for one that is another's."""
    # Postgres fails at some of what an address may hold.
    found = _tasks_of(call).filter(pk=task_id)
    task = await run_in_database_thread(found.first) if task_id.isprintable() else None
    if task is None:
        raise TaskNotFound
    return task


class TaskList(Struct):
    """Some tasks, and whether there are more."""

    tasks: list[VideoTask]
    has_more: bool


async def list_tasks(call: Call, *, after: str | None, limit: int, ascending: bool) -> TaskList:
    """At most `limit` of the caller's tasks, those that follow the task `after`. Raises `TaskNotFound`."""
    tasks = _tasks_of(call).order_by("pk" if ascending else "-pk")
    if after:
        await find(call, after)
        tasks = tasks.filter(pk__gt=after) if ascending else tasks.filter(pk__lt=after)
    found = await run_in_database_thread(lambda: list(tasks[: limit + 1]))
    return TaskList(found[:limit], has_more=len(found) > limit)


async def cancel(call: Call, task_id: str) -> VideoTask:
    """The task, cancelled, or ended as it had. Raises `TaskNotFound`, and `NotCancellable` where it goes on.

    One that no provider has yet is released at once. One that is at a provider depends on it.
    """
    task = await find(call, task_id)
    until = time() + HANDING_OVER_SECONDS
    while not task.is_ended:
        outcome = await change(task.pk, life.cancel(State.QUEUED))
        task = outcome.task
        if task.state == State.RUNNING:
            if not await try_to_cancel(task):
                task = await find(call, task_id)
                if task.is_ended:
                    break
                raise NotCancellable(
                    f"The provider of `{task.model}` is at work on this video and does not stop. Wait for its end."
                )
            task = (await change(task.pk, life.cancel(State.RUNNING))).task
        elif task.state == State.SUBMITTING:
            if time() > until:
                raise NotCancellable("The video is being handed to its provider. Try again in a moment.")
            await asyncio.sleep(0.1)
    return task


async def delete(call: Call, task_id: str) -> None:
    """Cancels the task if it goes on, and forgets it and its clip. Raises `TaskNotFound`.

    One that its provider does not stop is forgotten, too, and charged if it completes: its provider will be paid.
    """
    try:
        await cancel(call, task_id)
    except NotCancellable:
        logger.info("%s is deleted while it goes on", task_id)
    await change(task_id, life.forget)


async def open_content(call: Call, task_id: str) -> StoredMedia:
    """The clip's file. Raises `TaskNotFound`, and `TaskNotReady` where there is none."""
    task = await find(call, task_id)
    if task.state != State.COMPLETED:
        goes_on = "Poll it until it is completed." if not task.is_ended else "It will not be: ask for it again."
        raise TaskNotReady(f"The video is not completed, but {task.state}. {goes_on}")
    try:
        return await open_stored(task.media)
    except MediaGone as gone:
        raise TaskNotFound(str(gone)) from None


async def note_callback(token: str) -> bool:
    """Has a task looked at, since its provider says that it has changed; whether the address is one of ours."""
    task_id = read_token(token)
    if task_id is None:
        return False
    try:
        await change(task_id, look_now())
    except VideoTask.DoesNotExist:
        return False
    jobs.wake()
    return True


def _tasks_of(call: Call) -> "QuerySet[VideoTask]":
    return VideoTask.objects.filter(account_id=call.caller.user_id, forgotten=False)


async def _look_for_a_place(call: Call, model: Model, request: VideoRequest) -> None:
    """Raises where `model` cannot be asked at all. Where its providers are merely busy, the task waits for them."""
    try:
        deployments = await find_deployments(model, request, takes_turn=False)
    except Overloaded:
        return
    call.served_by, call.stand_in = deployments[0].label, deployments[0].stand_in


def _deadline_seconds(model: Model) -> float:
    assert model.video is not None, "fit_video takes video models only"
    seconds: float = settings.VIDEO_DEADLINE_SECONDS or model.video.deadline_seconds
    return seconds


async def _write_within_limit(call: Call, task: VideoTask) -> None:
    """Like `_write`; raises `KeyCreditsSpent` where the key has a limit of credits and the task would exceed it."""
    caller = call.caller
    if not caller.credit_limit:
        await run_in_database_thread(_write, task, caller.concurrent_videos, call.kept, call.claim)
        return
    reservation = await spending.reserve(call, task.cost, task.cost, afresh=True)
    spent = 0
    try:
        await run_in_database_thread(_write, task, caller.concurrent_videos, call.kept, call.claim)
        spent = task.cost
    finally:
        reservation.settle(spent)


def _write(task: VideoTask, most: int, kept: Sequence[ledger.NewRow], claim: Claim | None) -> None:
    """Writes the task, its first event and its hold, unless the key has `most` tasks under way; `kept` along.

    Where the call has a `claim` to its `Idempotency-Key`, this names the task from now on.
    """
    with transaction.atomic():
        # The account's lock makes the count exact: whoever else begins a task of its keys waits.
        CreditAccount.objects.select_for_update().filter(pk=task.account_id).first()
        _check_room(task.api_key_id, most)
        events = life.begin(task, task.created_at)
        ledger.apply_now([money.hold(task, also=(task, *events, *kept))])
        if claim is not None:
            claim.bind(task.pk)


def _check_room(key_id: int, most: int) -> None:
    """Raises `ConcurrencyExceeded` where the key has `most` tasks under way."""
    if VideoTask.objects.filter(api_key_id=key_id, ended_at__isnull=True).count() >= most:
        raise ConcurrencyExceeded(
            f"This key is limited to {most} videos at the same time. Wait for one of them to end; ask the operator if "
            "the key needs more.",
            retry_after=RETRY_AFTER,
        )
