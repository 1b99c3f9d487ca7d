from typing import Any

from django.core.management.base import BaseCommand, CommandError

from arkroute.engine.weights import NotFetched, fetch, wanted


class Command(BaseCommand):
    help = "Brings the engine's models here, those that are not yet. With LOCAL_CHAT_GGUF set, not the one for chat."
    requires_system_checks: list[str] = []  # noqa: RUF012  Django's own declaration; a fresh machine has no .env yet

    def handle(self, *args: Any, **options: Any) -> None:
        missed = []
        for weights in wanted():
            if weights.is_here:
                continue
            self.stdout.write(f"→ engine     {weights.name} for {weights.purpose} ({weights.megabytes} MB)")
            try:
                fetch(weights)
            except (NotFetched, OSError) as error:
                self.stderr.write(f"{weights.name}: {error}.")
                missed.append(weights.purpose)
        if missed:
            raise CommandError(
                f"The engine goes without {' and '.join(missed)}; everything else serves. Try again with `make setup`. "
                "LOCAL_CHAT_GGUF may name a chat model of yours, a gguf file."
            )
