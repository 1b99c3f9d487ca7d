"""Seedream: pictures from a prompt, or from up to 14 pictures and a prompt.

https://docs.byteplus.com/en/docs/ModelArk/1541523. There is no `n`: `sequential_image_generation` lets the model make
as many pictures as it sees fit, so several are asked for one by one (`per_call` of the catalogue).
"""

from base64 import b64encode
from typing import Any

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.base import Deployment
from gateway.providers.bytedance.errors import ERRORS
from gateway.providers.json_api import ask
from gateway.providers.openai_compatible.wire import Upstream
from gateway.types import ImageAnswer, ImageRequest, InputImage, Picture, Usage

# The vendor's own parameters, which a client may send along.
PASSED_ON = ("optimize_prompt_options",)


async def generate(upstream: Upstream, request: ImageRequest) -> ImageAnswer:
    answer = await ask(upstream, "POST", "/images/generations", _body(upstream.deployment, request))
    data = answer.get("data")
    pictures, failures = [], []
    for item in data if isinstance(data, list) else []:
        if not isinstance(item, dict):
            continue
        if error := item.get("error"):
            failures.append(ERRORS.read({"error": error}, secrets=upstream.secrets()))
        elif isinstance(url := item.get("url"), str) and url:
            pictures.append(Picture(url=url, mime=f"image/{request.output_format}"))
    if not pictures:
        if failures:
            raise failures[0]
        raise ProviderError(ProviderFault.BROKEN, "an answer without pictures", of_this_request=True)
    tokens = _output_tokens(answer)
    usage = Usage(output_tokens=tokens, output_image_tokens=tokens, images=len(pictures), reported=tokens > 0)
    return ImageAnswer(pictures, usage)


def _body(deployment: Deployment, request: ImageRequest) -> dict[str, Any]:
    spec = deployment.model.image
    assert spec is not None, "pictures are asked of image models only"
    body = {name: request.body[name] for name in PASSED_ON if name in request.body}
    body |= {
        "model": deployment.upstream,
        "prompt": request.prompt,
        "size": request.size,
        "response_format": "url",
        "watermark": False,  # else each picture says in a corner that it was generated
    }
    if request.inputs:
        uris = [data_uri(image) for image in request.inputs]
        body["image"] = uris[0] if len(uris) == 1 else uris
    if len(spec.formats) > 1:  # older models refuse the parameter
        body["output_format"] = request.output_format
    return body


def data_uri(image: InputImage) -> str:
    """The media type has to be in lower case."""
    return f"data:{image.mime.lower()};base64,{b64encode(image.data).decode()}"


def _output_tokens(answer: dict[str, Any]) -> int:
    """Pixels / 256, by the vendor's own count."""
    usage = answer.get("usage")
    tokens = usage.get("output_tokens") if isinstance(usage, dict) else None
    return tokens if type(tokens) is int and tokens > 0 else 0
