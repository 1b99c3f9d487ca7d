from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from arkroute import engine
from arkroute.engine_model import model_path
from arkroute.parent import end_with_parent


class Command(BaseCommand):
    help = "Serves an open-weight model on loopback, OpenAI-compatible, where ENGINE_URL points."
    requires_system_checks: list[str] = []  # noqa: RUF012  Django's own declaration; needs no database and no secret

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, help="default: the port of ENGINE_URL")

    def handle(self, *args: Any, port: int | None, **options: Any) -> None:
        model = model_path()
        if not model.is_file():
            raise CommandError(
                f"There is no model at {model}. `make setup` downloads one; LOCAL_CHAT_GGUF names a gguf file of yours."
            )
        end_with_parent()
        try:
            engine.serve(model, port or port_of_engine_url())
        except RuntimeError as error:
            raise CommandError(f"The engine did not start: {error} The lines above say why.") from error


def port_of_engine_url() -> int:
    url = urlsplit(settings.ENGINE_URL)
    if url.hostname not in ("127.0.0.1", "localhost") or not url.port:
        raise CommandError(f"ENGINE_URL is {settings.ENGINE_URL}: not a port of this machine that could be served.")
    return url.port
