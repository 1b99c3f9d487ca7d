from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from gateway.catalog.compatibility import compatibility
from gateway.catalog.loader import load_catalogue
from gateway.catalog.selfhosted import SPECS, read_models

PAGE = Path(settings.BASE_DIR) / "docs" / "site" / "compatibility.md"


class Command(BaseCommand):
    help = "Writes docs/site/compatibility.md, the tables of OpenAI's parameters, from the catalogue."
    requires_system_checks: list[str] = []  # noqa: RUF012  Django's own declaration; needs no database and no secret

    def handle(self, *args: Any, **options: Any) -> None:
        PAGE.write_text(page(), encoding="utf-8")
        self.stdout.write(f"→ {PAGE.relative_to(settings.BASE_DIR)}")


def page() -> str:
    """What the file should hold."""
    catalogue = load_catalogue()
    open_weights = [model for model in catalogue.models.values() if model.license]
    defaults = {kind: {"type": kind} for kind in SPECS}
    pool_models = read_models({"pool": {"replicas": ["http://localhost:8000/v1"], "models": defaults}})
    return compatibility(open_weights, pool_models.values(), catalogue.aliases)
