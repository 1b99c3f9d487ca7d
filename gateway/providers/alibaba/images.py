"""Qwen-Image: pictures from a prompt, or from up to three pictures and a prompt, in one answer.

https://www.alibabacloud.com/help/en/model-studio/qwen-image-api
"""

from base64 import b64encode
from typing import Any

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.json_api import ask
from gateway.providers.openai_compatible.wire import Upstream
from gateway.types import ImageAnswer, ImageRequest, Picture, Usage

PATH = "/api/v1/services/aigc/multimodal-generation/generation"
# The vendor's own parameters, which a client may send along.
PASSED_ON = ("negative_prompt", "prompt_extend", "seed")


async def generate(upstream: Upstream, request: ImageRequest) -> ImageAnswer:
    answer = await ask(upstream, "POST", PATH, _body(upstream.deployment.upstream, request))
    pictures = [Picture(url=url) for url in _urls(answer.get("output"))]
    if not pictures:
        raise ProviderError(ProviderFault.BROKEN, "an answer without pictures", status=200, of_this_request=True)
    return ImageAnswer(pictures, Usage(images=len(pictures), reported=False))


def _body(model: str, request: ImageRequest) -> dict[str, Any]:
    content = [{"image": f"data:{image.mime};base64,{b64encode(image.data).decode()}"} for image in request.inputs]
    parameters = {name: request.body[name] for name in PASSED_ON if name in request.body}
    parameters |= {"size": f"{request.width}*{request.height}", "n": request.n, "watermark": False}
    return {
        "model": model,
        "input": {"messages": [{"role": "user", "content": [*content, {"text": request.prompt}]}]},
        "parameters": parameters,
    }


def _urls(output: Any) -> list[str]:
    """The addresses of an answer's pictures: a choice for each, or several in one."""
    choices = output.get("choices") if isinstance(output, dict) else None
    found = []
    for choice in choices if isinstance(choices, list) else []:
        message = choice.get("message") if isinstance(choice, dict) else None
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else []:
            url = part.get("image") if isinstance(part, dict) else None
            if isinstance(url, str) and url:
                found.append(url)
    return found
