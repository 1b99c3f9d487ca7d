"""Videos: where each is, what happened to it, and the two things that the staff may do about one that is stuck."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from asgiref.sync import async_to_sync
from django.contrib import admin, messages
from django.contrib.admin.utils import flatten_fieldsets
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from accounts.admin_lists import Days, began_by_id
from accounts.admin_parts import Found, finders, search_link
from accounts.models import ApiKey
from billing.admin.lists import AccountFilter, AccountRowsAdmin
from billing.amounts import credits_text
from gateway.admin.recent import ProviderFilter, recent_values
from gateway.admin.words import away_text, duration_text, list_link, page_link, table
from gateway.flows.support import fail_and_release, have_looked_at
from gateway.models import TaskEvent, VideoTask

State = VideoTask.State

# A task that is due for so long waits for a worker: a look takes a lease, which moves `next_at` on.
OVERDUE = timedelta(minutes=2)
MOST_EVENTS = 300
MOST_FOUND = 20


def overdue_tasks() -> "QuerySet[VideoTask]":
    """Those that somebody should have looked at, and those that should have ended."""
    now = timezone.now()
    return VideoTask.objects.filter(Q(next_at__lt=now - OVERDUE) | Q(deadline__lt=now - OVERDUE), ended_at__isnull=True)


class OpenFilter(admin.SimpleListFilter):
    title = "progress"
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Under way"), ("overdue", "Overdue")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[VideoTask]) -> QuerySet[VideoTask]:
        if self.value() == "yes":
            return queryset.filter(ended_at__isnull=True)
        return queryset.filter(pk__in=overdue_tasks()) if self.value() == "overdue" else queryset


@admin.register(VideoTask)
class VideoTaskAdmin(AccountRowsAdmin):
    """What was said to the model is the client's own affair, and not shown."""

    list_display = (
        *("moment", "account", "model", "state", "progress", "age", "next_look", "last_look", "served_by"),
        *("error_code", "id"),
    )
    list_filter = (AccountFilter, OpenFilter, "state", recent_values("model_id", "model"), ProviderFilter, Days)
    exact = ("pk", "request_id")
    search_help_text = "A task's or a request's id, an account's id, or its owner's address"
    began = staticmethod(began_by_id("video_"))
    change_form_template = "admin/task.html"
    actions = ("look_now", "fail_and_release")
    fieldsets = (
        (None, {"fields": ("id", "state", "progress", "age", "error_code", "error_message", "user", "key", "asked")}),
        ("Where it is", {"fields": ("served_by", "provider_task_id", "last_look", "next_look", "tries", "deadline")}),
        ("Credits", {"fields": ("credits", "request")}),
        ("What happened", {"fields": ("tried", "events", "messages_sent")}),
        ("Dates", {"fields": ("created_at", "started_at", "ended_at", "forgotten")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[VideoTask]:
        return super().get_queryset(request).defer("body", "frames")

    def get_readonly_fields(self, request: HttpRequest, obj: VideoTask | None = None) -> list[str]:
        return flatten_fieldsets(self.fieldsets)

    def has_look_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("gateway.change_videotask")

    def has_fail_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("gateway.fail_videotask")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        may = {"may_look": self.has_look_permission(request), "may_fail": self.has_fail_permission(request)}
        return super().change_view(request, object_id, form_url, {**may, **(extra_context or {})})

    # --- What staff may do -------------------------------------------------------------------------------------------

    @admin.action(description="Look now", permissions=["look"])
    def look_now(self, request: HttpRequest, queryset: QuerySet[VideoTask]) -> HttpResponse | None:
        chosen = list(queryset)
        due = set(async_to_sync(have_looked_at)([task.pk for task in chosen]))
        for task in chosen:
            if task.pk in due:
                self.log_change(request, task, "Looked at now.")
        if due:
            messages.success(request, f"{len(due)} will be looked at within a second or two.")
        if others := len(chosen) - len(due):
            messages.warning(request, f"{others} left as they were: not at a provider, or being looked at already.")
        return _back_to(chosen)

    @admin.action(description="Fail and release", permissions=["fail"])
    def fail_and_release(self, request: HttpRequest, queryset: QuerySet[VideoTask]) -> HttpResponse | None:
        chosen = list(queryset)
        if "confirmed" not in request.POST:
            context = {
                **self.admin_site.each_context(request),
                "title": "Fail and release?",
                "opts": self.opts,
                "tasks": [(task, credits_text(task.cost), timesince(task.created_at)) for task in chosen],
            }
            return render(request, "admin/fail_tasks.html", context)
        failed = set(async_to_sync(fail_and_release)([task.pk for task in chosen]))
        for task in chosen:
            if task.pk in failed:
                self.log_change(request, task, "Failed, and its credits released.")
                released = f"{credits_text(task.cost)} credits are available to {task.account} again"
                messages.success(request, f"Failed: {task.pk}. {released}.")
            else:
                messages.warning(request, f"Nothing was changed: {task.pk} had ended before.")
        return _back_to(chosen)

    # --- What staff sees ---------------------------------------------------------------------------------------------

    @admin.display(description="age")
    def age(self, task: VideoTask) -> str:
        if task.ended_at is None:
            return timesince(task.created_at, depth=1)
        return f"took {duration_text((task.ended_at - task.created_at).total_seconds() * 1000)}"

    @admin.display(description="last look")
    def last_look(self, task: VideoTask) -> str | None:
        """No row keeps its moment: what it came to is in the events."""
        if task.ended_at is not None:
            return None
        if task.claim and task.next_at > timezone.now():
            return "a worker is at it"
        return f"{task.tries} in vain" if task.tries else "went well"

    @admin.display(description="next look")
    def next_look(self, task: VideoTask) -> str | None:
        if task.ended_at is not None:
            return None
        late = ": overdue" if task.next_at < timezone.now() - OVERDUE else ""
        return away_text(task.next_at) + late

    @admin.display(description="user")
    def user(self, task: VideoTask) -> SafeString:
        return page_link("accounts_user", task.account_id, task.account)

    @admin.display(description="key")
    def key(self, task: VideoTask) -> str | SafeString:
        key = ApiKey.objects.filter(pk=task.api_key_id).first()
        return page_link("accounts_apikey", key.pk, key) if key else f"{task.api_key_id}, which is gone"

    @admin.display(description="asked for")
    def asked(self, task: VideoTask) -> str:
        name = task.model if task.model == task.model_id else f"{task.model} ({task.model_id})"
        sound = ", with sound" if task.audio else ""
        caller = ", from a page of ours" if task.from_page else ""
        return f"{name}: {task.seconds} s, {task.resolution} {task.ratio}{sound}, by {task.endpoint}{caller}"

    @admin.display(description="credits")
    def credits(self, task: VideoTask) -> str:
        amount = credits_text(task.cost)
        if task.ended_at is None:
            return f"{amount} held"
        return f"{amount} charged" if task.state == State.COMPLETED else f"nothing charged, {amount} released"

    @admin.display(description="receipt, hold, entries")
    def request(self, task: VideoTask) -> SafeString:
        return search_link(task.request_id)

    @admin.display(description="tries")
    def tried(self, task: VideoTask) -> str | SafeString:
        if not task.attempts:
            return "nobody so far"
        rows = [
            (one["served_by"], duration_text(one["milliseconds"]), one["error"] or "took it on")
            for one in task.attempts
        ]
        return table(("Provider and model", "Took", "Result"), rows)

    @admin.display(description="events")
    def events(self, task: VideoTask) -> SafeString:
        """In their order. Not shown: links to the clip, which its owner alone is to see."""
        rows = []
        for event in TaskEvent.objects.filter(task_id=task.pk).order_by("number")[:MOST_EVENTS]:
            body = msgspec.json.decode(event.body)
            error = body["task"].get("error") or {}
            moment = datetime.fromtimestamp(body["created_at"], UTC)
            rows.append(
                (
                    event.number,
                    f"{moment:%Y-%m-%d %H:%M:%S}",
                    event.type,
                    f"{body['task']['progress']} %",
                    error.get("message", ""),
                )
            )
        return table(("", "UTC", "Event", "Progress", "Error"), rows)

    @admin.display(description="webhook messages")
    def messages_sent(self, task: VideoTask) -> SafeString | None:
        count = task.deliveries.count()
        return list_link("gateway_webhookdelivery", count, q=task.pk) if count else None


def _back_to(chosen: list[VideoTask]) -> HttpResponse | None:
    """To the task's own page, where it is one; else to the list."""
    return redirect("admin:gateway_videotask_change", chosen[0].pk) if len(chosen) == 1 else None


@finders("gateway.view_videotask")
def find_tasks(words: str) -> Iterator[Found]:
    """By its own id or its request's; where there is none, by the provider's, for which all have to be read."""
    tasks = VideoTask.objects.select_related("account__owner").defer("body", "frames")
    found = list(tasks.filter(Q(pk=words) | Q(request_id=words)))
    if not found and not words.startswith(("req_", "video_", "image_", "evt_", "ark-")) and "@" not in words:
        found = list(tasks.filter(provider_task_id=words).order_by(F("pk").desc())[:MOST_FOUND])
    for task in found:
        url = reverse("admin:gateway_videotask_change", args=[task.pk])
        yield Found("Video", f"{task.model}: {task.state}, {task.progress} %", url, str(task.account))
