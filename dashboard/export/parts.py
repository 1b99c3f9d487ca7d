"""Which rows a user's export has, and which of their fields. Of what opens a door it has what tells it apart."""

from collections.abc import Callable
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.db.models import Model, QuerySet
from msgspec import Struct

from accounts.models import ApiKey, User
from billing.amounts import credits_number
from billing.models import (
    Adjustment,
    AutoTopUp,
    CreditAccount,
    Customer,
    Hold,
    LedgerEntry,
    Purchase,
    Redemption,
    Referral,
)
from gateway.idempotency import body_of
from gateway.media import signed_url
from gateway.models import (
    IdempotentCall,
    KeptInput,
    Notice,
    NoticePreferences,
    Receipt,
    StoredPicture,
    TaskEvent,
    VideoTask,
    WebhookDelivery,
    WebhookSecret,
)


class Part(Struct, frozen=True):
    """A file of the export: the user's rows of one table, in an `order` that an index has and that tells all apart.

    `shown` and `hidden` name all columns of the table; of those shown `credits` are millicredits, and written as
    credits. `more` is what no column says.
    """

    name: str
    model: type[Model]
    text: str
    link: str  # to the user, as a filter
    shown: tuple[str, ...]
    hidden: tuple[str, ...] = ()
    credits: tuple[str, ...] = ()
    order: tuple[str, ...] = ("pk",)
    more: Callable[[Any], dict[str, Any]] | None = None

    def rows(self, user: User) -> "QuerySet[Any]":
        found = self.model._default_manager.filter(**{self.link: user.pk})
        return found.order_by(*self.order)

    def describe(self, row: Any) -> dict[str, Any]:
        described = {name: getattr(row, name) for name in self.shown}
        described |= {name: credits_number(described[name]) for name in self.credits if described[name] is not None}
        return described | (self.more(row) if self.more else {})


def _link(name: str) -> dict[str, Any]:
    return {"link": signed_url(name) if name else None}


def _answer(call: IdempotentCall) -> dict[str, Any]:
    return {"answer": body_of(call).decode(errors="replace") if call.status else None}


