"""OpenAI: what it has besides the API that other servers speak, too (`gateway.providers.openai_compatible`).

Belongs here: pictures, whole and streamed, chats with models that only its Responses API serves, and responses that a
client asked for itself.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.base import Deployment
from gateway.providers.openai import images, pass_through, responses
from gateway.providers.openai_compatible import OpenAICompatible
from gateway.providers.openai_errors import ErrorReader, classify_of_vendor
from gateway.types import ChatAnswer, ChatRequest, ImageAnswer, ImageRequest, PartialPicture


def _classify(
    status: int, body: bytes, headers: Mapping[bytes, bytes], *, secrets: Sequence[str] = ()
) -> ProviderError:
    """A 500 by which OpenAI names its own trouble passes as its 503 does.

    https://platform.openai.com/docs/guides/error-codes
    """
    error = classify_of_vendor(status, body, headers, secrets=secrets)
    if status == 500 and error.kind is ProviderFault.BROKEN and b'"server_error"' in body:
        error.kind = ProviderFault.OVERLOADED
    return error


class OpenAI(OpenAICompatible):
    """Chat by either of OpenAI's APIs, embeddings, images and transcriptions. All raise `ProviderError`."""

    def __init__(self) -> None:
        super().__init__(ErrorReader(classify=_classify))

    async def chat(self, deployment: Deployment, request: ChatRequest) -> ChatAnswer:
        if _by_responses(deployment):
            return await responses.complete(self._at(deployment), request)
        return await super().chat(deployment, request)

    def stream_chat(self, deployment: Deployment, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        if _by_responses(deployment):
            return responses.stream(self._at(deployment), request)
        return super().stream_chat(deployment, request)

    async def respond(self, deployment: Deployment, body: dict[str, Any]) -> dict[str, Any]:
        return await pass_through.respond(self._at(deployment), body)

    def stream_response(self, deployment: Deployment, body: dict[str, Any]) -> AsyncGenerator[list[bytes], None]:
        return pass_through.stream(self._at(deployment), body)

    async def generate_images(self, deployment: Deployment, request: ImageRequest) -> ImageAnswer:
        return await images.generate(self._at(deployment), request)

    def stream_images(
        self, deployment: Deployment, request: ImageRequest
    ) -> AsyncGenerator[PartialPicture | ImageAnswer, None]:
        return images.stream(self._at(deployment), request)


def _by_responses(deployment: Deployment) -> bool:
    spec = deployment.model.chat
    return spec is not None and spec.api == "responses"
