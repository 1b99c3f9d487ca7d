"""What becomes of an owner's work and secrets when the account is deleted."""

import asyncio
import logging

from django.db import transaction

from accounts.database import run_in_database_thread
from gateway.idempotency import forget_answers
from gateway.inputs import forget_inputs
from gateway.jobs.looking import try_to_cancel
from gateway.models import Notice, NoticePreferences, StoredPicture, VideoTask, WebhookDelivery, WebhookSecret
from gateway.sessions import current_store
from gateway.sessions.store import StoreUnavailable
from gateway.tasks import life
from gateway.tasks.files import discard
from gateway.tasks.writer import change

logger = logging.getLogger(__name__)

State = VideoTask.State

# Tasks that are forgotten together; the writer takes as many into one transaction.
AT_ONCE = 256


async def leave(account_id: int) -> None:
    """Videos under way are cancelled; results, webhooks, conversations, kept prompts and answers, and notices go.

    Receipts stay: they explain the ledger.

    A video whose provider does not stop comes to its end and is charged; nobody is told of it, and its clip goes with
    its days. May be called again where it was cut short.
    """
    under_way = await run_in_database_thread(_silence, account_id)
    await asyncio.gather(*(_cancel(task_id) for task_id in under_way))
    while ended := await run_in_database_thread(_ended, account_id):
        await asyncio.gather(*(change(task_id, life.forget) for task_id in ended))
    await asyncio.to_thread(discard, await run_in_database_thread(_forget_pictures, account_id))
    await _forget_sessions(account_id)


def _silence(account_id: int) -> list[str]:
    """Nothing more is sent to the owner or the owner's servers. The ids of the tasks that go on."""
    tasks = VideoTask.objects.filter(account_id=account_id, ended_at=None)
    tasks.update(webhook_url="")
    WebhookDelivery.objects.filter(account_id=account_id).delete()
    WebhookSecret.objects.filter(account_id=account_id).delete()
    Notice.objects.filter(user_id=account_id).delete()
    NoticePreferences.objects.filter(user_id=account_id).delete()
    forget_inputs(account_id)
    forget_answers(account_id)
    return list(tasks.values_list("pk", flat=True))


async def _cancel(task_id: str) -> None:
    task = (await change(task_id, life.cancel(State.QUEUED))).task
    if task.state == State.RUNNING and await try_to_cancel(task):
        await change(task_id, life.cancel(State.RUNNING))


def _ended(account_id: int) -> list[str]:
    ended = VideoTask.objects.filter(account_id=account_id, ended_at__isnull=False, forgotten=False)
    return list(ended.values_list("pk", flat=True)[:AT_ONCE])


def _forget_pictures(account_id: int) -> list[str]:
    """The names of their files."""
    pictures = StoredPicture.objects.filter(account_id=account_id)
    with transaction.atomic():
        names = list(pictures.select_for_update().values_list("name", flat=True))
        pictures.delete()
    return names


async def _forget_sessions(account_id: int) -> None:
    store = current_store()
    try:
        while sessions := await store.list(account_id):
            for session in sessions:
                await store.remove(account_id, session.id)
    except StoreUnavailable:
        logger.warning("The sessions of account %d cannot be reached; they end by themselves", account_id)
