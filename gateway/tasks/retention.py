"""What is kept of tasks that have ended, and for how long.

The rows of tasks stay, as receipts do: without prompt and pictures, which went at the end. What was told of them is
kept for as long as their clips are (`MEDIA_FILE_DAYS`).
"""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from gateway.models import TaskEvent, WebhookDelivery, WebhookSecret

# Rows that one statement deletes: others must not wait for it.
AT_ONCE = 1000


def purge_expired() -> int:
    """Deletes events and messages of tasks that ended long ago, and secrets that sign nothing any more. How many."""
    now = timezone.now()
    oldest = now - timedelta(days=settings.MEDIA_FILE_DAYS)
    deliveries = WebhookDelivery.objects.filter(created_at__lt=oldest)
    return (
        _delete(TaskEvent.objects.filter(task__ended_at__lt=oldest))
        + _delete(deliveries.exclude(state=WebhookDelivery.State.PENDING))
        + _delete(WebhookSecret.objects.filter(expires_at__lt=now))
    )


def _delete(rows: "QuerySet[Any]") -> int:
    deleted = 0
    while keys := list(rows.values_list("pk", flat=True)[:AT_ONCE]):
        deleted += rows.model._base_manager.filter(pk__in=keys).delete()[0]
    return deleted