PARTS = (
    Part(
        "profile",
        User,
        "who you are",
        "pk",
        shown=("email", "first_name", "last_name", "date_joined", "last_login", "keeps_inputs", "is_staff"),
        hidden=("id", "password", "is_active", "is_superuser"),
    ),
    Part(
        "email_addresses",
        EmailAddress,
        "your addresses",
        "user_id",
        shown=("email", "verified", "primary"),
        hidden=("id", "user_id"),
    ),
    Part(
        "second_factors",
        Authenticator,
        "passkeys, authenticator apps and recovery codes: that there are such, not what opens",
        "user_id",
        shown=("type", "created_at", "last_used_at"),
        hidden=("id", "user_id", "data"),
        more=lambda factor: {"name": str(factor)},
    ),
    Part(
        "browsers",
        UserSession,
        "where you are signed in",
        "user_id",
        shown=("ip", "user_agent", "created_at", "last_seen_at"),
        hidden=("id", "user_id", "session_key", "data"),
    ),
    Part(
        "api_keys",
        ApiKey,
        "your keys and their limits, without their secrets",
        "user_id",
        shown=(
            *("id", "name", "requests_per_minute", "concurrent_requests", "concurrent_videos", "credit_limit"),
            *("credit_period", "allowed_models", "webhook_url", "origin_id", "created_at", "updated_at"),
            *("last_used_at", "expires_at", "revoked_at"),
        ),
        hidden=("user_id", "prefix", "last_four", "digest", "form_token"),
        credits=("credit_limit",),
        more=lambda key: {"key": key.masked},
    ),
    Part(
        "notifications",
        NoticePreferences,
        "what you want to be told by mail, where you changed it",
        "user_id",
        shown=("thresholds", "key_expires", "key_limit", "webhook_failed", "video_ended"),
        hidden=("user_id",),
    ),
    Part(
        "notices",
        Notice,
        "what you were told by mail",
        "user_id",
        shown=("kind", "cause", "facts", "state", "tries", "created_at", "sent_at"),
        hidden=("id", "user_id", "next_at", "claim"),
    ),
    Part(
        "balance",
        CreditAccount,
        "your balance in credits; what is held is for calls under way",
        "pk",
        shown=("posted", "held", "created_at"),
        hidden=("id", "owner_id"),
        credits=("posted", "held"),
    ),
    Part(
        "ledger",
        LedgerEntry,
        "every movement of your credits",
        "account_id",
        shown=("id", "kind", "amount", "cause", "expires_at", "created_at"),
        hidden=("account_id",),
        credits=("amount",),
    ),
    Part(
        "corrections",
        Adjustment,
        "why our staff corrected your balance",
        "account_id",
        shown=("cause", "amount", "reason", "created_at"),
        hidden=("account_id", "staff_id"),
        credits=("amount",),
    ),
    Part(
        "holds",
        Hold,
        "what was set aside before each call",
        "account_id",
        shown=("id", "amount", "captured", "state", "deadline", "created_at", "resolved_at"),
        hidden=("account_id",),
        credits=("amount", "captured"),
    ),
    Part(
        "payments",
        Purchase,
        "what you bought; money is in cents, and as Stripe received it",
        "account_id",
        shown=(
            *("id", "origin", "state", "pack", "credits", "price", "currency", "livemode", "checkout_id", "payment_id"),
            *("paid", "reversed", "receipt_url", "invoice_url", "problem", "created_at", "settled_at"),
        ),
        hidden=("account_id", "next_look_at", "payment_method"),
        credits=("credits", "reversed"),
        more=lambda purchase: {
            "taken_back_by": [
                {"id": one.pk, "kind": one.kind, "status": one.status, "credits": credits_number(one.credits)}
                for one in purchase.reversals.all()
            ]
        },
    ),
    Part(
        "customer",
        Customer,
        "who you are at Stripe, and the card that automatic top-ups use",
        "account_id",
        shown=("stripe_id", "livemode", "card", "created_at"),
        hidden=("account_id", "payment_method"),
    ),
    Part(
        "top_ups",
        AutoTopUp,
        "what you want bought when credits run low; money is in cents",
        "account_id",
        shown=("enabled", "threshold", "price", "monthly_cap", "purchase_id", "failures", "problem", "updated_at"),
        hidden=("account_id", "next_at"),
        credits=("threshold",),
    ),
    Part(
        "codes",
        Redemption,
        "the promotion codes that you have used",
        "account_id",
        shown=("promotion_code_id", "created_at"),
        hidden=("id", "account_id"),
        more=lambda redemption: {"code": redemption.promotion_code.code},
    ),
    Part(
        "invitation",
        Referral,
        "that somebody invited you",
        "newcomer_id",
        shown=("created_at",),
        hidden=("newcomer_id", "referrer_id"),
    ),
    Part(
        "receipts",
        Receipt,
        "what each request cost and why",
        "account_id",
        shown=(
            *("id", "api_key_id", "endpoint", "model", "served_by", "stand_in", "from_page", "outcome", "error_code"),
            *("quote", "captured", "overrun", "usage", "attempts", "milliseconds", "overhead_microseconds"),
            "created_at",
        ),
        hidden=("account_id",),
        credits=("quote", "captured", "overrun"),
        order=("created_at", "pk"),
    ),
    Part(
        "inputs",
        KeptInput,
        "what your requests said, if you have it kept",
        "account_id",
        shown=("id", "body", "is_cut", "created_at"),
        hidden=("account_id",),
    ),
    Part(
        "idempotent_calls",
        IdempotentCall,
        "calls that you gave an Idempotency-Key within the last day, with their answers",
        "account_id",
        shown=("key", "request_id", "task_id", "status", "created_at"),
        hidden=("id", "account_id", "digest", "leased_until", "headers", "body", "file"),
        more=_answer,
    ),
    Part(
        "pictures",
        StoredPicture,
        "pictures that were made, with links to the files",
        "account_id",
        shown=("id", "request_id", "mime", "created_at"),
        hidden=("account_id", "name"),
        more=lambda picture: _link(picture.name),
    ),
    Part(
        "videos",
        VideoTask,
        "videos, with links to the clips; prompt and pictures are there until one has ended",
        "account_id",
        shown=(
            *("id", "request_id", "api_key_id", "endpoint", "from_page", "model", "model_id", "seconds", "ratio"),
            *("resolution", "audio", "body", "webhook_url", "cost", "state", "progress", "deadline", "served_by"),
            *("stand_in", "attempts", "duration", "error_code", "error_message", "created_at", "started_at"),
            *("ended_at", "forgotten"),
        ),
        hidden=(
            *("account_id", "frames", "next_at", "claim", "tries", "served_model_id", "key_fingerprint"),
            *("provider_task_id", "media", "last_event"),
        ),
        credits=("cost",),
        more=lambda task: {
            **_link(task.media),
            "frames": {role: signed_url(frame["name"]) for role, frame in task.frames.items()},
        },
    ),
    Part(
        "video_events",
        TaskEvent,
        "what happened to each video",
        "task__account_id",
        shown=("task_id", "number", "type", "body"),
        hidden=("id",),
        order=("task_id", "number"),
    ),
    Part(
        "webhook_secrets",
        WebhookSecret,
        "that there are such, not what they are",
        "account_id",
        shown=("created_at", "expires_at"),
        hidden=("id", "account_id", "secret"),
    ),
    Part(
        "webhooks",
        WebhookDelivery,
        "what was sent to your servers, and what they answered",
        "account_id",
        shown=(
            *("id", "task_id", "type", "url", "body", "state", "tries", "last_status", "last_error", "created_at"),
            "delivered_at",
        ),
        hidden=("account_id", "next_at", "claim"),
        order=("created_at", "pk"),
    ),
)


def readme() -> str:
    """What the files are, for whoever opens the archive."""
    files = "\n".join(f"{part.name}.ndjson: {part.text}" for part in PARTS)
    return (
        f"Everything that {settings.PUBLIC_URL} keeps of you, table by table.\n\n{files}\n\n"
        "Each line of a file is a row in JSON. Times are in UTC, amounts in credits. Links to pictures and clips are "
        f"good for {settings.MEDIA_LINK_SECONDS // 3600} hours from now; the files are kept for "
        f"{settings.MEDIA_FILE_DAYS} days.\nA conversation that you have us keep (ark_stateful) lives in memory for "
        f"{int(settings.SESSION_IDLE_SECONDS // 60)} minutes after its last turn, and is not in here.\n"
    )
