"""Google's Gemini API: pictures, clips, embeddings and transcriptions in its own language, chat in OpenAI's.

Belongs here: one file per capability, how Google is asked (`wire`), what its answers hold (`answers`), and what its
errors mean (`errors`). Wire format: https://ai.google.dev/api
"""

from collections.abc import AsyncGenerator

from gateway.providers.base import Deployment, VideoState
from gateway.providers.google import chat, embeddings, images, transcriptions, videos
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
    VideoRequest,
)


class Google:
    """Chat, embeddings, images, transcriptions and videos. All raise `ProviderError`."""

    calls_back = True
    looks_at_frames = False

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

    async def submit_video(self, deployment: Deployment, request: VideoRequest) -> VideoState:
        return await videos.submit(deployment, request)

    async def look_up_video(self, deployment: Deployment, task_id: str, request: VideoRequest) -> VideoState:
        return await videos.look_up(deployment, task_id)

    async def cancel_video(self, deployment: Deployment, task_id: str) -> bool:
        return await videos.cancel(deployment, task_id)
