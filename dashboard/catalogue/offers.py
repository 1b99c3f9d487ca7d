"""Models as people compare them: what one costs, in credits and in money, and what it takes."""

from collections.abc import Sequence
from urllib.parse import quote

from django.conf import settings
from msgspec import Struct

from billing.amounts import credits_text, money_text
from gateway.catalog import list_models
from gateway.catalog.schema import (
    ChatSpec,
    EmbeddingSpec,
    ImageSpec,
    Model,
    ModelType,
    TranscriptionSpec,
    VideoSpec,
    lines_of,
    parse_size,
)
from gateway.routing.deployments import is_available

# In the order in which they are shown.
TYPE_NAMES: dict[ModelType, str] = {
    "image": "Images",
    "video": "Video",
    "chat": "Chat",
    "embedding": "Embeddings",
    "transcription": "Transcription",
}
# One of Lucide's icons for each.
TYPE_ICONS: dict[ModelType, str] = {
    "image": "image",
    "video": "clapperboard",
    "chat": "message-square",
    "embedding": "waypoints",
    "transcription": "audio-lines",
}
# The page of the documentation that tells about each.
TYPE_PAGES: dict[ModelType, str] = {
    "image": "/docs/images/",
    "video": "/docs/video/",
    "chat": "/docs/chat/",
    "embedding": "/docs/embeddings/",
    "transcription": "/docs/transcription/",
}
# Those that a newcomer is shown first.
SUGGESTED = (
    *("nano-banana-2", "seedream-4.5", "gpt-image-2"),
    *("seedance-1.0", "kling-v2-master", "gemini-omni-flash"),
    *("gpt-5.5", "gemini-3.8-flash", "qwen3.8-flash"),
    *("text-embedding-3-small", "gemini-embedding-2"),
    *("gpt-transcribe", "whisper-base"),
)
MINUTE, HOUR = 60, 3600


class Offer(Struct, frozen=True):
    """A model at its price: `credits` for one `unit`, which is `money` in dollars. `takes` are short facts. An empty
    `latency` is not known."""

    model: Model
    credits: str
    money: str
    unit: str
    takes: tuple[str, ...]
    latency: str = ""

    @property
    def url(self) -> str:
        return f"/models/{quote(self.model.id)}/"

    @property
    def explorer_url(self) -> str:
        """Where it can be tried."""
        return f"/explorer/?model={quote(self.model.id, safe='')}"

    @property
    def type_name(self) -> str:
        return TYPE_NAMES[self.model.type]

    @property
    def icon(self) -> str:
        return TYPE_ICONS[self.model.type]


def list_offers() -> list[Offer]:
    """All models that can be called here: by their type, the suggested ones first."""
    types, suggested = list(TYPE_NAMES), list(SUGGESTED)

    def place(model: Model) -> tuple[int, int]:
        return types.index(model.type), suggested.index(model.id) if model.id in suggested else len(suggested)

    return [offer_of(model) for model in sorted(filter(is_available, list_models()), key=place)]


def try_url() -> str:
    """Where a newcomer makes a first image: in the explorer, with the cheapest image model that is no sandbox, or with
    whatever there is."""
    images = [offer for offer in list_offers() if offer.model.type == "image"]
    by_vendors = [offer for offer in images if offer.model.provider in settings.PROVIDERS]
    cheapest = min(by_vendors or images, key=lambda offer: offer.model.base, default=None)
    return cheapest.explorer_url if cheapest else "/explorer/"


def offer_of(model: Model) -> Offer:
    return Offer(
        model=model,
        credits=credits_text(model.base),
        money=money_text(model.base),
        unit=unit_of(model),
        takes=tuple(_takes(model)),
    )


def unit_of(model: Model) -> str:
    """What a price is for: `image`, `10,000 tokens`."""
    if model.embedding is not None:
        return f"{model.embedding.unit_tokens:,} tokens"
    if model.transcription is not None:
        return f"{time_text(model.transcription.unit_seconds)} of sound"
    if model.video is not None:
        return f"clip of {model.video.default_duration} s"
    return "request" if model.type == "chat" else "image"


def time_text(seconds: int) -> str:
    """`10 s`, `60 min`, `24 h`."""
    if seconds <= 2 * MINUTE:
        return f"{seconds} s"
    return f"{seconds // MINUTE} min" if seconds <= HOUR else f"{seconds // HOUR} h"


def tokens_text(tokens: int) -> str:
    """`1.05M`, `131K`."""
    return f"{tokens / 1_000_000:.3g}M" if tokens >= 1_000_000 else f"{tokens // 1000}K"


def span(values: Sequence[object]) -> str:
    """Sorted values as they are said: `5`, `5 or 10`, `3 to 10`."""
    if len(values) < 3:
        return " or ".join(map(str, values))
    return f"{values[0]} to {values[-1]}"


def _takes(model: Model) -> list[str]:
    match getattr(model, model.type):
        case ChatSpec() as spec:
            return _chat(spec)
        case EmbeddingSpec() as spec:
            return [f"{spec.dimensions:,} dimensions", f"{spec.context:,} tokens a text"]
        case TranscriptionSpec() as spec:
            times = ["times of words"] if spec.words else []
            return [", ".join(name for name in spec.formats), *times, f"up to {time_text(spec.max_seconds)}"]
        case ImageSpec() as spec:
            return _image(spec)
        case VideoSpec() as spec:
            return _video(spec)
    return []


def _chat(spec: ChatSpec) -> list[str]:
    facts = [f"{tokens_text(spec.context)} tokens of context"]
    if spec.vision:
        facts.append("reads images")
    if spec.tools or spec.forced_tools:
        facts.append("tools")
    return facts


def _image(spec: ImageSpec) -> list[str]:
    facts = [span([tier for tier, _ in sorted(spec.tiers.items(), key=lambda entry: parse_size(entry[1]))])]
    if spec.max_inputs:
        facts.append(f"up to {spec.max_inputs} reference images" if spec.max_inputs > 1 else "one reference image")
    if spec.mask:
        facts.append("masks")
    return facts


def _video(spec: VideoSpec) -> list[str]:
    facts = [f"{span(spec.durations)} s", span([*sorted(spec.resolutions, key=lines_of)])]
    if not spec.text_input:
        facts.append("from an image")
    elif spec.image_input:
        facts.append("from text or an image")
    if spec.audio:
        facts.append("sound")
    return facts
