"""What is told to users' own servers, and the secrets by which they know that it comes from us."""

from django.db import models
from django.db.models import Q

from billing.models import CreditAccount
from gateway.models.videos import VideoTask


class WebhookSecret(models.Model):
    """A user's secret of Standard Webhooks. One that was replaced goes on signing until `expires_at`.

    Kept as it is, for to sign is to know it; it opens nothing of ours.
    """

    account = models.ForeignKey(CreditAccount, on_delete=models.CASCADE, related_name="webhook_secrets")
    secret = models.CharField(max_length=100)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("account",), condition=Q(expires_at__isnull=True), name="an_account_has_one_present_secret"
            ),
        )

    def __str__(self) -> str:
        return f"webhook secret of {self.account_id}"


class WebhookDelivery(models.Model):
    """A message on its way. Written with the event that it tells of; claimed and tried like tasks are."""

    class State(models.TextChoices):
        PENDING = "pending"
        DELIVERED = "delivered"
        FAILED = "failed", "given up"

    id = models.CharField(primary_key=True, max_length=60, help_text="evt_…: the same in every try")
    account = models.ForeignKey(
        CreditAccount, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="webhook_deliveries"
    )
    task = models.ForeignKey(VideoTask, on_delete=models.CASCADE, related_name="deliveries")
    type = models.CharField(max_length=30)
    url = models.CharField(max_length=2000)
    body = models.TextField(help_text="the message in JSON, as it is signed")
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    tries = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(help_text="of the next try")
    claim = models.CharField(max_length=40, blank=True)
    last_status = models.PositiveSmallIntegerField(null=True, help_text="the HTTP status of the last try's answer")
    last_error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        indexes = (
            models.Index(fields=("next_at",), condition=Q(state="pending"), name="deliveries_to_try"),
            # Of those given up it is the end of the last try's claim, a minute later at most.
            models.Index(fields=("next_at",), condition=Q(state="failed"), name="deliveries_given_up"),
            models.Index(fields=("account", "-created_at"), name="deliveries_of_an_account"),
        )

    def __str__(self) -> str:
        return f"{self.id}: {self.type} {self.state}"
