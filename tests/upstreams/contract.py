"""What every vendor's fake offers the tests that all vendors share, and the good requests that those send.

Each fake's module ends with its `CONTRACTS`, one for each capability of its vendor; `vendors.py` collects them. The
tests are tests/gateway/test_provider_contract.py (the adapter alone) and tests/api/test_vendors.py (through a gateway).

A fake is a context manager made as `fake(api_key=…)`. It answers a wrong key as its vendor does. It has `base_url`, as
`settings.PROVIDERS` wants it; `behaviour`, an object of plain fields; and `requests`, what it was sent: `Recorded` of
tests/upstreams/server.py.
"""

import asyncio
import io
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from gateway.catalog.schema import Model
from gateway.errors import ProviderFault
from gateway.providers.base import Clip, Deployment, VideoProvider
from gateway.sizes import fit_size
from gateway.types import (
    ChatRequest,
    EmbeddingRequest,
    ImageRequest,
    InputImage,
    TranscriptionRequest,
    VideoRequest,
)
from tests.recordings import recording

PROMPT = "A lighthouse in the evening"
RECORDING = recording("wav", 0.2)
# More often no test looks at a task that ends.
MOST_LOOKS = 100


@dataclass(frozen=True)
class Failure:
    """A documented way of a vendor to fail: what it means, and the fields of the fake's `behaviour` that bring it on.

    `name` tells it apart in the names of tests: `429 RESOURCE_EXHAUSTED`. `retry_after` is what the adapter reads in
    it, in seconds.
    """

    name: str
    kind: ProviderFault
    behaviour: Mapping[str, Any]
    retry_after: float | None = None


@dataclass(frozen=True)
class Contract:
    """One capability of one vendor. `model` is the catalogue's id of a model that has it."""

    provider: str
    capability: str
    model: str
    fake: Any
    failures: tuple[Failure, ...]
    # The fields of `behaviour` for what can happen to every vendor.
    hang: Mapping[str, Any] = field(default_factory=lambda: {"hang": True})
    cut: Mapping[str, Any] = field(default_factory=lambda: {"die_after": 0})
    html: Mapping[str, Any] = field(default_factory=lambda: {"html": True, "status": 502})
    html_in_200: Mapping[str, Any] = field(default_factory=lambda: {"html": True, "status": 200})
    # How keys begin; kling's older ones are pairs, `access|secret`.
    key: str = "test-key-of-the-vendor"

    @property
    def name(self) -> str:
        return f"{self.provider} {self.capability}"

    def new_key(self) -> str:
        """One that no other test has: what is noted of a key stays with it."""
        return f"{self.key}-{next(_numbers):05d}"


_numbers = itertools.count(1)


def behave(fake: Any, behaviour: Mapping[str, Any]) -> None:
    """Tells a fake how to answer from now on."""
    for name, value in behaviour.items():
        assert hasattr(fake.behaviour, name), f"{type(fake).__name__} has no behaviour `{name}`"
        setattr(fake.behaviour, name, value)


def deploy(fake: Any, model: Model, key: str, **parts: Any) -> Deployment:
    """`model` as the fake serves it."""
    defaults = {"base_url": fake.base_url, "api_key": key, "timeout": 10.0}
    return Deployment(provider=model.provider, model=model, **{**defaults, **parts})


def secrets_of(fake: Any, key: str) -> list[str]:
    """What no text that leaves us may contain."""
    return [key, *key.split("|"), f"127.0.0.1:{fake.port}"]


def png(width: int = 512, height: int = 512) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(buffer, "PNG")
    return buffer.getvalue()


def good_request(model: Model, **parts: Any) -> Any:
    """A request that `model` can answer, as the flows hand it to an adapter."""
    match model.type:
        case "chat":
            return chat_request(model, **parts)
        case "embedding":
            return embedding_request(model, **parts)
        case "image":
            return image_request(model, **parts)
        case "transcription":
            return transcription_request(model, **parts)
        case "video":
            return video_request(model, **parts)
    raise AssertionError(f"no request for a model of type {model.type}")


