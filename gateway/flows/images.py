"""Pictures: hold, ask, settle, store, answer."""

import asyncio
import base64
from time import time
from typing import Any

from gateway.call import Call
from gateway.catalog import get_model
from gateway.charge import charging
from gateway.errors import InvalidValue
from gateway.media import signed_url, store
from gateway.pricing import quote
from gateway.providers.base import ImageProvider
from gateway.providers.registry import get_provider
from gateway.requests.images import fit_image, parse_image
from gateway.routing.deployments import find_deployments
from gateway.routing.execute import execute
from gateway.types import ImageRequest, Picture


async def generate(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    """OpenAI's images object, with our own links (or base64), and a top-level `url` of the first picture.

    The pictures are stored before they are charged: what is paid for can be fetched.
    """
    image = parse_image(body)
    model = get_model(image.model)
    if model.type != "image":
        raise InvalidValue(
            f"`{image.model}` is no image model. Choose a model of type `image` from GET /v1/models.", param="model"
        )
    request = fit_image(image, model, body)
    deployments = await find_deployments(model, request)
    async with charging(call, quote(model, request)) as charge:
        answer = await execute(
            call,
            deployments,
            lambda deployment: _provider(deployment.provider).generate_images(deployment, request),
        )
        data = await asyncio.gather(*(_render(picture, request) for picture in answer.pictures))
        await charge.capture(answer.usage)
    rendered: dict[str, Any] = {
        "created": int(time()),
        "model": request.model,
        "data": data,
        "size": request.size,
        "output_format": request.output_format,
    }
    if not request.b64:
        rendered["url"] = data[0]["url"]
    return rendered


async def _render(picture: Picture, request: ImageRequest) -> dict[str, Any]:
    if request.b64:
        shown = {"b64_json": base64.b64encode(picture.data).decode()}
    else:
        shown = {"url": signed_url(await store(picture.data, picture.mime))}
    return {**shown, "revised_prompt": picture.revised_prompt or request.prompt}


def _provider(name: str) -> ImageProvider:
    return get_provider(name)
