"""The sandbox: models for building against the API without a provider. Deterministic, without a network.

Belongs here: one file per capability, and the prompt words that fail or wait on request. Does not: how pictures look
(`gateway.providers.painter`).
"""

from collections.abc import AsyncGenerator

from gateway.providers.base import Deployment, VideoState
from gateway.providers.sandbox import chat, embeddings, images, transcription
from gateway.providers.sandbox.videos import STUDIO
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
    VideoRequest,
)


class Sandbox:
    """The adapter of all `sandbox-*` models, and the painter of stand-in pictures and clips.

    Every call obeys the prompt words of `gateway.providers.sandbox.orders`.
    """

    calls_back = False
    # A clip is made while it is asked for, out of the request: with the bytes of its pictures.
    looks_at_frames = True

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

    async def submit_video(self, deployment: Deployment, request: VideoRequest) -> VideoState:
        return STUDIO.submit(request)

    async def look_up_video(self, deployment: Deployment, task_id: str, request: VideoRequest) -> VideoState:
        return STUDIO.look_up(task_id, request)

    async def cancel_video(self, deployment: Deployment, task_id: str) -> bool:
        return STUDIO.cancel(task_id)
