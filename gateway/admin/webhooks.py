"""The messages that tell of a video's end, which the staff may send again."""

from collections.abc import Iterator

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from accounts.admin_parts import Found, finders
from billing.admin.lists import AccountFilter, AccountRowsAdmin
from gateway.models import WebhookDelivery
from gateway.webhooks import sending


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(AccountRowsAdmin):
    list_display = ("moment", "account", "type", "state", "tries", "last_status", "last_error", "next_at", "id")
    exclude = ("claim",)
    list_filter = (AccountFilter, "state")
    # Their own ids are random; those of tasks sort by time, and have an index here.
    ordering = ("-task_id", "-pk")
    account_ordering = ("-created_at", "-pk")
    exact = ("pk", "task_id")
    search_help_text = "A message's or a task's id, an account's id, or its owner's address"
    actions = ("send_again",)

    def has_send_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("gateway.change_webhookdelivery")

    @admin.action(description="Send again", permissions=["send"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        # What is searched for by its owner is found by a join, which an UPDATE does not take.
        count = sending.send_again(WebhookDelivery.objects.filter(pk__in=list(queryset.values_list("pk", flat=True))))
        messages.success(request, f"{count} will be sent at once, with all tries before them.")


@finders("gateway.view_webhookdelivery")
def find_deliveries(words: str) -> Iterator[Found]:
    for delivery in WebhookDelivery.objects.filter(pk=words).select_related("account__owner"):
        url = reverse("admin:gateway_webhookdelivery_change", args=[delivery.pk])
        yield Found("Webhook message", f"{delivery.type}, {delivery.state}", url, str(delivery.account))
