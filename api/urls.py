"""The API's paths in Django; the express lane's are in `api.express`.

Every path answers with and without `/v1`, and takes a slash at its end: except `/models/` and `/models/<id>/`, which
are pages.
"""

from django.urls import path, re_path

from api.views.account import Account
from api.views.models import ModelDetail, ModelList
from api.views.openapi import DescriptionJSON, DescriptionYAML
from api.views.quotes import Quotes
from api.views.receipts import ReceiptDetail, ReceiptList
from api.views.sessions import SessionDetail, SessionList
from api.views.videos import (
    VideoCancel,
    VideoContent,
    VideoDetail,
    VideoGenerations,
    Videos,
    VideoStatus,
)
from api.views.webhooks import DeliveryList, DeliveryResend, WebhookSecret

app_name = "api"

urlpatterns = [
    re_path(r"^(?:v1/models/?|models)$", ModelList.as_view(), name="models"),
    re_path(r"^v1/models/(?P<name>[^/]+)/?$", ModelDetail.as_view(), name="model"),
    re_path(r"^models/(?P<name>[^/]+)$", ModelDetail.as_view()),
    re_path(r"^(?:v1/)?account/?$", Account.as_view(), name="account"),
    re_path(r"^(?:v1/)?quote/?$", Quotes.as_view(), name="quote"),
    re_path(r"^(?:v1/)?receipts/?$", ReceiptList.as_view(), name="receipts"),
    re_path(r"^(?:v1/)?receipts/(?P<request_id>[^/]+)/?$", ReceiptDetail.as_view(), name="receipt"),
    re_path(r"^(?:v1/)?sessions/?$", SessionList.as_view(), name="sessions"),
    re_path(r"^(?:v1/)?sessions/(?P<session_id>[^/]+)/?$", SessionDetail.as_view(), name="session"),
    re_path(r"^(?:v1/)?video/generations/?$", VideoGenerations.as_view(), name="video-generations"),
    re_path(r"^(?:v1/)?video/(?:status|generations)/(?P<task_id>[^/]+)/?$", VideoStatus.as_view(), name="video-status"),
    re_path(r"^(?:v1/)?video/cancel/(?P<task_id>[^/]+)/?$", VideoCancel.as_view(), name="video-cancel"),
    re_path(r"^(?:v1/)?videos/?$", Videos.as_view(), name="videos"),
    re_path(r"^(?:v1/)?videos/(?P<task_id>[^/]+)/?$", VideoDetail.as_view(), name="video"),
    re_path(r"^(?:v1/)?videos/(?P<task_id>[^/]+)/content/?$", VideoContent.as_view(), name="video-content"),
    re_path(r"^(?:v1/)?webhooks/secret/?$", WebhookSecret.as_view(), name="webhook-secret"),
    re_path(r"^(?:v1/)?webhooks/deliveries/?$", DeliveryList.as_view(), name="webhook-deliveries"),
    re_path(
        r"^(?:v1/)?webhooks/deliveries/(?P<delivery_id>[^/]+)/resend/?$",
        DeliveryResend.as_view(),
        name="webhook-resend",
    ),
    path("openapi.json", DescriptionJSON.as_view(), name="openapi-json"),
    path("openapi.yaml", DescriptionYAML.as_view(), name="openapi-yaml"),
]
