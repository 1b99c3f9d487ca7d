"""What staff sees: receipts, which tell what a call cost and why, videos, the webhooks that tell of their end, which it
may send again, the replicas of pools, which it may drain, and the keys that providers refuse, which it may have tried
again."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing.admin import ReadOnlyAdmin, in_credits
from gateway.models import DisabledKey, PoolReplica, Receipt, ReplicaReport, VideoTask, WebhookDelivery
from gateway.pools.draining import drain, undrain
from gateway.pools.reports import known_replicas
from gateway.routing.keys import use_again
from gateway.webhooks import sending

# The end of the scale of a replica's load where it has no slots.
BUSY = 8


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "account", "endpoint", "model", "served_by", "outcome", in_credits("captured"), "id")
    list_select_related = ("account__owner",)
    list_filter = ("outcome", "endpoint", "stand_in")
    search_fields = ("=id", "=account__id", "account__owner__email", "=model")
    ordering = ("-created_at",)
    show_full_result_count = False


@admin.register(VideoTask)
class VideoTaskAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "account", "model", "state", "progress", "served_by", in_credits("cost"), "id")
    # What was said to the model is the client's own affair.
    exclude = ("body", "frames", "claim")
    list_select_related = ("account__owner",)
    list_filter = ("state", "model_id", "stand_in", "created_at")
    search_fields = ("=id", "=request_id", "=provider_task_id", "=account__id", "account__owner__email")
    ordering = ("-created_at",)
    show_full_result_count = False


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "account", "type", "state", "tries", "last_status", "last_error", "next_at", "id")
    exclude = ("claim",)
    list_select_related = ("account__owner",)
    list_filter = ("state", "type", "created_at")
    search_fields = ("=id", "=task__id", "=account__id", "account__owner__email", "url")
    ordering = ("-created_at",)
    show_full_result_count = False
    actions = ("send_again",)

    def has_send_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("gateway.change_webhookdelivery")

    @admin.action(description="Send again", permissions=["send"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        # What is searched for by its owner is found by a join, which an UPDATE does not take.
        count = sending.send_again(WebhookDelivery.objects.filter(pk__in=list(queryset.values_list("pk", flat=True))))
        messages.success(request, f"{count} will be sent at once, with all tries before them.")


class ReportInline(admin.TabularInline):
    """What each process says of the replica."""

    model = ReplicaReport
    fields = ("process", "health", "in_flight", "sessions", "slots", "listed_models", "reported_at")
    readonly_fields = fields
    ordering = ("process",)
    can_delete = False
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(PoolReplica)
class PoolReplicaAdmin(ReadOnlyAdmin):
    list_display = ("address", "pool", "state", "load", "pinned_sessions", "its_slots", "last_report", "its_models")
    fields = ("pool", "address", "state", "load", "pinned_sessions", "its_slots", "its_models", "last_report")
    readonly_fields = fields
    ordering = ("pool", "url")
    inlines = (ReportInline,)
    actions = ("drain", "take_back")

    def get_queryset(self, request: HttpRequest) -> QuerySet[PoolReplica]:
        return known_replicas()

    def has_drain_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("gateway.change_poolreplica")

    @admin.action(description="Drain: no new requests", permissions=["drain"])
    def drain(self, request: HttpRequest, queryset: QuerySet[PoolReplica]) -> None:
        for replica in queryset:
            drain(replica.pool, replica.url)
        messages.success(request, "No new requests go there. What is in flight ends, and sessions move on.")

    @admin.action(description="Take back: new requests again", permissions=["drain"])
    def take_back(self, request: HttpRequest, queryset: QuerySet[PoolReplica]) -> None:
        for replica in queryset:
            undrain(replica.pool, replica.url)
        messages.success(request, "New requests go there again.")

    @admin.display(ordering="health")
    def state(self, replica: Any) -> str:
        return ", ".join(([replica.health] if replica.health else []) + (["draining"] if replica.draining else []))

    @admin.display(description="in flight", ordering="in_flight")
    def load(self, replica: Any) -> SafeString | None:
        if replica.in_flight is None:
            return None
        return format_html(
            '<span style="white-space: nowrap"><meter max="{}" value="{}"></meter> {}</span>',
            replica.slots or BUSY,
            replica.in_flight,
            replica.in_flight,
        )

    @admin.display(description="sessions", ordering="sessions")
    def pinned_sessions(self, replica: Any) -> int | None:
        return replica.sessions

    @admin.display(description="slots")
    def its_slots(self, replica: Any) -> int | None:
        return replica.slots or None

    @admin.display(description="models")
    def its_models(self, replica: Any) -> str:
        return ", ".join(replica.listed_models or ())

    @admin.display(ordering="reported_at")
    def last_report(self, replica: Any) -> str:
        if replica.reported_at is None:
            return "none within a minute"
        return f"{(timezone.now() - replica.reported_at).seconds} s ago"


@admin.register(DisabledKey)
class DisabledKeyAdmin(ReadOnlyAdmin):
    list_display = ("key", "provider", "models", "reason", "message", "since", "until")
    fields = ("provider", "key", "fingerprint", "models", "reason", "message", "since", "until")
    readonly_fields = fields
    list_filter = ("provider", "reason")
    ordering = ("provider", "fingerprint", "model")
    actions = ("use_again",)

    def has_use_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("gateway.change_disabledkey")

    @admin.action(description="Use again", permissions=["use"])
    def use_again(self, request: HttpRequest, queryset: QuerySet[DisabledKey]) -> None:
        for row in queryset:
            use_again(row)
        messages.success(
            request, "Requests go there with it again. If it is still refused, it comes back to this list."
        )

    @admin.display(ordering="last_four")
    def key(self, row: DisabledKey) -> str:
        return f"…{row.last_four}"

    @admin.display(ordering="model")
    def models(self, row: DisabledKey) -> str:
        return row.model or "all"
