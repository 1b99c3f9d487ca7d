"""Calls that may be sent again without being made again."""

from django.db import models

from billing.models import CreditAccount


class IdempotentCall(models.Model):
    """A call that came with an `Idempotency-Key`, and its answer once there is one to keep. Gone after a day.

    Whoever makes the call leases the row: `leased_until` moves on while its process lives. Without an answer and past
    that moment, what became of the call's hold says whether it may be made again. See `gateway.idempotency`.
    """

    # No constraint in the database: an account that has been called with is there, and accounts stay.
    account = models.ForeignKey(
        CreditAccount, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="idempotent_calls"
    )
    key = models.CharField(max_length=255)
    digest = models.CharField(max_length=64, help_text="SHA-256 of what was asked for")
    request_id = models.CharField(max_length=100, help_text="of the call; its hold's id, too")
    leased_until = models.DateTimeField(help_text="past it nobody makes the call")
    task_id = models.CharField(max_length=60, blank=True, help_text="of the video that it has begun")
    status = models.PositiveSmallIntegerField(null=True, help_text="of the answer; null: none is kept")
    headers = models.JSONField(default=dict, help_text="the answer's own")
    body = models.BinaryField(default=b"", help_text="zlib")
    file = models.CharField(
        max_length=100, blank=True, help_text="in our storage, where the body is too large for this row"
    )
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("account", "key"), name="a_key_is_for_one_call"),)

    def __str__(self) -> str:
        return f"{self.request_id}: {self.status or 'no answer'}"
