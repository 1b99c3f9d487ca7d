"""What is bought, what takes it back, what Stripe told us. Money is in minor units (cents), credits in millicredits.

The ledger is the truth about credits; these rows say why they moved.
"""

from datetime import datetime, timedelta
from secrets import token_hex

from django.db import models
from django.db.models import Q
from django.utils import timezone

from billing.models.ledger import CreditAccount

# A webhook comes within seconds.
FIRST_LOOK = timedelta(minutes=5)


def new_purchase_id() -> str:
    return f"pur_{token_hex(16)}"


def first_look() -> datetime:
    return timezone.now() + FIRST_LOOK


class Customer(models.Model):
    """An account at Stripe. `card` is how its owner knows the payment method that automatic top-ups use."""

    account = models.OneToOneField(CreditAccount, on_delete=models.PROTECT, primary_key=True, related_name="customer")
    stripe_id = models.CharField(max_length=255, unique=True)
    livemode = models.BooleanField()
    payment_method = models.CharField(max_length=255, blank=True)
    card = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.stripe_id


class Purchase(models.Model):
    """Credits that somebody set out to buy: the row is there before Stripe is asked.

    `price` is ours, before tax and discounts; `paid` is what Stripe received. `payment_id` is the PaymentIntent, under
    which the ledger books it once. `reversed` are the millicredits of it that refunds and disputes have taken back.
    """

    class Origin(models.TextChoices):
        CHECKOUT = "checkout"
        TOP_UP = "top_up", "automatic top-up"
        TEST = "test", "test checkout"

    class State(models.TextChoices):
        OPEN = "open"  # nothing was paid yet
        PENDING = "pending"  # a payment that takes days is on its way
        PAID = "paid"
        FAILED = "failed"
        EXPIRED = "expired"  # the page was left, and cannot be paid any more

    id = models.CharField(primary_key=True, max_length=40, default=new_purchase_id)
    account = models.ForeignKey(CreditAccount, on_delete=models.PROTECT, related_name="purchases")
    origin = models.CharField(max_length=8, choices=Origin)
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    pack = models.CharField(max_length=20, blank=True)
    credits = models.BigIntegerField(help_text="millicredits")
    price = models.BigIntegerField(help_text="minor units, before tax and discounts")
    currency = models.CharField(max_length=3)
    livemode = models.BooleanField()
    checkout_id = models.CharField(max_length=255, unique=True, null=True)
    payment_id = models.CharField(max_length=255, unique=True, null=True)
    payment_method = models.CharField(max_length=255, blank=True, help_text="of an automatic top-up: what it charges")
    paid = models.BigIntegerField(null=True, help_text="minor units, as Stripe received them")
    reversed = models.BigIntegerField(default=0, help_text="millicredits")
    receipt_url = models.URLField(max_length=1000, blank=True)
    invoice_url = models.URLField(max_length=1000, blank=True)
    problem = models.CharField(max_length=500, blank=True, help_text="why nothing was booked")
    created_at = models.DateTimeField(auto_now_add=True)
    next_look_at = models.DateTimeField(
        null=True, default=first_look, help_text="when Stripe is asked about it, should nothing be heard until then"
    )
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.CheckConstraint(name="purchase_buys_something", condition=Q(credits__gt=0, price__gt=0)),
            models.CheckConstraint(
                name="reversed_at_most_what_was_bought",
                condition=Q(reversed__gte=0, reversed__lte=models.F("credits")),
            ),
        )
        indexes = (
            models.Index(fields=("account", "-created_at"), name="purchases_of_an_account"),
            models.Index(
                fields=("next_look_at",), condition=Q(next_look_at__isnull=False), name="purchases_to_look_at"
            ),
        )

    def __str__(self) -> str:
        return self.id

    @property
    def cause(self) -> str:
        """Under which the ledger books it, once."""
        return f"payment:{self.payment_id or self.checkout_id or self.id}"


class Reversal(models.Model):
    """A refund or a dispute of a purchase, by Stripe's id. `credits` are the millicredits that it takes back now."""

    class Kind(models.TextChoices):
        REFUND = "refund"
        DISPUTE = "dispute"

    id = models.CharField(primary_key=True, max_length=255)
    purchase = models.ForeignKey(Purchase, on_delete=models.PROTECT, related_name="reversals")
    kind = models.CharField(max_length=8, choices=Kind)
    status = models.CharField(max_length=40, help_text="Stripe's word for it")
    amount = models.BigIntegerField(help_text="minor units")
    credits = models.BigIntegerField(default=0, help_text="millicredits")
    turns = models.PositiveIntegerField(default=0, help_text="how often it took something, or gave it back")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.CheckConstraint(name="reversal_not_negative", condition=Q(credits__gte=0)),)

    def __str__(self) -> str:
        return self.id


class StripeEvent(models.Model):
    """A webhook's delivery as it came: stored before it has any effect, and until its effect is there."""

    id = models.CharField(primary_key=True, max_length=255)
    type = models.CharField(max_length=100)
    about = models.CharField(max_length=255, help_text="the id of the object that it tells of")
    payload = models.BinaryField()
    received_at = models.DateTimeField(auto_now_add=True)
    handled_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        indexes = (
            models.Index(fields=("next_at",), condition=Q(handled_at__isnull=True), name="events_to_be_handled"),
            models.Index(fields=("received_at",), name="events_by_time"),
        )

    def __str__(self) -> str:
        return f"{self.type} {self.about}"


class AutoTopUp(models.Model):
    """What its owner wants done when the credits run low. Off unless they turn it on.

    `purchase` is the attempt under way: there is never a second one. `failures` counts those in a row.
    """

    account = models.OneToOneField(CreditAccount, on_delete=models.PROTECT, primary_key=True, related_name="top_up")
    enabled = models.BooleanField(default=False)
    threshold = models.BigIntegerField(help_text="millicredits available, below which credits are bought")
    price = models.BigIntegerField(help_text="minor units to buy for")
    monthly_cap = models.BigIntegerField(help_text="minor units a calendar month (UTC) at most")
    purchase = models.OneToOneField(Purchase, on_delete=models.PROTECT, null=True, related_name="top_up")
    failures = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(null=True, help_text="not tried again before")
    problem = models.CharField(max_length=500, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = (models.Index(fields=("next_at",), condition=Q(enabled=True), name="top_ups_that_are_on"),)

    def __str__(self) -> str:
        return f"top-up of {self.account_id}"
