"""What an adapter offers: one small protocol per capability. It implements those that its provider has.

An adapter speaks the provider's wire format, returns our types, and raises `ProviderError`. It knows nothing of
credits, limits or users.
"""

from collections.abc import AsyncGenerator
from typing import Protocol, runtime_checkable

from msgspec import Struct

from gateway.catalog.schema import Model
from gateway.pools.replica import Replica
from gateway.types import (
    ChatAnswer,
    ChatRequest,
    EmbeddingAnswer,
    EmbeddingRequest,
    ImageAnswer,
    ImageRequest,
    Segment,
    TranscriptionAnswer,
    TranscriptionRequest,
)


class Deployment(Struct, frozen=True):
    """A place where a model answers: whose adapter, under which name there, at which address, with which key.

    `model` is the catalogue's entry of the model that runs there (for a stand-in: the stand-in's). `timeout` is the
    wait for a first byte, in seconds. In a pool, `replica` is the server at the address, and `slot` the place in a
    llama.cpp server that keeps the conversation's state.
    """

    provider: str
    model: Model
    base_url: str = ""
    api_key: str = ""
    timeout: float = 60.0
    stand_in: bool = False
    replica: Replica | None = None
    slot: int | None = None

    @property
    def upstream(self) -> str:
        """The model's name at the provider."""
        return self.model.upstream

    @property
    def label(self) -> str:
        """How answers and receipts name who served: `provider/model`."""
        return f"{self.provider}/{self.model.upstream}"


@runtime_checkable
class ChatProvider(Protocol):
    async def chat(self, deployment: Deployment, request: ChatRequest) -> ChatAnswer:
        """The whole completion."""
        ...

    def stream_chat(self, deployment: Deployment, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        """The completion's chunks: JSON objects as they came, those that arrived together in one list.

        Ends after the last chunk (the one with usage, where the provider reports it); a stream that is cut before
        raises `ProviderError`. Closing the iterator closes the connection to the provider.
        """
        ...


@runtime_checkable
class EmbeddingProvider(Protocol):
    async def embed(self, deployment: Deployment, request: EmbeddingRequest) -> EmbeddingAnswer: ...


@runtime_checkable
class ImageProvider(Protocol):
    async def generate_images(self, deployment: Deployment, request: ImageRequest) -> ImageAnswer: ...


@runtime_checkable
class TranscriptionProvider(Protocol):
    async def transcribe(self, deployment: Deployment, request: TranscriptionRequest) -> TranscriptionAnswer: ...

    def stream_transcription(
        self, deployment: Deployment, request: TranscriptionRequest
    ) -> AsyncGenerator[Segment | TranscriptionAnswer, None]:
        """The transcript's segments as they are heard, then the whole answer.

        A provider that cannot stream may give the answer alone. Closing the iterator lets the provider go.
        """
        ...
