"""The API's paths in Django; the express lane's are in `api.express`.

Every path answers with and without `/v1`, and takes a slash at its end: except `/models/` and `/models/<id>/`, which
are pages.
"""

from django.urls import re_path

from api.views.account import Account
from api.views.models import ModelDetail, ModelList
from api.views.sessions import SessionDetail, SessionList

app_name = "api"

urlpatterns = [
    re_path(r"^(?:v1/models/?|models)$", ModelList.as_view(), name="models"),
    re_path(r"^v1/models/(?P<name>[^/]+)/?$", ModelDetail.as_view(), name="model"),
    re_path(r"^models/(?P<name>[^/]+)$", ModelDetail.as_view()),
    re_path(r"^(?:v1/)?account/?$", Account.as_view(), name="account"),
    re_path(r"^(?:v1/)?sessions/?$", SessionList.as_view(), name="sessions"),
    re_path(r"^(?:v1/)?sessions/(?P<session_id>[^/]+)/?$", SessionDetail.as_view(), name="session"),
]
