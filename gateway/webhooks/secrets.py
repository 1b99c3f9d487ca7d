"""The secrets that an account's webhooks are signed with. Everything here asks the database, and waits for it."""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone
from msgspec import Struct

from accounts.models import User
from billing import ledger
from gateway.models import WebhookSecret
from gateway.webhooks.signing import new_secret

# How long a secret that was replaced signs on: a receiver may change to the new one any time within it.
OVERLAP = timedelta(hours=24)
# Signatures stand in a header, which must not grow with every secret that somebody makes within a day.
MOST_REPLACED = 9
# Whoever loses a race against others who replace the same secret tries again.
MOST_RACES = 20


class Rolled(Struct, frozen=True):
    """A new secret, and when the one that it replaced, if there was one, ceases to sign."""

    secret: str
    created_at: datetime
    previous_expires_at: datetime | None


def roll_secret(account_id: int) -> Rolled:
    """A new secret for the account, in place of the present one, which goes on signing for 24 hours.

    Of several asked for at once each is good: the last is the present one, and replaces the others. Raises
    `User.DoesNotExist`.
    """
    # Whoever has no credits yet may prepare his receiver all the same.
    ledger.open_account(User.objects.get(pk=account_id))
    for _ in range(MOST_RACES - 1):
        try:
            return _replace(account_id)
        except IntegrityError:
            continue
    return _replace(account_id)


def signing_secrets(account_id: int) -> list[str]:
    """What the account's webhooks are signed with now: the present secret, made if there is none, and then those that
    it has replaced within 24 hours."""
    now = timezone.now()
    good = (
        WebhookSecret.objects.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now), account_id=account_id)
        .order_by(F("expires_at").desc(nulls_first=True))
        .values_list("secret", "expires_at")
    )
    found = list(good)
    if not found or found[0][1] is not None:
        # Others may do the same this moment. One of the secrets gets in, and all of them read that one.
        first = WebhookSecret(account_id=account_id, secret=new_secret(), created_at=now)
        WebhookSecret.objects.bulk_create([first], ignore_conflicts=True)
        found = list(good.all())
    return [secret for secret, _ in found]


def _replace(account_id: int) -> Rolled:
    """Raises `IntegrityError` where somebody else has replaced the same secret meanwhile."""
    now = timezone.now()
    expires_at = now + OVERLAP
    of_account = WebhookSecret.objects.filter(account_id=account_id)
    with transaction.atomic():
        replaced = of_account.filter(expires_at__isnull=True).update(expires_at=expires_at)
        made = of_account.create(account_id=account_id, secret=new_secret(), created_at=now)
        old = of_account.filter(expires_at__gt=now).order_by("-expires_at")
        kept = [made.pk, *old.values_list("pk", flat=True)[:MOST_REPLACED]]
        of_account.exclude(pk__in=kept).delete()
    return Rolled(made.secret, now, expires_at if replaced else None)
