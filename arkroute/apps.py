from django.apps import AppConfig


class ArkRouteConfig(AppConfig):
    """Installed so that its management commands are found, and its start-up checks run."""

    name = "arkroute"

    def ready(self) -> None:
        from arkroute import checks  # noqa: F401  registers the checks
