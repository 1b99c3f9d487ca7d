from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from arkroute.engine import llama
from arkroute.engine.front import CHAT_MODEL, EMBEDDING_MODEL, Front
from arkroute.engine.serving import Server, end_with_signals, reserve
from arkroute.engine.speech import Recogniser
from arkroute.engine.weights import CHAT, EMBEDDING, SPEECH, Weights, chat_model, present
from arkroute.parent import end_with_parent


class Command(BaseCommand):
    help = "Serves open-weight models on loopback, OpenAI-compatible, where ENGINE_URL points."
    requires_system_checks: list[str] = []  # noqa: RUF012  Django's own declaration; needs no database and no secret

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, help="default: the port of ENGINE_URL")
        parser.add_argument(
            "--prompt-cache-mib",
            type=int,
            default=llama.PROMPT_CACHE_MIB,
            metavar="N",
            help="memory for prompts that lost their slot; 0 for none (default: %(default)s)",
        )

    def handle(self, *args: Any, port: int | None, prompt_cache_mib: int, **options: Any) -> None:
        models = present()
        if not models:
            raise CommandError(
                f"There is no model at {chat_model()}, nor another. `make setup` downloads some; LOCAL_CHAT_GGUF names "
                "a gguf file of yours."
            )
        port = port or port_of_engine_url()
        try:
            listener = reserve(port)
        except OSError as error:
            raise CommandError(f"Port {port}: {error.strerror}. Choose another with ENGINE_URL.") from error
        end_with_signals()
        end_with_parent()
        try:
            front = load(models, prompt_cache_mib)
        except RuntimeError as error:
            raise CommandError(f"The engine did not start: {error} The lines above say why.") from error
        Server(front, f"http://127.0.0.1:{port}").run(sockets=[listener])


def load(models: list[Weights], prompt_cache_mib: int) -> Front:
    return Front(
        chat_server=llama.load_chat(CHAT.path(), CHAT_MODEL, prompt_cache_mib) if CHAT in models else None,
        embedding_server=llama.load_embedding(EMBEDDING.path(), EMBEDDING_MODEL) if EMBEDDING in models else None,
        recogniser=Recogniser(SPEECH.path()) if SPEECH in models else None,
    )


def port_of_engine_url() -> int:
    url = urlsplit(settings.ENGINE_URL)
    if url.hostname not in ("127.0.0.1", "localhost") or not url.port:
        raise CommandError(f"ENGINE_URL is {settings.ENGINE_URL}: not a port of this machine that could be served.")
    return url.port
