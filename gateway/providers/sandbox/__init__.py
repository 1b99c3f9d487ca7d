"""The sandbox: models for building against the API without a provider. Deterministic, without a network.

Belongs here: one file per capability, and the prompt words that fail or wait on request. Does not: how pictures look
(`gateway.providers.painter`).
"""

from collections.abc import AsyncGenerator

from gateway.providers.base import Deployment
from gateway.providers.sandbox import chat, embeddings, images, transcription
from gateway.types import (
    ChatAnswer,
    ChatRequest,
    EmbeddingAnswer,
    EmbeddingRequest,
    ImageAnswer,
    ImageRequest,
    PartialPicture,
    Segment,
    TranscriptionAnswer,
    TranscriptionRequest,
)


class Sandbox:
    """The adapter of all `sandbox-*` models, and the painter of stand-in pictures.

    Every call obeys the prompt words of `gateway.providers.sandbox.orders`.
    """

    async def chat(self, deployment: Deployment, request: ChatRequest) -> ChatAnswer:
        return await chat.complete(deployment, request)

    def stream_chat(self, deployment: Deployment, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        return chat.stream(deployment, request)

    async def embed(self, deployment: Deployment, request: EmbeddingRequest) -> EmbeddingAnswer:
        return await embeddings.embed(deployment, request)

    async def generate_images(self, deployment: Deployment, request: ImageRequest) -> ImageAnswer:
        return await images.generate(request)

    def stream_images(
        self, deployment: Deployment, request: ImageRequest
    ) -> AsyncGenerator[PartialPicture | ImageAnswer, None]:
        return images.stream(request)

    async def transcribe(self, deployment: Deployment, request: TranscriptionRequest) -> TranscriptionAnswer:
        return await transcription.transcribe(request)

    def stream_transcription(
        self, deployment: Deployment, request: TranscriptionRequest
    ) -> AsyncGenerator[Segment | TranscriptionAnswer, None]:
        return transcription.stream(request)
