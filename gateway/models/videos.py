"""A video's way from its request to its end, and what was told of it on the way."""

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Q

from billing.models import CreditAccount


class VideoTask(models.Model):
    """A clip that was asked for. The table is the queue: `next_at` says when somebody has to look at a task again.

    Who does claims it, which moves `next_at` on: a worker that dies leaves the task due a while later. Its changes are
    made under the row's lock by `gateway.tasks`, and what is written with them (events, the end of its hold, the
    receipt) in the same transaction. Prompt and pictures are erased when it ends.
    """

    class State(models.TextChoices):
        QUEUED = "queued"
        # Somebody hands it to a provider. Whether it arrived there is not known until it is running.
        SUBMITTING = "submitting", "being handed to a provider"
        RUNNING = "running", "at a provider"
        COMPLETED = "completed"
        FAILED = "failed"
        CANCELLED = "cancelled"

    ENDED = (State.COMPLETED, State.FAILED, State.CANCELLED)

    id = models.CharField(primary_key=True, max_length=60)
    request_id = models.CharField(
        max_length=60, unique=True, help_text="of the request that made it; its hold's id, too"
    )
    # No constraint in the database: the hold has locked the account, and accounts stay.
    account = models.ForeignKey(
        CreditAccount, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="video_tasks"
    )
    api_key_id = models.BigIntegerField(help_text="kept when the key is gone")
    endpoint = models.CharField(max_length=60)
    from_page = models.BooleanField(default=False, db_default=False, help_text="a page of ours asked for it")

    # What was asked for.
    model = models.CharField(max_length=100, help_text="the name asked for")
    model_id = models.CharField(max_length=100, help_text="the id in the catalogue")
    seconds = models.PositiveIntegerField()
    ratio = models.CharField(max_length=10, blank=True, help_text="empty: the first frame's own")
    resolution = models.CharField(max_length=10)
    audio = models.BooleanField(default=False)
    body = models.JSONField(default=dict, help_text="as the client sent it, without pictures; erased at the end")
    frames = models.JSONField(default=dict, help_text="stored pictures: role -> name and media type; erased at the end")
    webhook_url = models.CharField(max_length=2000, blank=True)
    cost = models.BigIntegerField(help_text="millicredits: held, and charged if it completes")

    # Where it is.
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    progress = models.PositiveSmallIntegerField(default=0, help_text="percent; 100 when it is completed, never before")
    next_at = models.DateTimeField(help_text="when it is looked at again; past it nobody is at work on it")
    claim = models.CharField(max_length=40, blank=True, help_text="of the worker that looks at it, or did last")
    tries = models.PositiveIntegerField(default=0, help_text="in this state, in vain")
    deadline = models.DateTimeField(help_text="past it the task has failed")
    served_by = models.CharField(max_length=200, blank=True, help_text="provider/model at work on it")
    served_model_id = models.CharField(max_length=100, blank=True, help_text="the catalogue's id of that model")
    key_fingerprint = models.CharField(max_length=64, blank=True, help_text="of our key that it was submitted with")
    provider_task_id = models.CharField(max_length=300, blank=True)
    stand_in = models.BooleanField(default=False)
    attempts = models.JSONField(default=list, help_text="who was tried: provider, milliseconds, error")

    # How it ended.
    media = models.CharField(max_length=100, blank=True, help_text="the clip's name in our storage")
    duration = models.FloatField(null=True, help_text="seconds of the clip, as its provider tells them")
    error_code = models.CharField(max_length=60, blank=True)
    error_message = models.TextField(blank=True)
    last_event = models.PositiveIntegerField(default=0, help_text="the number of events so far")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, help_text="when a provider took it on")
    ended_at = models.DateTimeField(null=True)
    forgotten = models.BooleanField(default=False, help_text="deleted by its owner")

    class Meta:
        permissions = (("fail_videotask", "Can fail a video and release its credits"),)
        constraints = (
            models.CheckConstraint(name="a_task_costs_something", condition=Q(cost__gt=0)),
            models.CheckConstraint(
                name="completed_is_100_percent",
                condition=Q(state="completed", progress=100) | (~Q(state="completed") & Q(progress__lt=100)),
            ),
            models.CheckConstraint(
                name="a_task_ends_at_a_moment",
                condition=Q(state__in=("completed", "failed", "cancelled"), ended_at__isnull=False)
                | Q(state__in=("queued", "submitting", "running"), ended_at__isnull=True),
            ),
        )
        indexes = (
            models.Index(fields=("next_at",), condition=Q(ended_at__isnull=True), name="tasks_to_look_at"),
            models.Index(fields=("api_key_id",), condition=Q(ended_at__isnull=True), name="open_tasks_of_a_key"),
            models.Index(fields=("account", "id"), name="tasks_of_an_account"),
            models.Index(fields=("served_model_id", "-ended_at"), name="how_long_a_model_takes"),
            models.Index(fields=("ended_at",), condition=Q(ended_at__isnull=False), name="tasks_by_their_end"),
        )

    def __str__(self) -> str:
        return f"{self.id}: {self.model} {self.state}"

    @property
    def is_ended(self) -> bool:
        return self.state in self.ENDED

    def is_overdue(self, now: datetime) -> bool:
        return self.deadline <= now

    @property
    def prompt(self) -> str:
        """Empty once the task has ended."""
        prompt: Any = self.body.get("prompt", "")
        return str(prompt)


class TaskEvent(models.Model):
    """Something that happened to a task: appended with the change itself, never changed. `number` counts from 1."""

    task = models.ForeignKey(VideoTask, on_delete=models.CASCADE, related_name="events")
    number = models.PositiveIntegerField()
    type = models.CharField(max_length=30, help_text="video.queued, video.progress, …")
    body = models.TextField(help_text="the event in JSON, as every transport sends it")

    class Meta:
        constraints = (models.UniqueConstraint(fields=("task", "number"), name="events_of_a_task_are_counted"),)

    def __str__(self) -> str:
        return f"{self.task_id} {self.number}: {self.type}"