def chat_request(model: Model, *, stream: bool = False, max_tokens: int | None = None, **body: Any) -> ChatRequest:
    messages = body.pop("messages", [{"role": "user", "content": PROMPT}])
    return ChatRequest(
        model=model.id,
        messages=messages,
        body={"model": model.id, "messages": messages, **body},
        stream=stream,
        max_tokens=max_tokens,
        input_tokens=10,
    )


def embedding_request(model: Model, inputs: list[str] | None = None, **body: Any) -> EmbeddingRequest:
    inputs = [PROMPT, "Another text"] if inputs is None else inputs
    return EmbeddingRequest(
        model=model.id,
        inputs=inputs,
        body={"model": model.id, "input": inputs, **body},
        dimensions=body.get("dimensions"),
        input_tokens=12,
    )


def image_request(model: Model, *, size: str | None = None, inputs: int = 0, **parts: Any) -> ImageRequest:
    assert model.image is not None
    fitted = fit_size(model, size)
    defaults: dict[str, Any] = {
        "quality": model.image.default_quality,
        "output_format": model.image.formats[0],
        "body": {"model": model.id, "prompt": PROMPT},
    }
    return ImageRequest(
        model=model.id,
        prompt=PROMPT,
        width=fitted.width,
        height=fitted.height,
        tier=fitted.tier,
        inputs=[InputImage(png(), "image/png")] * inputs,
        **{**defaults, **parts},
    )


def transcription_request(model: Model, **parts: Any) -> TranscriptionRequest:
    defaults: dict[str, Any] = {"audio": RECORDING, "filename": "sentence.wav", "mime": "audio/wav", "seconds": 0.2}
    return TranscriptionRequest(model=model.id, **{**defaults, **parts})


def video_request(model: Model, *, frames: int | None = None, **parts: Any) -> VideoRequest:
    """A clip of the model's defaults, in a resolution in which it has what is asked for. `frames`: 1 is the first, 2
    the first and the last; of itself only the first one of a model that does without none."""
    assert model.video is not None
    frames = int(not model.video.text_input) if frames is None else frames
    pictures = [InputImage(png(), "image/png", 512, 512)] * frames
    audio = parts.get("audio", model.video.default_audio)
    resolutions = model.video.resolutions_for(audio=audio, last_frame=frames > 1)
    usual = model.video.default_resolution
    defaults: dict[str, Any] = {
        "prompt": PROMPT,
        "seconds": model.video.default_duration,
        "resolution": usual if usual in resolutions else resolutions[0],
        "ratio": "" if frames else model.video.ratios[0],
        "audio": audio,
        "first_frame": pictures[0] if frames else None,
        "last_frame": pictures[1] if frames > 1 else None,
        "reference": f"video_{next(_numbers):05d}",
        "body": {"model": model.id, "prompt": PROMPT},
    }
    return VideoRequest(model=model.id, **{**defaults, **parts})


async def make_video(provider: VideoProvider, deployment: Deployment, request: VideoRequest) -> Clip:
    """The clip of a task that is submitted and looked up until it ends. Raises the error of one that failed."""
    state = await provider.submit_video(deployment, request)
    for _ in range(MOST_LOOKS):
        match state.status:
            case "completed":
                assert state.clip is not None
                return state.clip
            case "failed":
                assert state.error is not None
                raise state.error
            case "cancelled":
                raise AssertionError("nobody cancelled it")
        await asyncio.sleep(0.001)
        state = await provider.look_up_video(deployment, state.id, request)
    raise AssertionError(f"after {MOST_LOOKS} looks it is {state.status}")


# The same through the gateway: the path, and what httpx posts.
def good_post(model: Model) -> tuple[str, dict[str, Any]]:
    match model.type:
        case "chat":
            messages = [{"role": "user", "content": PROMPT}]
            return "/v1/chat/completions", {"json": {"model": model.id, "messages": messages}}
        case "embedding":
            return "/v1/embeddings", {"json": {"model": model.id, "input": [PROMPT, "Another text"]}}
        case "image":
            return "/v1/images/generations", {"json": {"model": model.id, "prompt": PROMPT}}
        case "transcription":
            return "/v1/audio/transcriptions", {
                "data": {"model": model.id},
                "files": {"file": ("sentence.wav", RECORDING)},
            }
    raise AssertionError(f"no request for a model of type {model.type}")
