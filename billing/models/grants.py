"""Credits that are given away: for codes, to those who bring others, and what lapses of them."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from billing.models.ledger import CreditAccount


class PromotionCode(models.Model):
    """A word that is worth credits: once for each account, and so many times altogether."""

    code = models.CharField(max_length=40, unique=True, help_text="upper case; people may type it as they like")
    credits = models.BigIntegerField(help_text="millicredits")
    redemptions_left = models.PositiveIntegerField(null=True, blank=True, help_text="empty: any number")
    redeemable_until = models.DateTimeField(null=True, blank=True)
    valid_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="days after which what is left of the credits lapses; empty: never"
    )
    note = models.CharField(max_length=200, blank=True, help_text="what it is for")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.CheckConstraint(name="code_is_worth_something", condition=Q(credits__gt=0)),)

    def __str__(self) -> str:
        return self.code


class Redemption(models.Model):
    """A code that an account has used."""

    promotion_code = models.ForeignKey(PromotionCode, on_delete=models.PROTECT, related_name="redemptions")
    account = models.ForeignKey(CreditAccount, on_delete=models.PROTECT, related_name="redemptions")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("promotion_code", "account"), name="a_code_once_an_account"),)

    def __str__(self) -> str:
        return f"{self.promotion_code} by {self.account_id}"


class LapsedGrant(models.Model):
    """A grant whose time is over: `amount` is what was left of it, and went."""

    entry = models.OneToOneField("billing.LedgerEntry", on_delete=models.PROTECT, primary_key=True)
    amount = models.BigIntegerField(help_text="millicredits")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"grant {self.entry_id}"


class Referral(models.Model):
    """Who brought a user."""

    newcomer = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, primary_key=True, related_name="referred_by"
    )
    referrer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="referrals")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.newcomer_id} by {self.referrer_id}"
