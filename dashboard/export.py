"""A user's own data as one JSON document, written while it is read: a ledger may be long."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.db.models import Model, QuerySet

from accounts.models import ApiKey, User
from billing.amounts import credits_number
from billing.models import LedgerEntry
from gateway.media import signed_url
from gateway.models import Receipt, StoredPicture, VideoTask, WebhookDelivery

# Rows that are read from the database together.
ROWS = 500

Shape = Callable[[Any], dict[str, Any]]


async def export_of(user: User) -> AsyncIterator[bytes]:
    """The document, piece by piece. No secret is in it: of keys what tells them apart, of second factors their kind.

    Links to results are good for MEDIA_LINK_SECONDS.
    """
    yield b'{"exported_at":' + msgspec.json.encode(datetime.now(UTC))
    yield b',"site":' + msgspec.json.encode(settings.PUBLIC_URL)
    yield b',"user":' + msgspec.json.encode(_user(user))
    for name, rows, shape in _lists(user):
        yield b',"%s":[' % name.encode()
        comma = b"\n"
        async for row in rows.aiterator(chunk_size=ROWS):
            yield comma + msgspec.json.encode(shape(row))
            comma = b",\n"
        yield b"]"
    yield b"}\n"


def _lists(user: User) -> tuple[tuple[str, QuerySet[Model], Shape], ...]:
    return (
        ("email_addresses", EmailAddress.objects.filter(user=user).order_by("pk"), _address),
        ("second_factors", Authenticator.objects.filter(user=user).order_by("pk"), _factor),
        ("browsers", UserSession.objects.filter(user=user).order_by("pk"), _browser),
        ("api_keys", ApiKey.objects.filter(user=user).order_by("pk"), _key),
        ("ledger", LedgerEntry.objects.filter(account_id=user.pk).order_by("pk"), _entry),
        ("receipts", Receipt.objects.filter(account_id=user.pk).order_by("created_at", "pk"), _receipt),
        ("pictures", StoredPicture.objects.filter(account_id=user.pk).order_by("pk"), _picture),
        ("videos", VideoTask.objects.filter(account_id=user.pk, forgotten=False).order_by("pk"), _video),
        ("webhooks", WebhookDelivery.objects.filter(account_id=user.pk).order_by("created_at", "pk"), _delivery),
    )


def _user(user: User) -> dict[str, Any]:
    return {
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "joined_at": user.date_joined,
        "last_signed_in_at": user.last_login,
    }


def _address(address: EmailAddress) -> dict[str, Any]:
    return {"email": address.email, "verified": address.verified, "primary": address.primary}


def _factor(factor: Authenticator) -> dict[str, Any]:
    return {
        "kind": factor.type,
        "name": str(factor),
        "created_at": factor.created_at,
        "last_used_at": factor.last_used_at,
    }


def _browser(session: UserSession) -> dict[str, Any]:
    return {
        "address": session.ip,
        "browser": session.user_agent,
        "signed_in_at": session.created_at,
        "last_seen_at": session.last_seen_at,
    }


def _key(key: ApiKey) -> dict[str, Any]:
    return {
        "key": key.masked,
        "name": key.name,
        "requests_per_minute": key.requests_per_minute,
        "concurrent_requests": key.concurrent_requests,
        "concurrent_videos": key.concurrent_videos,
        "webhook_url": key.webhook_url,
        "created_at": key.created_at,
        "last_used_at": key.last_used_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    }


def _entry(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "credits": credits_number(entry.amount),
        "cause": entry.cause,
        "expires_at": entry.expires_at,
        "created_at": entry.created_at,
    }


def _receipt(receipt: Receipt) -> dict[str, Any]:
    return {
        "request_id": receipt.pk,
        "endpoint": receipt.endpoint,
        "model": receipt.model,
        "outcome": receipt.outcome,
        "error": receipt.error_code,
        "credits": credits_number(receipt.captured + receipt.overrun),
        "usage": receipt.usage,
        "milliseconds": receipt.milliseconds,
        "created_at": receipt.created_at,
    }


def _picture(picture: StoredPicture) -> dict[str, Any]:
    return {
        "id": picture.pk,
        "request_id": picture.request_id,
        "type": picture.mime,
        "link": signed_url(picture.name),
        "created_at": picture.created_at,
    }


def _video(task: VideoTask) -> dict[str, Any]:
    return {
        "id": task.pk,
        "request_id": task.request_id,
        "model": task.model,
        "state": task.state,
        "request": task.body,
        "seconds": task.seconds,
        "resolution": task.resolution,
        "webhook_url": task.webhook_url,
        "error": task.error_code,
        "link": signed_url(task.media) if task.media else None,
        "created_at": task.created_at,
        "ended_at": task.ended_at,
    }


def _delivery(delivery: WebhookDelivery) -> dict[str, Any]:
    return {
        "id": delivery.pk,
        "type": delivery.type,
        "url": delivery.url,
        "state": delivery.state,
        "tries": delivery.tries,
        "created_at": delivery.created_at,
        "delivered_at": delivery.delivered_at,
    }
