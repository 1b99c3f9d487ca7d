"""Sends webhooks until their receivers have taken them. The table of deliveries is the queue.

One is sent at least once: a process that dies after it has sent it and before it has written so leaves it to be sent
again. Its id is the same in every try, the signature's time is of each.
"""

import asyncio
import logging
import time
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from weakref import WeakKeyDictionary

from django.db.models import QuerySet
from django.utils import timezone
from msgspec import Struct

from accounts.database import run_in_database_thread
from gateway.fetch import FetchError, Posted, post
from gateway.models import WebhookDelivery
from gateway.providers.openai_errors import read_retry_after
from gateway.queue import claims
from gateway.queue.worker import Worker
from gateway.webhooks.secrets import signing_secrets
from gateway.webhooks.signing import sign

logger = logging.getLogger(__name__)
State = WebhookDelivery.State

# Seconds from a try in vain to the next one; after the last of them nobody tries any more: 17 hours and a half in all.
PAUSES = (5, 30, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600)
# What a receiver that is busy may make of a pause. Seconds.
LONGEST_WISH = 3600
# How long a receiver may take to answer. Seconds.
SECONDS = 15
# How many this process sends at once, and of one account: a receiver that does not answer keeps its own waiting.
MOST = 50
SHARE = claims.Share("account_id", 5)


async def run() -> None:
    """Sends what is due, and what falls due, until it is cancelled. Any number of processes may. Raises what the
    database raises."""
    loop = asyncio.get_running_loop()
    worker = _workers[loop] = Worker(_waiting, _try, MOST, SHARE)
    try:
        await worker.run()
    finally:
        if _workers.get(loop) is worker:
            del _workers[loop]


def wake() -> None:
    """A delivery fell due this moment: it is sent at once if this event loop sends any, and soon if others do."""
    worker = _workers.get(asyncio.get_running_loop())
    if worker is not None:
        worker.wake()


def send_again(deliveries: "QuerySet[WebhookDelivery]") -> int:
    """Has them sent at once, with all their tries before them, whatever became of them; how many they are.

    A try that is under way goes on, and what comes of it is not written any more.
    """
    return deliveries.update(state=State.PENDING, tries=0, next_at=timezone.now(), claim="", delivered_at=None)


_workers: "WeakKeyDictionary[asyncio.AbstractEventLoop, Worker[WebhookDelivery]]" = WeakKeyDictionary()


def _waiting() -> "QuerySet[WebhookDelivery]":
    return WebhookDelivery.objects.filter(state=State.PENDING)


class _Outcome(Struct, frozen=True):
    """What came of a try. `error` is empty where the receiver has taken it; `wait` is its wish, in seconds."""

    status: int | None
    error: str = ""
    wait: float = 0


async def _try(delivery: WebhookDelivery) -> None:
    """The step of a worker."""
    secrets = await run_in_database_thread(signing_secrets, delivery.account_id)
    outcome = await _send(delivery, secrets)
    await run_in_database_thread(_note, delivery, outcome)


async def _send(delivery: WebhookDelivery, secrets: list[str]) -> _Outcome:
    body = delivery.body.encode()
    signed = sign(secrets, delivery.pk, int(time.time()), body)
    headers = [(b"content-type", b"application/json"), *((n.encode(), value.encode()) for n, value in signed.items())]
    try:
        answer = await post(delivery.url, body, headers=headers, seconds=SECONDS)
    except FetchError as error:
        return _Outcome(None, f"no answer: {error}")
    except Exception:
        # A try like others: what can never be sent must come to an end, too.
        logger.exception("webhook %s could not be sent", delivery.pk)
        return _Outcome(None, "it could not be sent")
    return _judge(answer)


def _judge(answer: Posted) -> _Outcome:
    status = answer.status
    if 200 <= status < 300:
        return _Outcome(status)
    if 300 <= status < 400:
        return _Outcome(status, f"its server answered {status}: redirects are not followed")
    wait = 0.0
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        wait = min(read_retry_after({b"retry-after": answer.retry_after}) or 0, LONGEST_WISH)
    return _Outcome(status, f"its server answered {status}", wait)


# --- In a database thread --------------------------------------------------------------------------------------------


def _note(delivery: WebhookDelivery, outcome: _Outcome) -> None:
    """Writes what came of a try, unless the delivery has gone to another worker or was sent anew meanwhile."""
    now = timezone.now()
    tries = delivery.tries + 1
    changes: dict[str, Any] = {
        "claim": "",
        "tries": tries,
        "last_status": outcome.status,
        "last_error": outcome.error[:300],
    }
    if not outcome.error:
        changes |= {"state": State.DELIVERED, "delivered_at": now}
    elif outcome.status == HTTPStatus.GONE or tries > len(PAUSES):
        changes["state"] = State.FAILED
        logger.info("webhook %s is given up after %s tries: %s", delivery.pk, tries, outcome.error)
    else:
        changes["next_at"] = now + timedelta(seconds=max(PAUSES[tries - 1], outcome.wait))
    WebhookDelivery.objects.filter(pk=delivery.pk, claim=delivery.claim).update(**changes)
