from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from arkroute.engine_model import ModelNotFetched, fetch_model, model_path


class Command(BaseCommand):
    help = "Brings the engine's model here, unless it is. With LOCAL_CHAT_GGUF set, nothing is downloaded."
    requires_system_checks: list[str] = []  # noqa: RUF012  Django's own declaration; a fresh machine has no .env yet

    def handle(self, *args: Any, **options: Any) -> None:
        target = model_path()
        if settings.LOCAL_CHAT_GGUF or target.is_file():
            return
        self.stdout.write("→ engine model (93 MB)")
        try:
            fetch_model(target)
        except ModelNotFetched as error:
            raise CommandError(
                f"{error}.\nWithout a model the engine does not start; everything else serves. Try again with "
                "`make setup`, or set LOCAL_CHAT_GGUF to a gguf file that you have."
            ) from error
