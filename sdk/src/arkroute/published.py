"""The methods of version 0.1.0, under the names and with the defaults that it had.

They answer what their successors answer, which are dicts, as then.
"""

from __future__ import annotations

from typing import Any

from arkroute.resources.images import AsyncImages, Images
from arkroute.resources.models import AsyncModels, Models
from arkroute.resources.videos import AsyncVideos, Videos
from arkroute.types import ImagesResponse, ModelList, VideoTask

IMAGE_MODEL = "nano-banana-2"
IMAGE_SIZE = "2K"
VIDEO_MODEL = "seedance-1.5-pro"
VIDEO_DURATION = 5


class PublishedMethods:
    images: Images
    videos: Videos
    models: Models

    def generate_image(
        self, prompt: str, model: str = IMAGE_MODEL, size: str = IMAGE_SIZE, **kwargs: Any
    ) -> ImagesResponse:
        """As `images.generate`."""
        answer: ImagesResponse = self.images.generate(model=model, prompt=prompt, size=size, **kwargs)
        return answer

    def generate_video(
        self, prompt: str, model: str = VIDEO_MODEL, duration: float = VIDEO_DURATION, **kwargs: Any
    ) -> VideoTask:
        """As `videos.create`."""
        return self.videos.create(model=model, prompt=prompt, duration=duration, **kwargs)

    def get_video_status(self, task_id: str) -> VideoTask:
        """As `videos.retrieve`."""
        return self.videos.retrieve(task_id)

    def list_models(self) -> ModelList:
        """As `models.list`."""
        return self.models.list()


class AsyncPublishedMethods:
    images: AsyncImages
    videos: AsyncVideos
    models: AsyncModels

    async def generate_image(
        self, prompt: str, model: str = IMAGE_MODEL, size: str = IMAGE_SIZE, **kwargs: Any
    ) -> ImagesResponse:
        """As `images.generate`."""
        answer: ImagesResponse = await self.images.generate(model=model, prompt=prompt, size=size, **kwargs)
        return answer

    async def generate_video(
        self, prompt: str, model: str = VIDEO_MODEL, duration: float = VIDEO_DURATION, **kwargs: Any
    ) -> VideoTask:
        """As `videos.create`."""
        return await self.videos.create(model=model, prompt=prompt, duration=duration, **kwargs)

    async def get_video_status(self, task_id: str) -> VideoTask:
        """As `videos.retrieve`."""
        return await self.videos.retrieve(task_id)

    async def list_models(self) -> ModelList:
        """As `models.list`."""
        return await self.models.list()
