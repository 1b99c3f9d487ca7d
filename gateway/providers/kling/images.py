"""Pictures: https://app.klingai.com/global/dev/document-api/apiReference/model/imageGeneration"""

from base64 import b64encode
from fractions import Fraction
from typing import Any

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.kling.tasks import run
from gateway.providers.openai_compatible.wire import Upstream
from gateway.types import ImageAnswer, ImageRequest, Picture, Usage

PATH = "/v1/images/generations"
RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "21:9")


async def generate(upstream: Upstream, request: ImageRequest) -> ImageAnswer:
    result = await run(upstream, PATH, _body(upstream.deployment.upstream, request))
    images = result.get("images")
    urls = [image.get("url") for image in images if isinstance(image, dict)] if isinstance(images, list) else []
    pictures = [Picture(url=url) for url in urls if isinstance(url, str) and url]
    if not pictures:
        message = "a task that ended without pictures"
        raise ProviderError(ProviderFault.BROKEN, message, accepted=True, of_this_request=True)
    return ImageAnswer(pictures, Usage(images=len(pictures), reported=False))


def _body(model: str, request: ImageRequest) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model_name": model,  # by the name of `model` it would be ignored, and the oldest model would answer
        "prompt": request.prompt,
        "n": request.n,
        "aspect_ratio": closest_ratio(request.width, request.height),
        "resolution": request.tier.lower(),
    }
    if request.inputs:
        # Without the head of a data URI.
        body["image"] = b64encode(request.inputs[0].data).decode()
    elif "negative_prompt" in request.body:  # which does not go together with a picture
        body["negative_prompt"] = request.body["negative_prompt"]
    return body


def closest_ratio(width: int, height: int) -> str:
    """Which of the vendor's ratios a size is meant by."""
    wanted = Fraction(width, height)

    def distance(name: str) -> Fraction:
        ratio = Fraction(*map(int, name.split(":")))
        return max(ratio, wanted) / min(ratio, wanted)

    return min(RATIOS, key=distance)
