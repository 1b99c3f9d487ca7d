"""Kuaishou's Kling.

Belongs here: pictures, videos, and what every capability of the vendor shares: its keys (`keys`), its envelope, codes
and tasks (`tasks`). https://app.klingai.com/global/dev/document-api
"""

from gateway.providers.base import Deployment, VideoState
from gateway.providers.kling import images, videos
from gateway.providers.kling.tasks import connect
from gateway.types import ImageAnswer, ImageRequest, VideoRequest


class Kling:
    """Images, a task at the vendor that is waited for here, and videos. The vendor has no way to end a task.

    Raises `ProviderError`.
    """

    calls_back = True
    looks_at_frames = False

    async def generate_images(self, deployment: Deployment, request: ImageRequest) -> ImageAnswer:
        return await images.generate(connect(deployment), request)

    async def submit_video(self, deployment: Deployment, request: VideoRequest) -> VideoState:
        return await videos.submit(deployment, request)

    async def look_up_video(self, deployment: Deployment, task_id: str, request: VideoRequest) -> VideoState:
        return await videos.look_up(deployment, task_id, request)

    async def find_video(self, deployment: Deployment, request: VideoRequest) -> VideoState | None:
        return await videos.find(deployment, request)
