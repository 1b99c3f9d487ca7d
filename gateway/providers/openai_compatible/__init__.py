"""Every server that speaks OpenAI's API: vLLM, SGLang, llama.cpp, speaches, our engine, and OpenAI itself.

Belongs here: one file per capability, and how their requests are sent and their answers read (`wire`). Requests pass
through as the client sent them but for the fields that are named here; answers as they came. Wire format:
https://platform.openai.com/docs/api-reference
"""

from collections.abc import AsyncGenerator

from gateway.providers.base import Deployment
from gateway.providers.openai_compatible import chat, embeddings, images, transcriptions
from gateway.types import (
    ChatAnswer,
    ChatRequest,
    EmbeddingAnswer,
    EmbeddingRequest,
    ImageAnswer,
    ImageRequest,
    Segment,
    TranscriptionAnswer,
    TranscriptionRequest,
)


class OpenAICompatible:
    """Chat, embeddings, images and transcriptions. All raise `ProviderError`."""

    async def chat(self, deployment: Deployment, request: ChatRequest) -> ChatAnswer:
        return await chat.complete(deployment, request)

    def stream_chat(self, deployment: Deployment, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        return chat.stream(deployment, request)

    async def embed(self, deployment: Deployment, request: EmbeddingRequest) -> EmbeddingAnswer:
        return await embeddings.embed(deployment, request)

    async def generate_images(self, deployment: Deployment, request: ImageRequest) -> ImageAnswer:
        return await images.generate(deployment, request)

    async def transcribe(self, deployment: Deployment, request: TranscriptionRequest) -> TranscriptionAnswer:
        return await transcriptions.transcribe(deployment, request)

    def stream_transcription(
        self, deployment: Deployment, request: TranscriptionRequest
    ) -> AsyncGenerator[Segment | TranscriptionAnswer, None]:
        return transcriptions.stream(deployment, request)
