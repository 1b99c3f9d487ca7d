"""Pictures, by `generateContent`.

Google is told the name of a ratio and a class of size, and makes one picture at a time. Of `imageConfig` its Developer
API takes these two fields alone, and answers others with a 400.
https://ai.google.dev/gemini-api/docs/image-generation#aspect_ratios_and_image_size
"""

from base64 import b64encode
from fractions import Fraction
from typing import Any

from msgspec.structs import replace

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.base import Deployment
from gateway.providers.google.answers import read_parts, read_tokens
from gateway.providers.google.wire import decode_base64, generate_content
from gateway.providers.openai_errors import clean
from gateway.types import ImageAnswer, ImageRequest, Picture

# Of all models; which of them one has, its sizes in the catalogue say.
RATIOS = (
    *("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"),
    *("1:4", "4:1", "1:8", "8:1"),
)


async def generate(deployment: Deployment, request: ImageRequest) -> ImageAnswer:
    answer = await generate_content(deployment, _body(deployment, request))
    picture = _last_picture(deployment, read_parts(deployment, answer))
    return ImageAnswer([picture], replace(read_tokens(answer), images=1))


def _body(deployment: Deployment, request: ImageRequest) -> dict[str, Any]:
    spec = deployment.model.image
    assert spec is not None, "a picture is asked of image models only"
    config = {"aspectRatio": ratio_name(request.width, request.height)}
    if len(spec.tiers) > 1:  # the older models know of no classes
        config["imageSize"] = request.tier
    inputs = [
        {"inlineData": {"mimeType": image.mime, "data": b64encode(image.data).decode()}} for image in request.inputs
    ]
    return {
        "contents": [{"role": "user", "parts": [*inputs, {"text": request.prompt}]}],
        "generationConfig": {"responseModalities": ["IMAGE"], "imageConfig": config},
    }


def ratio_name(width: int, height: int) -> str:
    """Google's name for the ratio of a size out of its tables, which round to multiples of 8, 16 or 32 pixels."""

    def distance(name: str) -> Fraction:
        across, down = map(int, name.split(":"))
        one, other = width * down, height * across
        return Fraction(max(one, other), min(one, other))

    return min(RATIOS, key=distance)


def _last_picture(deployment: Deployment, parts: list[dict[str, Any]]) -> Picture:
    """The last one is the finished one: models that think may show drafts before it."""
    for part in reversed(parts):
        blob = part.get("inlineData") or part.get("inline_data")
        if isinstance(blob, dict):
            mime = blob.get("mimeType") or blob.get("mime_type")
            return Picture(decode_base64(blob.get("data")), mime if isinstance(mime, str) else "image/png")
    words = " ".join(text.strip() for part in parts if isinstance(text := part.get("text"), str))
    if not words:
        raise ProviderError(ProviderFault.BROKEN, "an answer without a picture", status=200, of_this_request=True)
    # The model declined in its own words.
    raise ProviderError(ProviderFault.CONTENT_POLICY, clean(words, [deployment.api_key]), status=200)
