"""What each kind of notice says: what happened, what that means, and the one page to go to."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from msgspec import Struct

from billing.amounts import credits_text
from gateway.models import NoticeKind

# Facts of a notice, as they stand in its row. Moments are ISO 8601, amounts millicredits.
Facts = Mapping[str, Any]
# Videos that one mail names.
MOST_NAMED = 20


class Words(Struct, frozen=True):
    """A mail without its frame. Each of `paragraphs` is a line of its own text; `link` is what one can do."""

    subject: str
    paragraphs: list[str]
    link: str
    link_text: str


class About(Struct, frozen=True):
    """A kind as the settings show it. `mail` is how a mail calls itself: `a mail about …`."""

    name: str
    text: str
    mail: str


ABOUT = {
    NoticeKind.LOW_BALANCE: About(
        "Low balance",
        "When your credits fall below an amount that you choose: once, and again after they were above it.",
        "low balances",
    ),
    NoticeKind.KEY_EXPIRES: About(
        "A key expires", "Seven days before an API key stops working. Not for keys that you rolled.", "keys that expire"
    ),
    NoticeKind.KEY_LIMIT: About(
        "A key reaches its limit",
        "When a call was refused because its key has spent its credits of the day, week or month: once in the period.",
        "limits of keys",
    ),
    NoticeKind.WEBHOOK_FAILED: About(
        "A webhook is given up",
        "When your server did not take a webhook, not even in the last try: at most one mail a day.",
        "webhooks that were given up",
    ),
    NoticeKind.VIDEO_ENDED: About(
        "Videos end", "When a video is completed or has failed; those of one minute share a mail.", "videos that ended"
    ),
}


def words_of(kind: str, facts: list[Facts]) -> Words:
    """The mail for these facts: one, but of videos that ended, which may be several."""
    return _WORDS[NoticeKind(kind)](facts)


def example_of(kind: str) -> Words:
    """The mail as it might be, for somebody who wonders whether to have it."""
    return words_of(kind, [EXAMPLES[NoticeKind(kind)]])


def _low_balance(facts: list[Facts]) -> Words:
    (fact,) = facts
    balance = credits_text(fact["balance"])
    return Words(
        f"{balance} credits left",
        [
            f"Your balance fell below {fact['threshold']:,} credits: {balance} are left.",
            "Calls go on as long as the balance covers them. One that it does not cover is refused with error 402, and "
            "nothing is charged for it.",
        ],
        f"{settings.PUBLIC_URL}/billing/",
        "Buy credits",
    )


def _key_expires(facts: list[Facts]) -> Words:
    (fact,) = facts
    moment = datetime.fromisoformat(fact["expires_at"])
    return Words(
        f"The key {fact['key']} expires on {_day(moment)}",
        [
            f"Your API key {fact['key']} expires on {_day(moment)} {moment:%Y at %H:%M} UTC.",
            "From then on every call with it is refused with error 401. Roll the key to have a new one before that, or "
            "give it another day to expire.",
        ],
        f"{settings.PUBLIC_URL}/keys/",
        "Open your keys",
    )


def _key_limit(facts: list[Facts]) -> Words:
    (fact,) = facts
    period, ends = fact["period"], datetime.fromisoformat(fact["ends_at"])
    return Words(
        f"The key {fact['key']} has reached its limit",
        [
            f"Your API key {fact['key']} may spend {credits_text(fact['limit'])} credits a {period}, and a call was "
            f"refused because less is left of this {period}'s than it costs.",
            f"The limit starts anew on {_day(ends)} {ends:%Y at %H:%M} UTC. Other keys go on as before.",
        ],
        f"{settings.PUBLIC_URL}/keys/",
        "Change the limit",
    )


def _webhook_failed(facts: list[Facts]) -> Words:
    (fact,) = facts
    return Words(
        f"A webhook to {fact['host']} was given up",
        [
            f"The webhook {fact['id']} ({fact['type']}) to {fact['host']} was given up after "
            f"{_count(fact['tries'], 'try', 'tries')}. The last time: {fact['error']}.",
            "The video itself is not touched. The webhook can be sent again: POST "
            f"/v1/webhooks/deliveries/{fact['id']}/resend. Others that are given up today are not told of by mail; "
            "GET /v1/webhooks/deliveries lists all.",
        ],
        f"{settings.PUBLIC_URL}/usage/requests/{fact['request_id']}/",
        "Open the request",
    )


def _video_ended(facts: list[Facts]) -> Words:
    named = [_video(fact) for fact in facts[:MOST_NAMED]]
    more = len(facts) - len(named)
    alone = f"A video by {facts[0]['model']} {_END[facts[0]['state']]}"
    subject = f"{len(facts)} videos have ended" if len(facts) > 1 else alone
    paragraphs = [*named, *([f"And {more} more."] if more else [])]
    meaning = f"Clips are kept for {settings.MEDIA_FILE_DAYS} days. What failed is not charged."
    return Words(subject, [*paragraphs, meaning], f"{settings.PUBLIC_URL}/gallery/", "Open the gallery")


_END = {"completed": "is ready", "failed": "has failed", "cancelled": "was cancelled"}


def _video(fact: Facts) -> str:
    reason = f": {fact['error']}" if fact.get("error") else ""
    return f"{fact['seconds']} s by {fact['model']} {_END[fact['state']]}{reason} ({fact['id']})."


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B}"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


_WORDS: dict[NoticeKind, Callable[[list[Facts]], Words]] = {
    NoticeKind.LOW_BALANCE: _low_balance,
    NoticeKind.KEY_EXPIRES: _key_expires,
    NoticeKind.KEY_LIMIT: _key_limit,
    NoticeKind.WEBHOOK_FAILED: _webhook_failed,
    NoticeKind.VIDEO_ENDED: _video_ended,
}

EXAMPLES: dict[NoticeKind, Facts] = {
    NoticeKind.LOW_BALANCE: {"threshold": 50, "balance": 48_200},
    NoticeKind.KEY_EXPIRES: {"key": "“production” (ark-Ab3x…9fKd)", "expires_at": "2027-01-15T00:00:00+00:00"},
    NoticeKind.KEY_LIMIT: {
        "key": "“nightly” (ark-Ab3x…)",
        "limit": 200_000,
        "period": "week",
        "ends_at": "2027-01-18T00:00:00+00:00",
    },
    NoticeKind.WEBHOOK_FAILED: {
        "id": "evt_6f1c0e9b",
        "type": "video.completed",
        "host": "you.example",
        "tries": 8,
        "error": "its server answered 500",
        "request_id": "req_0",
    },
    NoticeKind.VIDEO_ENDED: {
        "id": "video_3b1a0d9c",
        "model": "seedance-1.5-pro",
        "seconds": 5,
        "state": "completed",
        "error": "",
    },
}
