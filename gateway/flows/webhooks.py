"""A caller's webhooks: the secret that they are signed with, what became of them, and sending one again."""

import re
from datetime import datetime
from typing import Any

from django.db.models import Q

from accounts.database import run_in_database_thread
from gateway.call import Call
from gateway.errors import DeliveryNotFound, InvalidValue
from gateway.models import WebhookDelivery
from gateway.webhooks import sending
from gateway.webhooks.secrets import roll_secret

# What an id looks like. Nothing else is looked for: Postgres takes no NUL in a text.
_ID = re.compile(r"evt_\w{1,56}", re.ASCII)


async def roll(call: Call) -> dict[str, Any]:
    """A new secret, shown this once; the one before signs on until `previous_expires_at`."""
    rolled = await run_in_database_thread(roll_secret, call.caller.user_id)
    return {
        "object": "webhook_secret",
        "secret": rolled.secret,
        "created_at": _seconds(rolled.created_at),
        "previous_expires_at": _seconds(rolled.previous_expires_at),
    }


async def list_deliveries(call: Call, after: str, limit: int) -> dict[str, Any]:
    """At most `limit` of the caller's deliveries, the newest first, as OpenAI's list; those that follow `after`.

    Raises `InvalidValue` where `after` is none of them.
    """
    found = await run_in_database_thread(_read, call.caller.user_id, after, limit + 1)
    if found is None:
        raise InvalidValue(
            "`after` is no delivery of yours. Send the `last_id` of the page before, or leave it out.", param="after"
        )
    page = [_describe(delivery) for delivery in found[:limit]]
    return {
        "object": "list",
        "data": page,
        "has_more": len(found) > limit,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
    }


async def resend(call: Call, delivery_id: str) -> dict[str, Any]:
    """Has a delivery sent again, with its id and body, and all its tries before it; shown as it is then.

    Raises `DeliveryNotFound`, in the same words for an unknown id and another user's.
    """
    delivery = await run_in_database_thread(_send_again, call.caller.user_id, delivery_id)
    if delivery is None:
        raise DeliveryNotFound("You have no such delivery. GET /v1/webhooks/deliveries lists yours.")
    sending.wake()
    return _describe(delivery)


def _read(account_id: int, after: str, limit: int) -> list[WebhookDelivery] | None:
    theirs = WebhookDelivery.objects.filter(account_id=account_id).defer("body")
    page = theirs
    if after:
        last = theirs.filter(pk=after).first() if _ID.fullmatch(after) else None
        if last is None:
            return None
        page = theirs.filter(Q(created_at__lt=last.created_at) | Q(created_at=last.created_at, pk__lt=last.pk))
    return list(page.order_by("-created_at", "-pk")[:limit])


def _send_again(account_id: int, delivery_id: str) -> WebhookDelivery | None:
    if not _ID.fullmatch(delivery_id):
        return None
    delivery = WebhookDelivery.objects.filter(pk=delivery_id, account_id=account_id)
    return delivery.first() if sending.send_again(delivery) else None


def _describe(delivery: WebhookDelivery) -> dict[str, Any]:
    """Times are Unix seconds. A pending one without `next_attempt_at` is being tried this moment."""
    waits = delivery.state == WebhookDelivery.State.PENDING and not delivery.claim
    return {
        "id": delivery.pk,
        "object": "webhook_delivery",
        "type": delivery.type,
        "task_id": delivery.task_id,
        "url": delivery.url,
        "status": delivery.state,
        "attempts": delivery.tries,
        "next_attempt_at": _seconds(delivery.next_at) if waits else None,
        "last_status": delivery.last_status,
        "last_error": delivery.last_error or None,
        "created_at": _seconds(delivery.created_at),
        "delivered_at": _seconds(delivery.delivered_at),
    }


def _seconds(moment: datetime | None) -> int | None:
    return int(moment.timestamp()) if moment else None
