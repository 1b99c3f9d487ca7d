from django.apps import AppConfig
from django.db.models.signals import post_migrate


class BillingConfig(AppConfig):
    name = "billing"

    def ready(self) -> None:
        from billing import signals

        post_migrate.connect(signals.open_system_accounts, sender=self)
