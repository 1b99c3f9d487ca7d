"""How Google's own API is asked: as an OpenAI-shaped server is, but for the key's header and the names of paths."""

import binascii
from base64 import b64decode
from typing import Any

import msgspec

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.base import Deployment
from gateway.providers.google.errors import ERRORS
from gateway.providers.http import Response, pool
from gateway.providers.openai_compatible.wire import JSON, Upstream

_TO_STANDARD = str.maketrans("-_", "+/")


def key_header(deployment: Deployment) -> tuple[bytes, bytes]:
    return b"x-goog-api-key", deployment.api_key.encode()


class Native(Upstream, frozen=True):
    """Google, asked in its own language."""

    async def send(self, path: str, content_type: bytes, body: bytes, *, patience: float = 0.0) -> Response:
        deployment = self.deployment
        return await pool().request(
            "POST",
            deployment.base_url + path,
            headers=((b"content-type", content_type), key_header(deployment)),
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


async def ask(deployment: Deployment, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """The JSON object of a 200. Raises `ProviderError`, also for an error that came with a 200."""
    upstream = native(deployment)
    response = await pool().request(
        method,
        deployment.base_url + path,
        headers=(key_header(deployment), *(((b"content-type", JSON),) if body is not None else ())),
        body=b"" if body is None else msgspec.json.encode(body),
        first_byte_timeout=deployment.timeout,
        idle_timeout=deployment.timeout,
    )
    if response.status != 200:
        raise await upstream.read_error(response)
    return upstream.decode(await response.read())


def decode_base64(data: Any) -> bytes:
    """What is in base64 of either alphabet, with or without its padding: Google's own SDKs are sent both.

    Raises `ProviderError` for anything else.
    """
    try:
        decoded = b64decode(data.translate(_TO_STANDARD) + "=" * (-len(data) % 4), validate=True)
    except (AttributeError, TypeError, binascii.Error, ValueError):
        decoded = b""
    if not decoded:
        raise ProviderError(ProviderFault.BROKEN, "a file that is no base64", status=200)
    return decoded
