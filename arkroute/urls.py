"""Every path that Django serves. The express lane's are in `api.express`, told apart in `arkroute.asgi`."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path

from api.views.media import serve_media
from api.views.videos import note_callback
from gateway.tasks.callbacks import PATH as CALLBACKS

# Staff sign in like everybody else, so that the limits on guessing passwords are theirs, too.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("media/<path:token>", serve_media, name="media"),
    path(f"{CALLBACKS}/<str:token>", note_callback, name="video-callback"),
    path("", include("api.urls")),
    path("", include("dashboard.urls")),
]
