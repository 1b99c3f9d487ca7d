"""Kuaishou's Kling.

Belongs here: pictures, and what every capability of the vendor shares: its keys (`keys`), its envelope, codes and
tasks (`tasks`). https://app.klingai.com/global/dev/document-api
"""

from gateway.providers.base import Deployment
from gateway.providers.kling import images
from gateway.providers.kling.tasks import connect
from gateway.types import ImageAnswer, ImageRequest


class Kling:
    """Images: a task at the vendor, waited for here. Raises `ProviderError`."""

    async def generate_images(self, deployment: Deployment, request: ImageRequest) -> ImageAnswer:
        return await images.generate(connect(deployment), request)
