"""What a request leaves behind, and what processes tell each other of servers and providers' keys."""

from django.db import models

from billing.models import CreditAccount
from gateway.pools.replica import hide_password


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


class PoolReplica(models.Model):
    """A server of a pool, for all processes: each of them follows `draining` within a second or two."""

    pool = models.CharField(max_length=100)
    url = models.CharField(max_length=500)
    draining = models.BooleanField(default=False, help_text="takes no new requests; what is in flight ends")

    class Meta:
        verbose_name = "replica"
        constraints = (models.UniqueConstraint(fields=("pool", "url"), name="a_pool_has_a_replica_once"),)

    def __str__(self) -> str:
        return f"{self.pool}: {self.address}"

    @property
    def address(self) -> str:
        """`url` as people may see it."""
        return hide_password(self.url)


class ReplicaReport(models.Model):
    """What one process knows of one replica. It counts for a minute (`gateway.pools.reports`)."""

    replica = models.ForeignKey(PoolReplica, on_delete=models.CASCADE, related_name="reports")
    process = models.CharField(max_length=100, help_text="host:pid")
    health = models.CharField(max_length=10)
    in_flight = models.PositiveIntegerField(help_text="requests that this process has there")
    sessions = models.PositiveIntegerField(help_text="pinned there, as far as this process can count")
    slots = models.PositiveIntegerField()
    listed_models = models.JSONField(null=True, help_text="null: it lists none")
    reported_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("replica", "process"), name="a_process_reports_once"),)

    def __str__(self) -> str:
        return f"{self.process}: {self.replica_id} {self.health}"


class DisabledKey(models.Model):
    """A key of ours that its provider refuses, or whose account is empty. All processes follow these rows within a
    second or two (`gateway.routing.keys`); the key itself is not kept."""

    class Reason(models.TextChoices):
        AUTH = "auth", "refused"
        BALANCE = "balance", "its account is empty"

    provider = models.CharField(max_length=100)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of the key, in hex")
    last_four = models.CharField(max_length=4, help_text="the key's last characters")
    model = models.CharField(max_length=200, blank=True, help_text="as the provider names it; empty: for all models")
    reason = models.CharField(max_length=10, choices=Reason)
    message = models.CharField(max_length=500, blank=True, help_text="the provider's own words, without the key")
    since = models.DateTimeField()
    until = models.DateTimeField(help_text="when it is tried again by itself")

    class Meta:
        verbose_name = "disabled provider key"
        constraints = (
            models.UniqueConstraint(fields=("provider", "fingerprint", "model"), name="a_key_is_disabled_once"),
        )

    def __str__(self) -> str:
        return f"{self.provider}: …{self.last_four}"
