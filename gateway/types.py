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
    """What a call consumed. `reported` is false where the provider said nothing and we counted ourselves.

    `input_tokens` and `output_tokens` are totals. The other tokens are parts of them, and no token is in two parts:
    an input is fresh, cached, cache_write, input_audio and input_image; an output is written, reasoning, output_audio
    and output_image. Raises `ValueError` where the parts of a total are more than it.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0  # read from the provider's cache
    cache_write_tokens: int = 0  # put into it
    input_audio_tokens: int = 0
    input_image_tokens: int = 0
    reasoning_tokens: int = 0
    output_audio_tokens: int = 0
    output_image_tokens: int = 0
    images: int = 0
    seconds: float = 0.0
    reported: bool = True

    def __post_init__(self) -> None:
        if self.fresh_tokens < 0 or self.written_tokens < 0 or min(astuple(self)) < 0:
            raise ValueError(f"parts of a usage that do not add up to it: {self}")

    @property
    def fresh_tokens(self) -> int:
        """The rest of the input: text that the provider read as new."""
        parts = self.cached_tokens + self.cache_write_tokens + self.input_audio_tokens + self.input_image_tokens
        return self.input_tokens - parts

    @property
    def written_tokens(self) -> int:
        """The rest of the output: the answer's text."""
        return self.output_tokens - self.reasoning_tokens - self.output_audio_tokens - self.output_image_tokens

    def as_dict(self) -> dict[str, Any]:
        """For a receipt: what is not zero, and `reported`. The rest of a total that has parts is named, too."""
        counts = {name: value for name, value in zip(_COUNTS, astuple(self), strict=False) if value}
        if 0 < self.fresh_tokens < self.input_tokens:
            counts["fresh_tokens"] = self.fresh_tokens
        if 0 < self.written_tokens < self.output_tokens:
            counts["written_tokens"] = self.written_tokens
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
    """A picture that came with a request: sniffed, not yet decompressed. Its pixels are what its header says."""

    data: bytes
    mime: str
    width: int = 0
    height: int = 0


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
    # Where the first of `inputs` may be changed: its transparent parts.
    mask: InputImage | None = None
    # How many sketches of a picture a stream should show before it.
    partial_images: int = 0
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
    """One finished picture: encoded, as `data`, or still at the provider, at `url`.

    An address of a provider's never leaves us: it is copied to our storage first.
    """

    data: bytes = b""
    mime: str = "image/png"
    revised_prompt: str | None = None
    url: str = ""


class PartialPicture(Struct, frozen=True):
    """A sketch of picture number `picture` while it is being made, the `index`-th of it. Both count from 0."""

    data: bytes
    mime: str = "image/png"
    index: int = 0
    picture: int = 0


class ImageAnswer(Struct):
    """The pictures that were made. Fewer than asked for where the provider failed some of them; never none."""

    pictures: list[Picture]
    usage: Usage


class VideoRequest(Struct):
    """A clip to make, in values that the model has. `seconds` is its length, `ratio` is `16:9`, `resolution` `720p`.

    `ratio` is empty where it is to be the first frame's own. `reference` is our id of the task: a provider that takes
    one makes no second clip for it. At `callback_url`, if there is one, it may tell that something has changed. `body`
    is what the client sent besides the pictures, of which adapters pass on what is the vendor's own.
    """

    model: str
    prompt: str
    seconds: int
    resolution: str
    reference: str
    body: dict[str, Any]
    ratio: str = ""
    audio: bool = False
    first_frame: InputImage | None = None
    last_frame: InputImage | None = None
    callback_url: str = ""


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
