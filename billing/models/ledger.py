"""The ledger's rows. All amounts are integer millicredits: 1 credit = 1000.

Only `billing.ledger` writes them; the database itself refuses to change or delete an entry (see the migrations).
"""

from django.conf import settings
from django.db import models
from django.db.models import Q


class SystemAccount(models.IntegerChoices):
    """Our own side of every entry. Their ids are negative, so that they never meet a user's account.

    They keep no running total: it would be one hot row that every batch of every process locks.
    `manage.py audit_ledger` adds them up.
    """

    GRANTS = -1, "credits given away"
    SALES = -2, "credits sold"
    USAGE = -3, "credits spent on calls"
    EXPIRY = -4, "credits that lapsed"
    ADJUSTMENTS = -5, "corrections by staff"


class CreditAccount(models.Model):
    """A balance. Carries its owner's id, so that whoever knows the caller knows the account.

    `posted` is the sum of its entries, `held` the sum of its open holds (both running totals).
    """

    id = models.BigIntegerField(primary_key=True, help_text="the owner's id; our own accounts are negative")
    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="credit_account"
    )
    posted = models.BigIntegerField(default=0, editable=False, help_text="millicredits")
    held = models.BigIntegerField(default=0, editable=False, help_text="millicredits")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (
            models.CheckConstraint(name="held_not_negative", condition=Q(held__gte=0)),
            models.CheckConstraint(
                name="system_accounts_have_no_owner_and_no_total",
                condition=Q(id__gt=0, id=models.F("owner_id")) | Q(id__lt=0, owner__isnull=True, posted=0, held=0),
            ),
        )

    def __str__(self) -> str:
        return str(self.owner) if self.owner_id else SystemAccount(self.pk).label

    @property
    def available(self) -> int:
        """Millicredits that a new hold may take. Below zero after a dispute, a refund or an overrun."""
        return self.posted - self.held


class LedgerEntry(models.Model):
    """One side of a movement of credits; the other side is an entry of the opposite amount with the same cause."""

    class Kind(models.TextChoices):
        GRANT = "grant"
        PURCHASE = "purchase"
        CAPTURE = "capture"
        OVERRUN = "overrun"
        REFUND = "refund"
        DISPUTE = "dispute"
        EXPIRY = "expiry"
        ADJUSTMENT = "adjustment"

    # No constraint in the database: its check would lock our own accounts' rows in every batch of every process.
    # The accounts of users are locked by the batch itself, and `audit_ledger` looks for orphans.
    account = models.ForeignKey(
        CreditAccount, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="entries"
    )
    amount = models.BigIntegerField(help_text="millicredits, signed")
    kind = models.CharField(max_length=16, choices=Kind)
    cause = models.CharField(max_length=100, help_text="what moved the credits: a request's id, `signup:7`, …")
    expires_at = models.DateTimeField(null=True, blank=True, help_text="granted credits lapse then")
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "ledger entries"
        constraints = (
            models.UniqueConstraint(fields=("cause", "kind", "account"), name="one_entry_per_cause"),
            models.CheckConstraint(name="entry_moves_something", condition=~Q(amount=0)),
        )
        indexes = (
            models.Index(fields=("account", "id"), name="entries_of_an_account"),
            models.Index(fields=("expires_at",), condition=Q(expires_at__isnull=False), name="grants_that_lapse"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.amount:+d} ({self.cause})"


class Hold(models.Model):
    """Credits set aside before a provider is called. Resolved exactly once: captured in part or whole, or released."""

    class State(models.TextChoices):
        OPEN = "open"
        CAPTURED = "captured"
        RELEASED = "released"

    id = models.CharField(primary_key=True, max_length=100, help_text="the id of the request that it pays")
    # No constraint, as with entries: the batch has locked the account, and checking again costs Postgres a query a row.
    account = models.ForeignKey(
        CreditAccount, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="holds"
    )
    amount = models.BigIntegerField(help_text="millicredits")
    captured = models.BigIntegerField(default=0, help_text="millicredits")
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    deadline = models.DateTimeField(help_text="past it the sweeper releases an open hold")
    created_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(name="hold_is_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="captured_within_hold", condition=Q(captured__gte=0, captured__lte=models.F("amount"))
            ),
            models.CheckConstraint(
                name="open_hold_is_unresolved",
                condition=Q(state="open", captured=0, resolved_at__isnull=True)
                | Q(state__in=("captured", "released"), resolved_at__isnull=False),
            ),
        )
        # No other index: every call inserts a hold and would pay for each.
        indexes = (models.Index(fields=("deadline",), condition=Q(state="open"), name="open_holds_by_deadline"),)

    def __str__(self) -> str:
        return f"{self.id}: {self.amount} {self.state}"

    @property
    def is_open(self) -> bool:
        return self.state == self.State.OPEN


class Adjustment(models.Model):
    """Why the staff corrected a balance, and who did. Written with the entry of its cause (`billing.adjustments`)."""

    cause = models.CharField(primary_key=True, max_length=100, help_text="of the entry")
    account = models.ForeignKey(CreditAccount, on_delete=models.PROTECT, related_name="adjustments")
    amount = models.BigIntegerField(help_text="millicredits, signed")
    reason = models.CharField(max_length=500)
    staff = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        # The ledger's own way leads past these: there is nothing to add, change or delete by hand.
        default_permissions = ("view",)
        permissions = (("adjust_credits", "Can adjust credits"),)

    def __str__(self) -> str:
        return f"{self.cause}: {self.amount:+d}"
