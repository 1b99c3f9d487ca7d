from django.urls import path, re_path

from dashboard import gallery, home, keys, landing, notices, requests, settings, usage
from dashboard.billing import ledger
from dashboard.billing import views as billing
from dashboard.catalogue import views as catalogue
from dashboard.documentation import views as documentation
from dashboard.documentation.feed import ChangelogFeed
from dashboard.explorer import describe_call, explorer
from dashboard.palette import search

urlpatterns = [
    path("settings/", settings.overview, name="settings"),
    path("settings/profile/", settings.change_profile, name="change_profile"),
    path("settings/notifications/", settings.change_notifications, name="change_notifications"),
    path("settings/inputs/", settings.keep_inputs, name="keep_inputs"),
    path("notices/off/<str:token>/", notices.turn_off_notices, name="turn_off_notices"),
    path("settings/export/", settings.export, name="export_data"),
    path("settings/delete/", settings.deletion, name="delete_account"),
    path("", landing.landing, name="index"),
    path("models/", catalogue.catalogue, name="catalogue"),
    path("models/<path:name>/", catalogue.model, name="model"),
    path("dashboard/", home.dashboard, name="dashboard"),
    path("dashboard/checklist/dismiss/", home.dismiss_checklist, name="dismiss_checklist"),
    path("usage/", usage.usage, name="usage"),
    path("usage/usage.csv", usage.usage_csv, name="usage_csv"),
    path("usage/requests/", requests.requests, name="requests"),
    path("usage/requests.csv", requests.requests_csv, name="requests_csv"),
    path("usage/requests/<str:receipt_id>/", requests.receipt, name="receipt"),
    path("gallery/", gallery.gallery, name="gallery"),
    path("gallery/<str:piece_id>/delete/", gallery.delete, name="delete_piece"),
    path("explorer/", explorer, name="explorer"),
    path("explorer/call/", describe_call, name="describe_call"),
    re_path(r"^docs/?$", documentation.first_page, name="documentation"),
    re_path(r"^docs/(?P<name>[a-z-]+)/?$", documentation.page, name="documentation_page"),
    re_path(r"^docs/(?P<name>[a-z-]+)\.md$", documentation.page_markdown, name="documentation_markdown"),
    path("docs/changelog.atom", ChangelogFeed(), name="changelog_feed"),
    path("search.json", search, name="search"),
    path("llms.txt", documentation.llms, name="llms"),
    path("llms-full.txt", documentation.llms_full, name="llms_full"),
    path("billing/", billing.home, name="billing"),
    path("billing/checkout/", billing.begin_checkout, name="begin_checkout"),
    path("billing/test-checkout/<str:purchase_id>/", billing.test_checkout, name="test_checkout"),
    path("billing/purchases/<str:purchase_id>/", billing.purchase, name="purchase"),
    path("billing/portal/", billing.open_portal, name="billing_portal"),
    path("billing/top-up/", billing.save_top_up, name="save_top_up"),
    path("billing/codes/", billing.redeem_code, name="redeem_code"),
    path("invite/<str:word>/", billing.invitation, name="invitation"),
    path("billing/ledger/", ledger.ledger, name="ledger"),
    path("billing/ledger.csv", ledger.ledger_csv, name="ledger_csv"),
    path("keys/", keys.keys, name="keys"),
    path("keys/new/", keys.create, name="create_key"),
    path("keys/<int:key_id>/edit/", keys.edit, name="edit_key"),
    path("keys/<int:key_id>/roll/", keys.roll, name="roll_key"),
    path("keys/<int:key_id>/revoke/", keys.revoke, name="revoke_key"),
]
