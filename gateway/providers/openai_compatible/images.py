"""Pictures: made from a prompt, or from pictures and a prompt."""

from base64 import b64decode
from typing import Any

import msgspec

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.base import Deployment
from gateway.providers.openai_compatible.wire import JSON, OUR_FIELDS, FormFile, decode, fetch, multipart
from gateway.tokens import read_usage
from gateway.types import ImageAnswer, ImageRequest, InputImage, Picture, Usage

# Spoken of by the request's own fields, or of no meaning to a model that always answers in base64.
FIELDS = frozenset({"image", "images", "image_url", "mask", "response_format", "stream", "partial_images"}) | OUR_FIELDS


async def generate(deployment: Deployment, request: ImageRequest) -> ImageAnswer:
    fields = {name: value for name, value in request.body.items() if name not in FIELDS}
    fields |= {
        "model": deployment.upstream,
        "prompt": request.prompt,
        "n": request.n,
        "size": request.size,
        "quality": request.quality,
        "output_format": request.output_format,
    }
    if request.inputs:
        form = [(name, value) for name, value in fields.items() if name.isidentifier()]
        files = [_file(number, image) for number, image in enumerate(request.inputs)]
        content_type, body = multipart(form, files)
        answer = decode(deployment, await fetch(deployment, "/images/edits", content_type, body))
    else:
        body = msgspec.json.encode(fields)
        answer = decode(deployment, await fetch(deployment, "/images/generations", JSON, body))
    pictures = _pictures(answer, request.output_format)
    usage = answer.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    counted = read_usage({"prompt_tokens": usage.get("input_tokens"), "completion_tokens": usage.get("output_tokens")})
    counted = counted or Usage(reported=False)
    return ImageAnswer(pictures, msgspec.structs.replace(counted, images=len(pictures)))


def _file(number: int, image: InputImage) -> FormFile:
    return FormFile("image[]", f"{number}.{image.mime.rpartition('/')[2]}", image.mime, image.data)


def _pictures(answer: dict[str, Any], asked_format: str) -> list[Picture]:
    name = answer.get("output_format")
    mime = f"image/{name if isinstance(name, str) and name.isalnum() else asked_format}"
    data = answer.get("data")
    pictures = []
    for item in data if isinstance(data, list) else []:
        encoded = item.get("b64_json") if isinstance(item, dict) else None
        prompt = item.get("revised_prompt") if isinstance(item, dict) else None
        try:
            picture = b64decode(encoded, validate=True) if isinstance(encoded, str) else b""
        except ValueError:
            picture = b""
        if not picture:
            raise ProviderError(ProviderFault.BROKEN, "a picture that is no base64")
        pictures.append(Picture(picture, mime, prompt if isinstance(prompt, str) else None))
    if not pictures:
        raise ProviderError(ProviderFault.BROKEN, "an answer without pictures")
    return pictures
