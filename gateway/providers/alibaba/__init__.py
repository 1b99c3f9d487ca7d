"""Alibaba's Model Studio, whose API is called DashScope.

Belongs here: its pictures, its videos, its tasks and its errors. Chat and embeddings are OpenAI's protocol at a base
of their own (https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope); what they lack
of it says the catalogue.
"""

from collections.abc import AsyncGenerator

from msgspec.structs import replace

from gateway.providers.alibaba import images, videos
from gateway.providers.alibaba.errors import ERRORS
from gateway.providers.base import Deployment, VideoState
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


class Alibaba:
    """Chat, embeddings, images and videos. All raise `ProviderError`."""

    calls_back = False
    looks_at_frames = False

    def __init__(self) -> None:
        self._openai = OpenAICompatible(ERRORS.reader)

    async def chat(self, deployment: Deployment, request: ChatRequest) -> ChatAnswer:
        return await self._openai.chat(_compatible(deployment), request)

    def stream_chat(self, deployment: Deployment, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        return self._openai.stream_chat(_compatible(deployment), request)

    async def embed(self, deployment: Deployment, request: EmbeddingRequest) -> EmbeddingAnswer:
        return await self._openai.embed(_compatible(deployment), request)

    async def generate_images(self, deployment: Deployment, request: ImageRequest) -> ImageAnswer:
        return await images.generate(Upstream(deployment, ERRORS.reader), request)

    async def submit_video(self, deployment: Deployment, request: VideoRequest) -> VideoState:
        return await videos.submit(Upstream(deployment, ERRORS.reader), request)

    async def look_up_video(self, deployment: Deployment, task_id: str, request: VideoRequest) -> VideoState:
        return await videos.look_up(Upstream(deployment, ERRORS.reader), task_id)

    async def cancel_video(self, deployment: Deployment, task_id: str) -> bool:
        return await videos.cancel(Upstream(deployment, ERRORS.reader), task_id)


def _compatible(deployment: Deployment) -> Deployment:
    return replace(deployment, base_url=f"{deployment.base_url}/compatible-mode/v1")
