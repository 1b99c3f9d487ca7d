"""Pictures in our storage: that they are there, and whose. What they show is their owners' affair."""

from collections.abc import Iterator

from django.contrib import admin
from django.urls import reverse
from django.utils.safestring import SafeString

from accounts.admin_lists import Days, began_by_id
from accounts.admin_parts import Found, finders, search_link
from billing.admin.lists import AccountFilter, AccountRowsAdmin
from gateway.models import StoredPicture


@admin.register(StoredPicture)
class StoredPictureAdmin(AccountRowsAdmin):
    list_display = ("moment", "account", "mime", "request", "id")
    fields = ("id", "account", "mime", "request", "created_at")
    readonly_fields = fields
    list_filter = (AccountFilter, Days)
    exact = ("pk", "request_id")
    search_help_text = "A picture's or a request's id, an account's id, or its owner's address"
    began = staticmethod(began_by_id("image_"))

    @admin.display(description="request")
    def request(self, picture: StoredPicture) -> SafeString:
        return search_link(picture.request_id)


@finders("gateway.view_storedpicture")
def find_pictures(words: str) -> Iterator[Found]:
    for picture in StoredPicture.objects.filter(pk=words).select_related("account__owner"):
        url = reverse("admin:gateway_storedpicture_change", args=[picture.pk])
        yield Found("Picture", picture.pk, url, str(picture.account))
