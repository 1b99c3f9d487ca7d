"""Looks for what there is to tell: once a minute, in one process at a time, and only at what is new.

However many users there are, a look costs what happened in a minute: accounts with new entries of the ledger, keys that
came within `KEY_DAYS` of their end or were changed, webhooks that were given up, and videos that ended, of users who
want to know. Each of these is found by an index.

What is found twice is told once (`Notice`), so that a look may begin a little before the last one's end: what was
committed later than it is dated is not missed.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.utils import timezone

from accounts.models import ApiKey
from billing.movements import moved_since, newest_entry, posted_of
from gateway.models import Notice, NoticeKind, NoticeLook, NoticePreferences, VideoTask, WebhookDelivery
from gateway.notices.preferences import MILLICREDITS, preferences_of

PAUSE = timedelta(seconds=55)
# By which a look begins before the last one.
OVERLAP = timedelta(seconds=60)
KEY_DAYS = 7
# Accounts that are looked at together.
AT_ONCE = 500
# What is told of a receiver's last answer. Characters.
MOST_CHARACTERS = 200

ONLY = 1  # the row of the look


def look() -> int:
    """Writes what there is to tell, unless somebody else has had this minute's turn. Returns how much was found.

    Where it breaks off, the next look begins where this one did.
    """
    now = timezone.now()
    turn = _take_turn(now)
    if turn is None:
        return 0
    newest = newest_entry()
    since = turn.looked_at - OVERLAP
    found = [
        *_low_balances(turn.entry_id, now),
        *_expiring_keys(turn.keys_until, since, now),
        *_webhooks_given_up(since, now),
        *_ended_videos(since, now),
    ]
    Notice.objects.bulk_create(found, batch_size=AT_ONCE, ignore_conflicts=True)
    NoticeLook.objects.filter(pk=ONLY).update(
        # Entries that were not yet committed at the last look have ids before its newest.
        entry_id=turn.newest_entry_id,
        newest_entry_id=newest,
        keys_until=now + timedelta(days=KEY_DAYS),
        looked_at=now,
    )
    return len(found)


def _take_turn(now: datetime) -> NoticeLook | None:
    """Up to where the last look came; None where it is not time, or another process is at it."""
    newest = newest_entry() if not NoticeLook.objects.exists() else 0
    NoticeLook.objects.get_or_create(
        pk=ONLY,
        defaults={
            "entry_id": newest,
            "newest_entry_id": newest,
            "keys_until": now,
            "looked_at": now,
            "next_at": now,
        },
    )
    if not NoticeLook.objects.filter(pk=ONLY, next_at__lte=now).update(next_at=now + PAUSE):
        return None
    return NoticeLook.objects.get(pk=ONLY)


def _low_balances(entry_id: int, now: datetime) -> Iterator[Notice]:
    """Of thresholds that were crossed at once the lowest is told; those above count as told.

    What rose above a threshold again is told the next time that it falls.
    """
    moved = moved_since(entry_id)
    for begin in range(0, len(moved), AT_ONCE):
        posted = posted_of(moved[begin : begin + AT_ONCE])
        preferences = preferences_of(posted)
        told = Notice.objects.filter(kind=NoticeKind.LOW_BALANCE, user_id__in=posted)
        causes: dict[int, set[int]] = {}
        risen = []
        for id_, user_id, cause in told.values_list("pk", "user_id", "cause"):
            if posted[user_id] >= int(cause) * MILLICREDITS:
                risen.append(id_)
            else:
                causes.setdefault(user_id, set()).add(int(cause))
        told.filter(pk__in=risen).delete()
        for user_id, millicredits in posted.items():
            below = [one for one in preferences[user_id].thresholds if millicredits < one * MILLICREDITS]
            crossed = sorted(set(below) - causes.get(user_id, set()))
            for threshold in crossed:
                notice = _notice(user_id, NoticeKind.LOW_BALANCE, str(threshold), now)
                if threshold == min(below):
                    notice.facts = {"threshold": threshold, "balance": millicredits}
                else:
                    notice.state = Notice.State.DROPPED
                yield notice


def _expiring_keys(until: datetime, since: datetime, now: datetime) -> Iterator[Notice]:
    """Keys whose end has come near, or was set to a near one. Not those that were rolled: there is another by now."""
    horizon = now + timedelta(days=KEY_DAYS)
    near = ApiKey.objects.filter(revoked_at__isnull=True, user__is_active=True, expires_at__gt=now).order_by()
    come_near = near.filter(expires_at__gte=until, expires_at__lte=horizon)
    changed = near.filter(updated_at__gte=since, expires_at__lte=horizon)
    keys = {key.pk: key for found in (come_near, changed) for key in found}
    for key in keys.values():
        assert key.expires_at is not None, "it was asked for"
        if not _was_rolled(key):
            facts = {"key": named(key.name, key.masked), "expires_at": key.expires_at.isoformat()}
            yield _notice(key.user_id, NoticeKind.KEY_EXPIRES, f"{key.pk} {key.expires_at:%Y-%m-%d}", now, facts)


def _was_rolled(key: ApiKey) -> bool:
    younger = ApiKey.objects.filter(user_id=key.user_id, pk__gt=key.pk, revoked_at__isnull=True)
    return younger.filter(origin_id=key.line_id).exists()


def _webhooks_given_up(since: datetime, now: datetime) -> Iterator[Notice]:
    """One a day for each account, of those that are found together the first."""
    failed = WebhookDelivery.objects.filter(state=WebhookDelivery.State.FAILED, next_at__gt=since).order_by("next_at")
    told: set[int] = set()
    for delivery in failed.select_related("task").defer("body", "task__body", "task__frames"):
        if delivery.account_id in told:
            continue
        told.add(delivery.account_id)
        facts = {
            "id": delivery.pk,
            "type": delivery.type,
            "host": urlsplit(delivery.url).hostname or "your server",
            "tries": delivery.tries,
            "error": delivery.last_error[:MOST_CHARACTERS],
            "request_id": delivery.task.request_id,
        }
        yield _notice(delivery.account_id, NoticeKind.WEBHOOK_FAILED, f"{now:%Y-%m-%d}", now, facts)


def _ended_videos(since: datetime, now: datetime) -> Iterator[Notice]:
    told = NoticePreferences.objects.filter(video_ended=True).values("user_id")
    ended = VideoTask.objects.filter(ended_at__gt=since, account_id__in=told, forgotten=False).order_by("ended_at")
    for task in ended.only("account_id", "model", "seconds", "state", "error_code"):
        facts = {
            "id": task.pk,
            "model": task.model,
            "seconds": task.seconds,
            "state": task.state,
            "error": "" if task.state == VideoTask.State.CANCELLED else task.error_code,
        }
        yield _notice(task.account_id, NoticeKind.VIDEO_ENDED, task.pk, now, facts)


def named(name: str, masked: str) -> str:
    """A key as a mail names it."""
    return f"“{name}” ({masked})" if name else masked


def _notice(user_id: int, kind: NoticeKind, cause: str, now: datetime, facts: dict | None = None) -> Notice:
    return Notice(user_id=user_id, kind=kind, cause=cause, facts=facts or {}, next_at=now, created_at=now)
