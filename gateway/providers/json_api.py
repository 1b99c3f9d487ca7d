"""JSON asked for and answered: what the APIs of vendors' own are spoken in, besides OpenAI's."""

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.providers.http import pool
from gateway.providers.openai_compatible.wire import JSON, Upstream


async def ask(
    upstream: Upstream,
    method: str,
    path: str,
    body: dict[str, Any] | None = None,
    *,
    headers: Sequence[tuple[bytes, bytes]] = (),
    seconds: float | None = None,
) -> dict[str, Any]:
    """The JSON object of a 200. The deployment's key goes along as a Bearer token.

    `seconds` is the wait for a first byte, where it is not the deployment's. Raises `ProviderError`, also for an error
    that came with a 200.
    """
    deployment = upstream.deployment
    seconds = deployment.timeout if seconds is None else seconds
    response = await pool().request(
        method,
        deployment.base_url + path,
        headers=(
            (b"authorization", b"Bearer " + deployment.api_key.encode()),
            *(((b"content-type", JSON),) if body is not None else ()),
            *headers,
        ),
        body=b"" if body is None else msgspec.json.encode(body),
        first_byte_timeout=seconds,
        idle_timeout=seconds,
    )
    if response.status != 200:
        raise await upstream.read_error(response)
    return upstream.decode(await response.read())
