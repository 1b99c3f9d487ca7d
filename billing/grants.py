"""Credits that are given away: for a code, to who brought a new user, and those that lapse.

Spending takes the credits that lapse soonest first, then those that do not lapse, granted or bought. So what lapses is
what nobody has spent by then.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Sum
from django.utils import timezone

from accounts.models import User
from billing import ledger
from billing.models import CreditAccount, LapsedGrant, LedgerEntry, PromotionCode, Redemption, Referral
from billing.verbs import Post

Kind = LedgerEntry.Kind

LONGEST_CODE = 40
AT_ONCE = 100
SPENDING = (Kind.CAPTURE, Kind.OVERRUN)

SpendingOf = Callable[[datetime, datetime], int]


class CodeRefused(Exception):
    """The code does nothing; the message says why to the person who typed it."""


def redeem(account: CreditAccount, text: str) -> int:
    """The millicredits that a promotion code gave to `account`. Raises `CodeRefused`."""
    code = text.strip().upper()[:LONGEST_CODE]
    now = timezone.now()
    with transaction.atomic():
        promotion = PromotionCode.objects.select_for_update().filter(code=code).first()
        # One that ran out is no different from one that never was: nobody learns codes by trying.
        if (
            promotion is None
            or (promotion.redeemable_until is not None and promotion.redeemable_until <= now)
            or promotion.redemptions_left == 0
        ):
            raise CodeRefused("This code is not valid, or has run out.")
        try:
            with transaction.atomic():
                Redemption.objects.create(promotion_code=promotion, account=account)
        except IntegrityError:
            raise CodeRefused("You have used this code already.") from None
        if promotion.redemptions_left is not None:
            promotion.redemptions_left -= 1
            promotion.save(update_fields=["redemptions_left"])
        lapses = now + timedelta(days=promotion.valid_days) if promotion.valid_days else None
        entry = Post(
            account_id=account.pk,
            amount=promotion.credits,
            kind=Kind.GRANT.value,
            cause=f"code:{promotion.pk}:{account.pk}",
            expires_at=lapses,
        )
        ledger.apply_now([entry])
    return promotion.credits


def expire_lapsed(now: datetime | None = None) -> int:
    """How many grants have lapsed now. What was left of each leaves its account, by an entry.

    Where calls are under way whose cost is not known yet, it waits for them. May run many times at once.
    """
    now = now or timezone.now()
    lapsed = LedgerEntry.objects.filter(
        ~Exists(LapsedGrant.objects.filter(entry=OuterRef("pk"))), kind=Kind.GRANT, expires_at__lte=now, amount__gt=0
    )
    accounts = lapsed.order_by("expires_at").values_list("account_id", flat=True)[:AT_ONCE]
    return sum(_expire_of(account_id, now) for account_id in dict.fromkeys(accounts) if account_id > 0)


def _expire_of(account_id: int, now: datetime) -> int:
    with transaction.atomic():
        account = CreditAccount.objects.select_for_update().get(pk=account_id)
        grants = list(
            LedgerEntry.objects.filter(account=account_id, kind=Kind.GRANT, expires_at__isnull=False).order_by("id")
        )
        done = set(LapsedGrant.objects.filter(entry__in=grants).values_list("entry_id", flat=True))
        left = remaining_of(grants, _spending(account_id))
        available = account.available
        expired = 0
        for grant in grants:
            if grant.pk in done or grant.expires_at is None or grant.expires_at > now:
                continue
            amount = min(left[grant.pk], max(available, 0))
            if amount < left[grant.pk] and account.held:
                # It may be what those calls are paid from.
                return expired
            if amount:
                entry = Post(account_id=account_id, amount=-amount, kind=Kind.EXPIRY.value, cause=f"expiry:{grant.pk}")
                ledger.apply_now([entry])
                available -= amount
            LapsedGrant.objects.create(entry=grant, amount=amount)
            expired += 1
    return expired


def _spending(account_id: int) -> SpendingOf:
    spent = LedgerEntry.objects.filter(account=account_id, kind__in=SPENDING)

    def between(begin: datetime, end: datetime) -> int:
        found = spent.filter(created_at__gte=begin, created_at__lt=end)
        return -(found.aggregate(sum=Sum("amount"))["sum"] or 0)

    return between


def remaining_of(grants: Sequence[LedgerEntry], spending: SpendingOf) -> dict[int, int]:
    """What is left of each of these grants, which all lapse some day, by its id.

    `spending(begin, end)` are the millicredits spent from one time until another. Time is cut where a grant begins or
    ends; between two cuts it does not matter in which order things were bought.
    """
    left = {grant.pk: grant.amount for grant in grants}
    lapsing = ((grant.expires_at, grant) for grant in grants if grant.expires_at is not None)
    by_end = sorted(lapsing, key=lambda pair: (pair[0], pair[1].pk))
    cuts = sorted({grant.created_at for grant in grants} | {end for end, _ in by_end})
    # After the last cut nothing of them is left to be spent.
    for begin, end in pairwise(cuts):
        spent = spending(begin, end)
        for expires_at, grant in by_end:
            if grant.created_at <= begin < expires_at:
                used = min(left[grant.pk], spent)
                left[grant.pk] -= used
                spent -= used
    return left


# --- Those who bring others -------------------------------------------------------------------------------------------


def invitation_of(user: User) -> str:
    """The word by which others name this user when they sign up."""
    return _invitations().sign(str(user.pk))


def read_invitation(word: str) -> int | None:
    """The id of the user who invites; None for what is no invitation of ours."""
    try:
        return int(_invitations().unsign(word))
    except (BadSignature, ValueError):
        return None


def _invitations() -> Signer:
    return Signer(sep=".", salt="billing.grants.invitation")


def note_referral(newcomer: User, referrer_id: int) -> None:
    """Notes who brought a new user, once and for all."""
    if newcomer.pk != referrer_id and User.objects.filter(pk=referrer_id, is_active=True).exists():
        Referral.objects.get_or_create(newcomer=newcomer, defaults={"referrer_id": referrer_id})


def reward_referral(newcomer_id: int) -> None:
    """Gives `REFERRAL_CREDITS` to both when the newcomer has bought something; once. In the caller's transaction."""
    amount = settings.REFERRAL_CREDITS * ledger.MILLICREDITS
    found = Referral.objects.select_related("referrer").filter(pk=newcomer_id)
    referral = found.first() if amount else None
    if referral is None:
        return
    referrer = ledger.open_account(referral.referrer)
    rewards = ((newcomer_id, f"referred:{newcomer_id}"), (referrer.pk, f"referral:{newcomer_id}"))
    try:
        ledger.apply_now(
            [Post(account_id=pk, amount=amount, kind=Kind.GRANT.value, cause=cause) for pk, cause in rewards]
        )
    except ledger.DuplicateCause:
        return
