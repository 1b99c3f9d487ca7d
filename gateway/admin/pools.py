"""The replicas of pools, which the staff may drain."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.admin_lists import ReadOnlyAdmin
from gateway.models import PoolReplica, ReplicaReport
from gateway.pools.draining import drain, undrain
from gateway.pools.reports import known_replicas

# The end of the scale of a replica's load where it has no slots.
BUSY = 8


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
            '<span class="one-line"><meter max="{}" value="{}"></meter> {}</span>',
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
