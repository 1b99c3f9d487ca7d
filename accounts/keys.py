"""API keys: how they look, how they are issued and revoked, and whom they open the door to.

The only code that sees a secret. A key is `ark-` and 40 base62 characters, of which the last six are a CRC-32 of those
before: a mistyped key is refused without a query, and leaked keys can be recognised by scanners. The 34 random
characters carry 202 bits. The database has the SHA-256 alone, which is enough for a secret that nobody can guess.
"""

import hashlib
import os
import secrets
import string
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple, TypedDict, Unpack, cast
from zlib import crc32

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.callers import Caller, InvalidApiKey, KeyRejected, MissingApiKey
from accounts.known_keys import KnownKeys, keys_page
from accounts.models import ApiKey, User

__all__ = [
    "AlreadyIssued",
    "Caller",
    "InvalidApiKey",
    "IssuedKey",
    "KeyRejected",
    "KeySettings",
    "MissingApiKey",
    "change_key",
    "find_key",
    "issue_key",
    "looks_valid",
    "mask",
    "revoke_key",
    "roll_key",
    "touch_keys",
]

MARK = "ark-"
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM_LENGTH = 34
CHECKSUM_LENGTH = 6
# What of a key may be shown: of its beginning and its end.
PREFIX_LENGTH, LAST_LENGTH = 8, 4
LONGEST_SHOWN = 20

_known_keys = KnownKeys()
os.register_at_fork(after_in_child=_known_keys.clear)


class IssuedKey(NamedTuple):
    """A new key. `secret` is here for the only time; show it to its owner and forget it."""

    secret: str
    api_key: ApiKey


class KeySettings(TypedDict, total=False):
    """What the owner of a key decides about it; see the fields of `ApiKey`.

    Limits of None are the site's defaults; others are at least 1. `credit_limit`, in millicredits, goes with a
    `credit_period`. `allowed_models` are ids and types; empty: all.
    """

    requests_per_minute: int | None
    concurrent_requests: int | None
    concurrent_videos: int | None
    credit_limit: int | None
    credit_period: str
    allowed_models: list[str]
    webhook_url: str
    expires_at: datetime | None


# With a key's name, what the one that it is rolled to takes over.
_SETTINGS = tuple(KeySettings.__annotations__)


class AlreadyIssued(Exception):
    """A form that has made its key was sent again, by a reload or a second click: `api_key` is what it made."""

    def __init__(self, api_key: ApiKey) -> None:
        super().__init__(api_key)
        self.api_key = api_key


def issue_key(
    user: User,
    name: str = "",
    *,
    origin: ApiKey | None = None,
    form_token: str | None = None,
    **settings: Unpack[KeySettings],
) -> IssuedKey:
    """A saved key of `user` and its secret. A `form_token` makes one key: the second time is `AlreadyIssued`."""
    random = "".join(secrets.choice(BASE62) for _ in range(RANDOM_LENGTH))
    secret = MARK + random + _checksum(random)
    try:
        with transaction.atomic():
            api_key = ApiKey.objects.create(
                user=user,
                name=name,
                prefix=secret[:PREFIX_LENGTH],
                last_four=secret[-LAST_LENGTH:],
                digest=_digest(secret),
                origin=origin,
                form_token=form_token,
                **settings,
            )
    except IntegrityError:
        if form_token and (made := ApiKey.objects.filter(user=user, form_token=form_token).first()):
            raise AlreadyIssued(made) from None
        raise
    return IssuedKey(secret, api_key)


def roll_key(api_key: ApiKey, overlap: timedelta, *, form_token: str | None = None) -> IssuedKey:
    """A new key with the settings of `api_key`, which ends after `overlap`: at once, if that is nothing.

    Both count for the same credit limit. Raises `AlreadyIssued` like `issue_key`.
    """
    settings = cast(KeySettings, {name: getattr(api_key, name) for name in _SETTINGS})
    with transaction.atomic():
        issued = issue_key(
            api_key.user, api_key.name, origin=api_key.origin or api_key, form_token=form_token, **settings
        )
        if not overlap:
            revoke_key(api_key)
        else:
            end = timezone.now() + overlap
            change_key(api_key, expires_at=min(end, api_key.expires_at or end))
    return issued


def change_key(api_key: ApiKey, name: str | None = None, **settings: Unpack[KeySettings]) -> None:
    """Saves the settings given. They hold within a second in every process."""
    if name is not None:
        api_key.name = name
    for field, value in settings.items():
        setattr(api_key, field, value)
    # Other processes learn of it by `updated_at`.
    api_key.save(update_fields=[*settings, "name", "updated_at"])
    transaction.on_commit(partial(_known_keys.forget, api_key.digest))


def revoke_key(api_key: ApiKey) -> None:
    """Closes the door for good, within a second in every process. A key that was revoked before keeps its date."""
    now = timezone.now()
    # Other processes learn of it by `updated_at`.
    ApiKey.objects.filter(pk=api_key.pk, revoked_at=None).update(revoked_at=now, updated_at=now)
    api_key.refresh_from_db(fields=["revoked_at", "updated_at"])
    transaction.on_commit(partial(_known_keys.forget, api_key.digest))


def touch_keys(user: User) -> None:
    """What has changed of `user` holds for calls with the user's keys within a second in every process."""
    ApiKey.objects.filter(user=user, revoked_at=None).update(updated_at=timezone.now())


async def find_key(secret: str) -> Caller:
    """Whom the key belongs to: out of memory in microseconds, or by a query once in half a minute.

    Raises `MissingApiKey` for an empty string and `InvalidApiKey` for a key that opens nothing. Trouble with the
    database travels up as `django.db.Error`: it says nothing about the key.
    """
    if not secret:
        raise MissingApiKey(
            f"No API key came with this request. Send it as `Authorization: Bearer ark-…`; create one at {keys_page()}."
        )
    digest = _digest(secret)
    if digest not in _known_keys and not looks_valid(secret):
        raise InvalidApiKey(
            "This is not an API key of this site: it is mistyped or cut off. "
            f"Copy it again whole, or create another at {keys_page()}."
        )
    return await _known_keys.find(digest)


def looks_valid(secret: str) -> bool:
    """Whether it has the form of a key and its checksum is right. Says nothing about whether it opens a door."""
    random, checksum = secret[len(MARK) : -CHECKSUM_LENGTH], secret[-CHECKSUM_LENGTH:]
    return (
        len(random) == RANDOM_LENGTH
        and secret.startswith(MARK)
        and secret.isascii()
        and random.isalnum()
        and checksum == _checksum(random)
    )


def mask(text: str) -> str:
    """What may be shown of a text: of one that begins like a key and is longer than a masked one, `ark-abcd…wxyz`."""
    if not text.startswith(MARK) or len(text) <= LONGEST_SHOWN:
        return text
    return f"{text[:PREFIX_LENGTH]}…{text[-LAST_LENGTH:]}"


def _checksum(random: str) -> str:
    number = crc32(random.encode("ascii"))
    digits = ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, 62)
        digits = BASE62[digit] + digits
    return digits


def _digest(secret: str) -> str:
    # A header may hold anything; what is no ASCII becomes the digest of no key.
    return hashlib.sha256(secret.encode("ascii", "replace")).hexdigest()
