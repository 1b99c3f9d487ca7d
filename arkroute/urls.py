"""Every path that Django serves. The express lane's are in `api.express`, told apart in `arkroute.asgi`."""

from django.contrib import admin
from django.urls import include, path, re_path

from api.openapi.document import read_document
from api.views.media import serve_media
from api.views.videos import note_callback
from arkroute.health import read_readiness
from billing.webhooks import stripe_webhook
from dashboard.reference.views import api_reference
from dashboard.status import status
from gateway.tasks.callbacks import PATH as CALLBACKS

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("media/<path:token>", serve_media, name="media"),
    path(f"{CALLBACKS}/<str:token>", note_callback, name="video-callback"),
    re_path(r"^docs/api/?$", api_reference, {"read_document": read_document}, name="api_reference"),
    path("status/", status, {"read_readiness": read_readiness}, name="status"),
    path("billing/webhooks/stripe/", stripe_webhook, name="stripe_webhook"),
    path("", include("api.urls")),
    path("", include("dashboard.urls")),
]

handler400 = "dashboard.errors.bad_request"
handler500 = "dashboard.errors.server_error"
