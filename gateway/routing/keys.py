"""The keys with which providers are asked: which take turns, rest, or are refused.

A key that its provider limits rests for a while, in this process and for that model. One that is refused, or whose
account is empty, is disabled in all processes: they follow the database, where the admin shows it and may bring it
back. After `DISABLED_SECONDS` it is tried again by itself, so that an account that was topped up needs no hand.
"""

import hashlib
import logging
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import count
from time import monotonic, time
from typing import Any

from django.core.signals import setting_changed
from django.db import transaction
from msgspec import Struct

from accounts.database import run_in_database_thread
from gateway.errors import ProviderError, ProviderFault
from gateway.models import DisabledKey
from gateway.providers.base import Deployment

logger = logging.getLogger(__name__)

DISABLED_SECONDS = 600.0
# Where a provider limits a key and does not say for how long; and the longest that its word is taken for.
REST_SECONDS = 30.0
MOST_REST_SECONDS = 300.0
# A row of a key that nobody used since stays this long.
KEPT = timedelta(days=1)
MAX_MESSAGE_CHARACTERS = 300

_ALL_MODELS = ""


class Rest(Struct, frozen=True):
    """`until` is of time.monotonic; `is_stated`: the provider itself said so."""

    until: float
    is_stated: bool

    @property
    def seconds(self) -> float:
        return max(0.0, self.until - monotonic())


class RestingKey(Struct, frozen=True):
    """A key that this process lets rest. `model` as the provider names it."""

    provider: str
    fingerprint: str
    model: str
    seconds: float


class Refusal(Struct, frozen=True):
    """Why a key is disabled. `until` is of time.time."""

    until: float
    reason: str
    last_four: str = ""
    message: str = ""


# Both by provider, fingerprint and model; empty in good health.
_KeyAndModel = tuple[str, str, str]
_rests: dict[_KeyAndModel, Rest] = {}
_refusals: dict[_KeyAndModel, Refusal] = {}
# What this process has found out, until the database knows.
_found: dict[_KeyAndModel, Refusal] = {}
_recovered: set[_KeyAndModel] = set()
_turns = count()


def all_are_well() -> bool:
    """Whether no key rests or is disabled."""
    return not _rests and not _refusals


def next_turn() -> int:
    """A number that counts the calls, by which keys take turns."""
    return next(_turns)


@lru_cache(maxsize=1024)
def fingerprint(api_key: str) -> str:
    """By which a key is known where it must not be kept: its SHA-256."""
    return hashlib.sha256(api_key.encode()).hexdigest()


def known_as(deployment: Deployment) -> str:
    """The fingerprint of a deployment's key; empty where it needs none."""
    return fingerprint(deployment.api_key) if deployment.api_key else ""


def find_rest(deployment: Deployment) -> Rest | None:
    """Why its key should not be used for its model in this moment, if it should not."""
    if not _rests:
        return None
    name = _name(deployment)
    rest = _rests.get(name)
    if rest is not None and rest.until <= monotonic():
        del _rests[name]
        return None
    return rest


def list_rests() -> list[RestingKey]:
    """The keys that rest in this process now."""
    return [RestingKey(*name, rest.seconds) for name, rest in list(_rests.items()) if rest.seconds]


def is_disabled(deployment: Deployment) -> bool:
    """Whether its key is refused, for its model or for all."""
    if not _refusals:
        return False
    now = time()
    provider, known_as, model = _name(deployment)
    return any(
        refusal is not None and refusal.until > now
        for refusal in (_refusals.get((provider, known_as, model)), _refusals.get((provider, known_as, _ALL_MODELS)))
    )


def note_answer(deployment: Deployment) -> None:
    """The key was good for an answer, whatever was known of it."""
    if not _refusals and not _rests:
        return
    provider, known_as, model = _name(deployment)
    _rests.pop((provider, known_as, model), None)
    for name in ((provider, known_as, model), (provider, known_as, _ALL_MODELS)):
        if _refusals.pop(name, None) is not None:
            _found.pop(name, None)
            _recovered.add(name)
            logger.info("%s: key …%s is good again", provider, last_four(deployment.api_key))


