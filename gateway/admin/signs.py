"""How everything fares, in a few lines that cost a few quick queries: what is shown on the admin's first page."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db.models import Exists, OuterRef
from django.urls import reverse
from django.utils import timezone

from accounts.admin_parts import Sign, signs
from billing.models import Hold
from gateway.admin.asked import read_asked
from gateway.admin.recent import id_at
from gateway.admin.tasks import overdue_tasks
from gateway.models import DisabledKey, VideoTask, WebhookDelivery
from gateway.pools import Health
from gateway.pools.reports import known_replicas

# Counting stops here.
MOST = 1000
LONG_HELD = timedelta(minutes=10)
DAY = timedelta(days=1)
# From this share of failures on something is wrong, and not only with some requests.
BAD_PERCENT = 10


@signs("gateway.view_videotask")
def videos() -> Iterator[Sign]:
    count = overdue_tasks()[:MOST].count()
    url = f"{reverse('admin:gateway_videotask_changelist')}?open=overdue"
    yield _count("Videos", count, "overdue: does `manage.py run_jobs` run?", "none is overdue", url)


@signs("billing.view_hold")
def holds() -> Iterator[Sign]:
    """Videos may hold for as long as they take; calls renew their holds, and none takes that long as a rule."""
    video = VideoTask.objects.filter(request_id=OuterRef("pk"), ended_at__isnull=True)
    old = Hold.objects.filter(state=Hold.State.OPEN, created_at__lt=timezone.now() - LONG_HELD)
    count = old.filter(~Exists(video))[:MOST].count()
    url = f"{reverse('admin:billing_hold_changelist')}?state__exact=open"
    yield _count("Held credits", count, "calls hold for more than 10 minutes", "no call holds for long", url)


@signs("gateway.view_disabledkey")
def provider_keys() -> Iterator[Sign]:
    count = DisabledKey.objects.filter(until__gt=timezone.now()).count()
    url = reverse("admin:gateway_providers")
    yield _count("Providers' keys", count, "refused, or without money", "none is refused", url, level="bad")


@signs("gateway.view_poolreplica")
def replicas() -> Iterator[Sign]:
    known: list[Any] = list(known_replicas())
    if known:
        away = sum(replica.health != Health.UP for replica in known)
        url = reverse("admin:gateway_poolreplica_changelist")
        yield _count("Replicas", away, f"of {len(known)} not known to be up", f"{len(known)} up", url)


@signs("gateway.view_webhookdelivery")
def webhooks() -> Iterator[Sign]:
    # The ids of tasks sort by time, and have an index there.
    recent = WebhookDelivery.objects.filter(task_id__gte=id_at("video_", DAY), state=WebhookDelivery.State.FAILED)
    url = f"{reverse('admin:gateway_webhookdelivery_changelist')}?state__exact=failed"
    yield _count("Webhooks", recent[:MOST].count(), "given up, of videos of a day", "none given up in a day", url)


@signs("gateway.view_receipt")
def requests() -> Iterator[Sign]:
    asked = read_asked()
    failed = sum(one.failed for one in asked.places)
    tries = sum(one.tries for one in asked.places)
    text = f"{asked.requests} in the last hour" if asked.is_whole else f"the last {asked.requests}"
    if tries:
        text += f"; {100 * failed / tries:.0f} % of {tries} tries at providers failed"
    level = "bad" if failed * 100 > BAD_PERCENT * tries and failed > 1 else "good"
    yield Sign("Requests", text, level, reverse("admin:gateway_providers"))


def _count(name: str, count: int, told: str, otherwise: str, url: str, *, level: str = "warning") -> Sign:
    if not count:
        return Sign(name, otherwise, "good", url)
    return Sign(name, f"{count if count < MOST else f'{MOST} or more'} {told}", level, url)
