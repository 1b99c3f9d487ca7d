"""ByteDance: ModelArk of BytePlus, or Ark of Volcengine, which is the same API.

Belongs here: its pictures, its videos and its errors. Chat and embeddings are OpenAI's protocol at the same base URL
(https://docs.byteplus.com/en/docs/ModelArk/1494384); what they lack of it says the catalogue.
"""

from collections.abc import AsyncGenerator

from gateway.providers.base import Deployment, VideoState
from gateway.providers.bytedance import images, videos
from gateway.providers.bytedance.errors import ERRORS
from gateway.providers.openai_compatible import OpenAICompatible
from gateway.providers.openai_compatible.wire import Upstream
from gateway.types import (
    ChatAnswer,
    ChatRequest,
    EmbeddingAnswer,
    EmbeddingRequest,
    ImageAnswer,
    ImageRequest,
    VideoRequest,
)


class ByteDance:
    """Chat, embeddings, images and videos. All raise `ProviderError`."""

    calls_back = True
    looks_at_frames = False

    def __init__(self) -> None:
        self._openai = OpenAICompatible(ERRORS.reader)

    async def chat(self, deployment: Deployment, request: ChatRequest) -> ChatAnswer:
        return await self._openai.chat(deployment, request)

    def stream_chat(self, deployment: Deployment, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        return self._openai.stream_chat(deployment, request)

    async def embed(self, deployment: Deployment, request: EmbeddingRequest) -> EmbeddingAnswer:
        return await self._openai.embed(deployment, request)

    async def generate_images(self, deployment: Deployment, request: ImageRequest) -> ImageAnswer:
        return await images.generate(Upstream(deployment, ERRORS.reader), request)

    async def submit_video(self, deployment: Deployment, request: VideoRequest) -> VideoState:
        return await videos.submit(Upstream(deployment, videos.READER), request)

    async def look_up_video(self, deployment: Deployment, task_id: str, request: VideoRequest) -> VideoState:
        return await videos.look_up(Upstream(deployment, videos.READER), task_id)

    async def cancel_video(self, deployment: Deployment, task_id: str) -> bool:
        return await videos.cancel(Upstream(deployment, videos.READER), task_id)
