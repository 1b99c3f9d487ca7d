"""How Google's own API is asked: as an OpenAI-shaped server is, but for the key's header and the names of paths."""

from typing import Any

import msgspec

from gateway.providers.base import Deployment
from gateway.providers.google.errors import ERRORS
from gateway.providers.http import Response, pool
from gateway.providers.openai_compatible.wire import JSON, Upstream


class Native(Upstream, frozen=True):
    """Google, asked in its own language."""

    async def send(self, path: str, content_type: bytes, body: bytes, *, patience: float = 0.0) -> Response:
        deployment = self.deployment
        return await pool().request(
            "POST",
            deployment.base_url + path,
            headers=((b"content-type", content_type), (b"x-goog-api-key", deployment.api_key.encode())),
            body=body,
            first_byte_timeout=deployment.timeout + patience,
            idle_timeout=deployment.timeout + patience,
        )


def native(deployment: Deployment) -> Native:
    return Native(deployment, ERRORS)


def path_of(deployment: Deployment, method: str) -> str:
    """The path of a method of the model, such as `generateContent`."""
    return f"/models/{deployment.upstream}:{method}"


async def generate_content(deployment: Deployment, body: dict[str, Any], *, patience: float = 0.0) -> dict[str, Any]:
    """The model's whole answer. `patience`: seconds beyond the usual wait."""
    upstream = native(deployment)
    content = msgspec.json.encode(body)
    return upstream.decode(
        await upstream.fetch(path_of(deployment, "generateContent"), JSON, content, patience=patience)
    )
