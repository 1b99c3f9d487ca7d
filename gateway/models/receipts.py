"""What a request leaves behind."""

from django.db import models

from billing.models import CreditAccount


class Receipt(models.Model):
    """What one priced request cost and why. Written in the transaction that resolves its hold; never changed.

    Amounts are millicredits. `quote - captured` was released; `overrun` was charged beyond the hold.
    """

    class Outcome(models.TextChoices):
        SUCCEEDED = "succeeded"
        PARTIAL = "partial", "cut in the middle: what was delivered is charged"
        FAILED = "failed", "nothing is charged"
        LATE = "late", "the hold had ended before the answer came: nothing is charged"

    id = models.CharField(primary_key=True, max_length=100, help_text="the request's id, which its hold carries too")
    # No constraint in the database: the hold that it belongs to has locked the account, and accounts stay.
    account = models.ForeignKey(
        CreditAccount, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="receipts"
    )
    api_key_id = models.BigIntegerField(help_text="kept when the key is gone")
    endpoint = models.CharField(max_length=60)
    model = models.CharField(max_length=100, help_text="the id in the catalogue")
    served_by = models.CharField(max_length=200, blank=True, help_text="provider/model that answered")
    stand_in = models.BooleanField(default=False)
    from_page = models.BooleanField(
        default=False, db_default=False, help_text="a page of ours called, as the explorer does, and no program"
    )
    outcome = models.CharField(max_length=10, choices=Outcome)
    error_code = models.CharField(max_length=60, blank=True)
    quote = models.BigIntegerField(help_text="millicredits held")
    captured = models.BigIntegerField(default=0, help_text="millicredits")
    overrun = models.BigIntegerField(default=0, help_text="millicredits")
    usage = models.JSONField(default=dict, help_text="what the provider reported, or we counted")
    attempts = models.JSONField(default=list, help_text="who was tried: provider, milliseconds, error")
    milliseconds = models.PositiveIntegerField(help_text="from the first byte of the request to its settlement")
    overhead_microseconds = models.PositiveIntegerField(default=0, help_text="our own share of it")
    created_at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=("account", "-created_at"), name="receipts_of_an_account"),)

    def __str__(self) -> str:
        return f"{self.id}: {self.model} {self.outcome}"
