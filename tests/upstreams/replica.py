"""A fake server of a pool: what vLLM, llama.cpp, Ollama and TEI answer, and how they die.

    with FakeReplica("a", kind="llama.cpp", slots=2) as replica:
        replica.base_url             # "http://127.0.0.1:<port>/v1"
        replica.chats                # how many chats it was sent
        replica.chat_bodies[-1]      # the last of them: `messages`, `id_slot`
        replica.kill()               # as `kill -9` does
        replica.start_again()        # at the same address

Chats, embeddings and the ways to fail them are `FakeOpenAI`'s; a failing `behaviour` leaves the server's own pages
well, as a real one's model can fail while its `/health` does not notice. A chat's reply names the replica.
"""

import asyncio
import json
from dataclasses import replace
from typing import Any, Literal

from tests.upstreams.openai import Behaviour, FakeOpenAI
from tests.upstreams.server import Recorded, head

Kind = Literal["vllm", "llama.cpp", "ollama", "tei"]
# What llama.cpp takes besides OpenAI's parameters. The others are refused, so that it shows where they are sent.
_LLAMA_FIELDS = frozenset({"id_slot", "cache_prompt"})


class FakeReplica(FakeOpenAI):
    """A context manager. `models` is what it lists; `loading`: llama.cpp's answer while it reads its weights."""

    def __init__(
        self,
        name: str = "a",
        *,
        kind: Kind = "vllm",
        models: tuple[str, ...] = ("their-llama",),
        slots: int = 4,
        loading: bool = False,
        api_key: str = "",
    ) -> None:
        super().__init__(api_key=api_key)
        self.name = name
        self.kind = kind
        self.models = models
        self.slots = slots
        self.loading = loading

    @property
    def reply(self) -> str:
        return f"replica {self.name} answers"

    @property
    def chat_bodies(self) -> list[dict[str, Any]]:
        return [recorded.body for recorded in list(self.requests) if recorded.path == "/v1/chat/completions"]

    @property
    def chats(self) -> int:
        return len(self.chat_bodies)

    @property
    def asked(self) -> list[str]:
        """The paths that were read: the questions of those who look after it."""
        return [recorded.path for recorded in list(self.requests) if recorded.method == "GET"]

    async def _answer(self, recorded: Recorded, writer: asyncio.StreamWriter) -> bool:
        if recorded.method != "GET":
            return await super()._answer(recorded, writer)
        _write(writer, self._page(recorded))
        await writer.drain()
        return True

    async def route(self, recorded: Recorded, behaviour: Behaviour, writer: asyncio.StreamWriter) -> bool:
        if self.kind == "llama.cpp":
            recorded = replace(
                recorded, body={name: value for name, value in recorded.body.items() if name not in _LLAMA_FIELDS}
            )
            if self.loading:
                _write(writer, self._loading())
                return True
        if behaviour.reply == Behaviour.reply:
            behaviour = replace(behaviour, reply=self.reply)
        return await super().route(recorded, behaviour, writer)

    def _page(self, recorded: Recorded) -> tuple[int, str, bytes]:
        """What a GET reads: status, content type, content."""
        path = recorded.path
        if path == "/health" and self.kind != "ollama":
            return self._loading() if self.loading else _json(200, {"status": "ok"})
        if path == "/" and self.kind == "ollama":
            return 200, "text/plain; charset=utf-8", b"Ollama is running"
        if path not in self._pages:
            return _json(404, {"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}})
        # Servers with a key leave their health to everyone, and nothing else.
        if self.api_key and recorded.headers.get("authorization") != f"Bearer {self.api_key}":
            return _json(401, {"error": {"message": "Invalid API Key", "type": "authentication_error", "code": 401}})
        if path == "/props":
            return _json(200, {"total_slots": self.slots, "chat_template": "{{ messages }}", "model_path": "m.gguf"})
        return _json(200, {"object": "list", "data": [{"id": model, "object": "model"} for model in self.models]})

    @property
    def _pages(self) -> frozenset[str]:
        return {
            "vllm": frozenset({"/v1/models"}),
            "llama.cpp": frozenset({"/v1/models", "/props"}),
            "ollama": frozenset({"/v1/models"}),
            "tei": frozenset(),
        }[self.kind]

    def _loading(self) -> tuple[int, str, bytes]:
        return _json(503, {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}})


def _write(writer: asyncio.StreamWriter, page: tuple[int, str, bytes]) -> None:
    status, content_type, content = page
    writer.write(head(status, len(content), content_type) + content)


def _json(status: int, body: dict[str, Any]) -> tuple[int, str, bytes]:
    return status, "application/json", json.dumps(body).encode()
