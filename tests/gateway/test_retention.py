"""What was told of a task goes when its clip does; the task and its receipt stay."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.database import run_in_database_thread
from gateway.flows import videos
from gateway.models import Receipt, TaskEvent, VideoTask, WebhookDelivery, WebhookSecret
from gateway.tasks.retention import purge_expired
from gateway.webhooks.secrets import roll_secret
from tests.gateway.workers import ask_for, call_of, make_caller


@pytest.mark.django_db(transaction=True)
async def test_old_events_messages_and_secrets_go() -> None:
    caller = await run_in_database_thread(make_caller)
    old, new = [await ask_for(caller, webhook_url="https://example.com/hook") for _ in range(2)]
    for task in (old, new):
        await videos.cancel(call_of(caller), task.pk)
    await run_in_database_thread(roll_secret, caller.user_id)
    await run_in_database_thread(roll_secret, caller.user_id)
    long_ago = timezone.now() - timedelta(days=31)
    await VideoTask.objects.filter(pk=old.pk).aupdate(ended_at=long_ago)
    await WebhookDelivery.objects.filter(task=old).aupdate(created_at=long_ago, state="delivered")
    await WebhookSecret.objects.filter(expires_at__isnull=False).aupdate(expires_at=long_ago)
    assert await run_in_database_thread(purge_expired) == 4
    assert {event.task_id async for event in TaskEvent.objects.all()} == {new.pk}
    assert [delivery.task_id async for delivery in WebhookDelivery.objects.all()] == [new.pk]
    assert await WebhookSecret.objects.acount() == 1
    assert (await VideoTask.objects.acount(), await Receipt.objects.acount()) == (2, 2)
