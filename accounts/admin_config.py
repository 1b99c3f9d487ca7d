"""Has Django's admin use `accounts.admin_site.StaffSite`. Not in `apps.py`, where Django looks for this app's own."""

from django.contrib.admin.apps import AdminConfig


class StaffAdminConfig(AdminConfig):
    default_site = "accounts.admin_site.StaffSite"
