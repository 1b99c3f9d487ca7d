from django.apps import AppConfig
from django.core.checks import register

from gateway.checks import check_catalogue


class GatewayConfig(AppConfig):
    name = "gateway"

    def ready(self) -> None:
        register(check_catalogue, "catalogue")
