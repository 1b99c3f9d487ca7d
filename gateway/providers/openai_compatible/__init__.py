"""Every server that speaks OpenAI's API: vLLM, SGLang, llama.cpp, speaches, our engine, OpenAI itself, other vendors.

Belongs here: one file per capability, and how their requests are sent and their answers read (`wire`). Requests pass
through as the client sent them but for the fields that are named here; answers as they came. Wire format:
https://platform.openai.com/docs/api-reference
"""

from collections.abc import AsyncGenerator

from gateway.providers.base import Deployment
from gateway.providers.openai_compatible import chat, embeddings, transcriptions
from gateway.providers.openai_compatible.wire import Upstream
from gateway.providers.openai_errors import ErrorReader
from gateway.types import (
    ChatAnswer,
    ChatRequest,
    EmbeddingAnswer,
    EmbeddingRequest,
    Segment,
    TranscriptionAnswer,
    TranscriptionRequest,
)


class OpenAICompatible:
    """Chat, embeddings and transcriptions. All raise `ProviderError`.

    `errors`: how the vendor's are read, where they are not OpenAI's.
    """

    def __init__(self, errors: ErrorReader | None = None) -> None:
        self._errors = errors or ErrorReader()

    async def chat(self, deployment: Deployment, request: ChatRequest) -> ChatAnswer:
        return await chat.complete(self._at(deployment), request)

    def stream_chat(self, deployment: Deployment, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        return chat.stream(self._at(deployment), request)

    async def embed(self, deployment: Deployment, request: EmbeddingRequest) -> EmbeddingAnswer:
        return await embeddings.embed(self._at(deployment), request)

    async def transcribe(self, deployment: Deployment, request: TranscriptionRequest) -> TranscriptionAnswer:
        return await transcriptions.transcribe(self._at(deployment), request)

    def stream_transcription(
        self, deployment: Deployment, request: TranscriptionRequest
    ) -> AsyncGenerator[Segment | TranscriptionAnswer, None]:
        return transcriptions.stream(self._at(deployment), request)

    def _at(self, deployment: Deployment) -> Upstream:
        return Upstream(deployment, self._errors)