def note_error(deployment: Deployment, error: ProviderError) -> None:
    """Lets the key rest, or disables it, where `error` says something of it."""
    if error.of_this_request:
        return
    if error.kind in (ProviderFault.AUTH, ProviderFault.BALANCE):
        _disable(deployment, error)
    elif error.kind is ProviderFault.RATE_LIMITED or (
        error.kind is ProviderFault.OVERLOADED and error.retry_after is not None
    ):
        seconds = REST_SECONDS if error.retry_after is None else min(error.retry_after, MOST_REST_SECONDS)
        _rests[_name(deployment)] = Rest(monotonic() + seconds, is_stated=error.retry_after is not None)


def last_four(api_key: str) -> str:
    return api_key[-4:]


async def follow_disabled_keys() -> None:
    """Writes which keys this process found refused, or good again, and reads what all have found. For every second."""
    found, recovered = dict(_found), set(_recovered)
    known = await run_in_database_thread(_exchange, found, recovered)
    for name in recovered:
        _recovered.discard(name)
    for name, refusal in found.items():
        if _found.get(name) is refusal:
            del _found[name]
    _refusals.clear()
    _refusals.update(known | _found)
    for name in _recovered:
        _refusals.pop(name, None)


def use_again(row: DisabledKey) -> None:
    """From a second or two on, all processes use the key again."""
    row.delete()


def _disable(deployment: Deployment, error: ProviderError) -> None:
    provider, known_as, model = _name(deployment)
    if not error.is_of_model:
        model = _ALL_MODELS
    api_key = deployment.api_key
    message = error.message
    for secret in filter(None, deployment.secrets):
        message = message.replace(secret, "…")
    refusal = Refusal(time() + DISABLED_SECONDS, error.kind.value, last_four(api_key), message[:MAX_MESSAGE_CHARACTERS])
    name = (provider, known_as, model)
    _refusals[name] = _found[name] = refusal
    _recovered.discard(name)
    logger.error(
        "%s: key …%s is not used for %s in the next %.0f minutes: %s%s",
        provider,
        last_four(api_key),
        model or "any model",
        DISABLED_SECONDS / 60,
        error.kind,
        f" (HTTP {error.status})" if error.status else "",
    )


def _exchange(found: dict[_KeyAndModel, Refusal], recovered: set[_KeyAndModel]) -> dict[_KeyAndModel, Refusal]:
    """Called in a database thread."""
    if found or recovered:
        with transaction.atomic():
            _write(found, recovered)
    rows = DisabledKey.objects.values_list("provider", "fingerprint", "model", "until", "reason")
    return {
        (provider, known_as, model): Refusal(until.timestamp(), reason)
        for provider, known_as, model, until, reason in rows
    }


def _write(found: dict[_KeyAndModel, Refusal], recovered: set[_KeyAndModel]) -> None:
    now = datetime.now(UTC)
    for provider, known_as, model in recovered:
        DisabledKey.objects.filter(provider=provider, fingerprint=known_as, model=model).delete()
    DisabledKey.objects.bulk_create(
        [
            DisabledKey(
                provider=provider,
                fingerprint=known_as,
                last_four=refusal.last_four,
                model=model,
                reason=refusal.reason,
                message=refusal.message,
                since=now,
                until=datetime.fromtimestamp(refusal.until, UTC),
            )
            for (provider, known_as, model), refusal in found.items()
        ],
        update_conflicts=True,
        unique_fields=("provider", "fingerprint", "model"),
        update_fields=("reason", "message", "until"),  # not since when: it was found again
    )
    DisabledKey.objects.filter(until__lt=now - KEPT).delete()


def _name(deployment: Deployment) -> _KeyAndModel:
    return deployment.provider, fingerprint(deployment.api_key), deployment.upstream


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == "PROVIDERS":
        for known in (_rests, _refusals, _found, _recovered):
            known.clear()


# Settings change under test alone.
setting_changed.connect(_forget)
