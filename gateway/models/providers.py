"""What processes tell each other of servers and of providers' keys."""

from django.db import models

from gateway.pools.replica import hide_password


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
