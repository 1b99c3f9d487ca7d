"""What users are told by mail, what they want to be told, and up to where somebody has looked for it."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q


class NoticeKind(models.TextChoices):
    LOW_BALANCE = "low_balance"
    KEY_EXPIRES = "key_expires"
    KEY_LIMIT = "key_limit"
    WEBHOOK_FAILED = "webhook_failed"
    VIDEO_ENDED = "video_ended"


def default_thresholds() -> list[int]:
    """Low enough to be rare, and high enough that there is time to act."""
    return [50]


class NoticePreferences(models.Model):
    """What a user wants to be told. Without a row: the defaults."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="notice_preferences"
    )
    thresholds = models.JSONField(default=default_thresholds, help_text="whole credits; empty: none is told of")
    key_expires = models.BooleanField(default=True)
    key_limit = models.BooleanField(default=True)
    webhook_failed = models.BooleanField(default=True)
    video_ended = models.BooleanField(default=False)

    # The kinds that are on or off; the other has thresholds.
    SWITCHES: ClassVar = (
        NoticeKind.KEY_EXPIRES,
        NoticeKind.KEY_LIMIT,
        NoticeKind.WEBHOOK_FAILED,
        NoticeKind.VIDEO_ENDED,
    )

    class Meta:
        verbose_name_plural = "notice preferences"
        # Of the few who want it: it is asked every minute who they are.
        indexes = (models.Index(fields=("user",), condition=Q(video_ended=True), name="told_of_videos"),)

    def __str__(self) -> str:
        return f"what user {self.user_id} is told"

    def wants(self, kind: str) -> bool:
        return bool(self.thresholds if kind == NoticeKind.LOW_BALANCE else getattr(self, kind))


class Notice(models.Model):
    """Something that a user is told once: the table is the queue of the mails.

    It is written before the mail is handed over, and a second one of the same cause is refused: so whoever finds the
    same thing once more tells nothing.
    """

    class State(models.TextChoices):
        PENDING = "pending"
        SENT = "sent"
        DROPPED = "dropped", "not wanted, or nobody to send it to"
        FAILED = "failed", "given up"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False, related_name="notices")
    kind = models.CharField(max_length=20, choices=NoticeKind)
    cause = models.CharField(max_length=100, help_text="what it is told of once")
    facts = models.JSONField(default=dict, help_text="what the mail says; erased when it is sent")
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    next_at = models.DateTimeField(help_text="of the next try")
    claim = models.CharField(max_length=40, blank=True)
    tries = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(db_index=True)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("user", "kind", "cause"), name="told_once"),)
        indexes = (models.Index(fields=("next_at",), condition=Q(state="pending"), name="notices_to_send"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.cause}: {self.state}"


class NoticeLook(models.Model):
    """Up to where was looked for what there is to tell. One row, at which one process at a time has its turn."""

    entry_id = models.BigIntegerField(
        help_text="entries of the ledger up to here were looked at, and those before them committed"
    )
    newest_entry_id = models.BigIntegerField(help_text="the newest entry at the last look")
    keys_until = models.DateTimeField(help_text="keys that end before this were looked at")
    looked_at = models.DateTimeField()
    next_at = models.DateTimeField(help_text="before it nobody looks")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"looked at {self.looked_at:%Y-%m-%d %H:%M:%S}"
