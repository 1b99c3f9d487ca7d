"""The servers of a pool: OpenAI's API, spoken by vLLM, SGLang, llama.cpp, Ollama, TEI, speaches, or our engine.

What they add to it: every call counts as its replica's load, and says how the replica is.
"""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager

from gateway.errors import ProviderError
from gateway.providers.base import Deployment
from gateway.providers.openai_compatible import OpenAICompatible
from gateway.types import (
    ChatAnswer,
    ChatRequest,
    EmbeddingAnswer,
    EmbeddingRequest,
    Segment,
    TranscriptionAnswer,
    TranscriptionRequest,
)


class SelfHosted:
    """Chat, embeddings and transcription. All raise `ProviderError`."""

    def __init__(self) -> None:
        self._openai = OpenAICompatible()

    async def chat(self, deployment: Deployment, request: ChatRequest) -> ChatAnswer:
        with _at_work(deployment):
            return await self._openai.chat(deployment, request)

    async def stream_chat(self, deployment: Deployment, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        with _at_work(deployment):
            async with aclosing(self._openai.stream_chat(deployment, request)) as chunks:
                async for together in chunks:
                    _note_answer(deployment)
                    yield together

    async def embed(self, deployment: Deployment, request: EmbeddingRequest) -> EmbeddingAnswer:
        with _at_work(deployment):
            return await self._openai.embed(deployment, request)

    async def transcribe(self, deployment: Deployment, request: TranscriptionRequest) -> TranscriptionAnswer:
        with _at_work(deployment):
            return await self._openai.transcribe(deployment, request)

    async def stream_transcription(
        self, deployment: Deployment, request: TranscriptionRequest
    ) -> AsyncGenerator[Segment | TranscriptionAnswer, None]:
        with _at_work(deployment):
            async with aclosing(self._openai.stream_transcription(deployment, request)) as parts:
                async for part in parts:
                    _note_answer(deployment)
                    yield part


@contextmanager
def _at_work(deployment: Deployment) -> Iterator[None]:
    replica = deployment.replica
    assert replica is not None, "a pool's deployments name their replica"
    with replica.working(deployment.slot):
        try:
            yield
        except ProviderError as error:
            replica.note_failure(error.kind)
            raise
        else:
            replica.note_success()


def _note_answer(deployment: Deployment) -> None:
    """A stream counts from its first words: whoever reads it need not read it to its end."""
    assert deployment.replica is not None, "a pool's deployments name their replica"
    deployment.replica.note_success()
