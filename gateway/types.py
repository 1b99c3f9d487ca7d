"""The words that flows, pricing and providers speak to each other in."""

from typing import Any, Protocol

from msgspec import Struct, field
from msgspec.structs import astuple


class Allowance(Protocol):
    """What a key may still do. `limit` is the rate a minute, `remaining` how many requests could start this moment,
    `reset` the seconds until all of them can."""

    limit: int
    remaining: int
    reset: float


class Usage(Struct, frozen=True):
    """What a call consumed. `reported` is false where the provider said nothing and we counted ourselves."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0  # the part of input_tokens that was read from a cache
    images: int = 0
    seconds: float = 0.0
    reported: bool = True

    def as_dict(self) -> dict[str, Any]:
        """For a receipt: what is not zero, and `reported`."""
        counts = {name: value for name, value in zip(_COUNTS, astuple(self), strict=False) if value}
        return {**counts, "reported": self.reported}


_COUNTS = Usage.__struct_fields__[:-1]


class ChatRequest(Struct):
    """A chat completion to make. `body` is the JSON object as the client sent it; the rest is read from it."""

    model: str
    messages: list[dict[str, Any]]
    body: dict[str, Any]
    stream: bool = False
    include_usage: bool = False
    max_tokens: int | None = None
    n: int = 1
    input_tokens: int = 0  # our estimate: UTF-8 bytes / 3, rounded up
    # `ark_stateful`: true for the session of the client's cookie, or the id of the client's own.
    stateful: bool | str = False


class EmbeddingRequest(Struct):
    """Texts, or arrays of token ids, to embed. `inputs` always is a list of several."""

    model: str
    inputs: list[str] | list[list[int]]
    body: dict[str, Any]
    base64: bool = False
    dimensions: int | None = None
    input_tokens: int = 0


class InputImage(Struct, frozen=True):
    """A picture that came with a request: sniffed, not yet decompressed."""

    data: bytes
    mime: str


class ImageRequest(Struct):
    """Pictures to make. `width` and `height` are pixels, already mapped to a size that the model has."""

    model: str
    prompt: str
    width: int
    height: int
    body: dict[str, Any]
    n: int = 1
    tier: str = "1K"
    quality: str = "auto"
    output_format: str = "png"
    inputs: list[InputImage] = field(default_factory=list)
    b64: bool = False

    @property
    def size(self) -> str:
        return f"{self.width}x{self.height}"


class ChatAnswer(Struct):
    """A whole completion: OpenAI's response object, and what it consumed."""

    body: dict[str, Any]
    usage: Usage


class EmbeddingAnswer(Struct):
    """One vector for each input, in order: floats."""

    vectors: list[list[float]]
    usage: Usage


class Picture(Struct):
    """One finished picture, encoded."""

    data: bytes
    mime: str
    revised_prompt: str | None = None


class ImageAnswer(Struct):
    pictures: list[Picture]
    usage: Usage


class TranscriptionRequest(Struct):
    """Speech to write down. `audio` is the file as it came, `mime` its type as sniffed, `seconds` its length."""

    model: str
    audio: bytes
    filename: str
    seconds: float
    mime: str = "application/octet-stream"
    language: str | None = None
    prompt: str | None = None
    temperature: float | None = None
    format: str = "json"
    words: bool = False  # the times of words are wanted
    segments: bool = True  # the times of segments are wanted
    stream: bool = False


class SpokenWord(Struct, frozen=True):
    """`start` and `end` are seconds from the beginning."""

    word: str
    start: float
    end: float


class Segment(Struct, frozen=True):
    """A sentence or so; `start` and `end` are seconds from the beginning.

    The rest is what Whisper models tell besides, where the provider passes it on: `seek` in hundredths of a second,
    `tokens` of the model's own vocabulary, mean log-probability, how repetitive the text is, how likely silence.
    """

    text: str
    start: float
    end: float
    seek: int = 0
    tokens: tuple[int, ...] = ()
    temperature: float = 0.0
    avg_logprob: float = 0.0
    compression_ratio: float = 0.0
    no_speech_prob: float = 0.0


class TranscriptionAnswer(Struct):
    """`language` is a name in English, such as `english`; `duration` is in seconds."""

    text: str
    language: str
    duration: float
    segments: list[Segment]
    words: list[SpokenWord]
    usage: Usage
