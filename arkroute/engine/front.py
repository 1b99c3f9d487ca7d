"""The engine's front: one OpenAI-compatible server before all models, on the port of ENGINE_URL. A bare ASGI app.

It asks for no key, since only this machine reaches it. A page in somebody's browser does, too, and is refused.
"""

import time
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from arkroute.engine import chat, embeddings, transcriptions
from arkroute.engine.exchange import ClientLeft, Exchange, Receive, Refusal, Scope, Send
from arkroute.engine.llama import Llama
from arkroute.engine.relay import relay
from arkroute.engine.speech import Recogniser
from gateway.errors import ProviderError

# The names that the catalogue knows the models by.
CHAT_MODEL = "smollm2-135m-instruct"
EMBEDDING_MODEL = "all-minilm-l6-v2"
SPEECH_MODEL = "whisper-base"
OUR_HOSTS = frozenset({b"127.0.0.1", b"localhost"})

Answer = Callable[[Exchange, bytes], Coroutine[Any, Any, None]]


class Front:
    """Serves what is there of the three models."""

    def __init__(
        self, *, chat_server: Llama | None, embedding_server: Llama | None, recogniser: Recogniser | None
    ) -> None:
        models = {CHAT_MODEL: chat_server, EMBEDDING_MODEL: embedding_server, SPEECH_MODEL: recogniser}
        self.models = [name for name, model in models.items() if model is not None]
        self._loaded_at = int(time.time())
        self._routes: dict[str, tuple[str, Answer]] = {
            "/health": ("GET", _health),
            "/v1/models": ("GET", self._list_models),
            chat.PATH: ("POST", _lack("chat model")),
            embeddings.PATH: ("POST", _lack("embedding model")),
            transcriptions.PATH: ("POST", _lack("speech model")),
        }
        if chat_server is not None:
            self._routes[chat.PATH] = ("POST", chat.Chat(chat_server).answer)
            self._routes["/props"] = self._routes["/slots"] = ("GET", _pass_on(chat_server))
        if embedding_server is not None:
            self._routes[embeddings.PATH] = ("POST", embeddings.Embeddings(embedding_server).answer)
        if recogniser is not None:
            self._routes[transcriptions.PATH] = ("POST", transcriptions.Transcriptions(recogniser).answer)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        try:
            _refuse_browsers(exchange)
            answer = self._find(exchange)
            content = await exchange.read_body()
            await exchange.run(answer(exchange, content))
        except ClientLeft:
            return
        except Refusal as refusal:
            await exchange.answer(refusal.status, refusal.body)
        except ProviderError as error:
            # A stream that is cut can only be cut here, too.
            if exchange.started:
                raise
            failed = Refusal(502, f"llama.cpp did not answer: {error.message}.", kind="server_error")
            await exchange.answer(failed.status, failed.body)

    def _find(self, exchange: Exchange) -> Answer:
        route = self._routes.get(exchange.path)
        if route is None:
            raise Refusal(404, f"There is no {exchange.path} here.", code="not_found")
        method, answer = route
        if exchange.method != method:
            raise Refusal(405, f"{exchange.path} takes {method}, not {exchange.method}.", code="method_not_allowed")
        return answer

    async def _list_models(self, exchange: Exchange, content: bytes) -> None:
        data = [
            {"id": name, "object": "model", "created": self._loaded_at, "owned_by": "engine"} for name in self.models
        ]
        await exchange.answer(200, msgspec.json.encode({"object": "list", "data": data}))


def _refuse_browsers(exchange: Exchange) -> None:
    """Browsers name the page that asks in `Origin`, and in `Host` the name by which they found this machine."""
    host = exchange.headers.get(b"host", b"").partition(b":")[0]
    if host not in OUR_HOSTS or b"origin" in exchange.headers:
        raise Refusal(403, "The engine answers programs on this machine only.", kind="permission_error")


async def _health(exchange: Exchange, content: bytes) -> None:
    # Nobody can ask before all models are loaded.
    await exchange.answer(200, b'{"status":"ok"}')


def _pass_on(server: Llama) -> Answer:
    async def answer(exchange: Exchange, content: bytes) -> None:
        await relay(exchange, await server.ask("GET", exchange.path))

    return answer


def _lack(model: str) -> Answer:
    async def answer(exchange: Exchange, content: bytes) -> None:
        message = f"The engine has no {model}. `make setup` downloads one; then start the engine again."
        raise Refusal(404, message, code="model_not_found")

    return answer
