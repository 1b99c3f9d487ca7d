"""What an adapter offers: one small protocol per capability. It implements those that its provider has.

An adapter speaks the provider's wire format, returns our types, and raises `ProviderError`. It knows nothing of
credits, limits or users.
"""

from collections.abc import AsyncGenerator
from typing import Any, Literal, Protocol, runtime_checkable

from msgspec import Struct

from gateway.catalog.schema import Model
from gateway.errors import ProviderError
from gateway.pools.replica import Replica
from gateway.types import (
    ChatAnswer,
    ChatRequest,
    EmbeddingAnswer,
    EmbeddingRequest,
    ImageAnswer,
    ImageRequest,
    PartialPicture,
    Segment,
    TranscriptionAnswer,
    TranscriptionRequest,
    VideoRequest,
)

# Characters. No provider's keys are shorter.
SHORTEST_SECRET = 8


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

    @property
    def secrets(self) -> list[str]:
        """What no message may repeat: the key, and its parts where it is two in one (`access|secret`).

        Not a part so short that it is found in any text.
        """
        parts = self.api_key.split("|")
        return [self.api_key, *(part for part in parts if len(part) >= SHORTEST_SECRET and part != self.api_key)]

    @property
    def is_external(self) -> bool:
        """Whether somebody else answers, who is paid: neither a server of one's own nor the sandbox."""
        return self.replica is None and bool(self.api_key)


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
class ResponsesProvider(Protocol):
    """A provider whose models speak OpenAI's Responses API. `body` is a client's, but for what is ours to decide."""

    async def respond(self, deployment: Deployment, body: dict[str, Any]) -> dict[str, Any]:
        """The whole `response` object, complete or incomplete; a failed one raises `ProviderError`."""
        ...

    def stream_response(self, deployment: Deployment, body: dict[str, Any]) -> AsyncGenerator[list[bytes], None]:
        """The response's events as they came, those that arrived together in one list; the last one is its end.

        A stream that fails or is cut before raises `ProviderError`. Closing the iterator closes the connection.
        """
        ...


@runtime_checkable
class EmbeddingProvider(Protocol):
    async def embed(self, deployment: Deployment, request: EmbeddingRequest) -> EmbeddingAnswer: ...


@runtime_checkable
class ImageProvider(Protocol):
    async def generate_images(self, deployment: Deployment, request: ImageRequest) -> ImageAnswer:
        """At most `request.n` pictures, in one request to the provider: `n` is never above the model's `per_call`.

        Where some fail, those that did not; where all fail, the first one's `ProviderError`.
        """
        ...


@runtime_checkable
class ImageStreamProvider(Protocol):
    def stream_images(
        self, deployment: Deployment, request: ImageRequest
    ) -> AsyncGenerator[PartialPicture | ImageAnswer, None]:
        """Sketches as they come, at most `request.partial_images` of each picture, then the whole answer.

        The answer is that of `generate_images`; a stream that is cut before it raises `ProviderError`. Closing the
        iterator closes the connection to the provider.
        """
        ...


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


class Clip(Struct, frozen=True):
    """A finished video: encoded, as `data`, or still at the provider, at `url`, where it is asked for with `headers`.

    `seconds` is its real length, where the provider tells it.
    """

    url: str = ""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    data: bytes = b""
    seconds: float | None = None


class VideoState(Struct, frozen=True):
    """A task at a provider, as it is now. `id` is the provider's own.

    `progress` is the provider's word for it, 0 to 100; None where it says nothing. One that completed has its `clip`,
    one that failed its `error`, the reason. `wait`: seconds until it is worth looking again, where the provider says.
    """

    id: str
    status: Literal["queued", "running", "completed", "failed", "cancelled"]
    progress: float | None = None
    clip: Clip | None = None
    error: ProviderError | None = None
    wait: float | None = None


@runtime_checkable
class VideoProvider(Protocol):
    """What is raised says that the asking failed, and nothing of the task: a task that failed is a state of it.

    `request` is the task's own in both, as it was submitted; in a look its pictures are without their bytes, unless the
    provider `looks_at_frames`. One that `calls_back` tells at `VideoRequest.callback_url` when a task has changed.
    """

    calls_back: bool
    looks_at_frames: bool

    async def submit_video(self, deployment: Deployment, request: VideoRequest) -> VideoState:
        """The task as it was accepted. Asked once for each: whatever is raised with `may_have_begun` is its end."""
        ...

    async def look_up_video(self, deployment: Deployment, task_id: str, request: VideoRequest) -> VideoState:
        """The task by the provider's id. A provider that does not know it (any more) has failed it."""
        ...


@runtime_checkable
class TraceableVideoProvider(Protocol):
    """A provider that knows its tasks by `VideoRequest.reference`, too, and takes each reference once."""

    async def find_video(self, deployment: Deployment, request: VideoRequest) -> VideoState | None:
        """The task that was submitted with this reference; None where it never arrived."""
        ...


@runtime_checkable
class CancellableVideoProvider(Protocol):
    async def cancel_video(self, deployment: Deployment, task_id: str) -> bool:
        """Whether the task is cancelled now, and not paid for; False where it goes on, or has ended."""
        ...
