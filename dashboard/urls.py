from django.urls import path

from dashboard import views
from dashboard.explorer import explorer

urlpatterns = [
    path("", views.index, name="index"),
    path("dashboard/", views.dashboard, name="dashboard"),
    path("explorer/", explorer, name="explorer"),
    path("billing/", views.billing, name="billing"),
    path("keys/", views.keys, name="keys"),
    path("keys/<int:key_id>/revoke/", views.revoke, name="revoke_key"),
]
