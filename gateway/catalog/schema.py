"""The shape of `data/<provider>.toml`: one `[[models]]` table per model.

Read strictly: an unknown key, a missing one or a wrong type stops the start with the file, the model and the key named.
Prices in credits are written as the user reads them (`2`, `0.1`); vendors' list prices are US dollars.
"""

from datetime import date
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct

from gateway.catalog.openai_parameters import (
    CHAT_OPTIONAL,
    CHAT_PARTS,
    EMBEDDING_OPTIONAL,
    SERVERS_OWN,
    TRANSCRIPTION_OPTIONAL,
    VENDORS_OWN,
    check_lists,
)

ModelType = Literal["chat", "embedding", "transcription", "image", "video"]
MODEL_TYPES: tuple[ModelType, ...] = get_args(ModelType)
Positive = Annotated[int, Meta(gt=0)]


def parse_size(size: str) -> tuple[int, int]:
    """Width and height in pixels of `1024x1024`. Raises ValueError."""
    width, x, height = size.partition("x")
    if not (x and width.isdecimal() and height.isdecimal() and width.isascii() and height.isascii()):
        raise ValueError(f"`{size}` is no size such as `1024x1024`")
    return int(width), int(height)


def lines_of(resolution: str) -> int:
    """Pixels of the shorter side of `720p`. `4k` has 2160."""
    return 2160 if resolution == "4k" else int(resolution.removesuffix("p"))


class LongContext(Struct, frozen=True, forbid_unknown_fields=True):
    """The vendor's dearer prices for a prompt of more than `above` tokens. Dollars per million tokens."""

    above: Positive
    input_usd: Decimal
    output_usd: Decimal
    # Where the vendor names none, tokens read from its cache cost what others do.
    cached_usd: Decimal | None = None

    @property
    def cached(self) -> Decimal:
        return self.input_usd if self.cached_usd is None else self.cached_usd


class ChatSpec(Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """`input_usd`, `output_usd`, `cached_usd`: the vendor's list prices, dollars per million tokens.

    Both prices 0: the model's base price covers every request, whatever its length. `context` counts the tokens of
    prompt and answer together.
    """

    context: Positive
    max_output: Positive
    input_usd: Decimal
    output_usd: Decimal
    cached_usd: Decimal | None = None
    # From the lowest `above` to the highest.
    long_context: tuple[LongContext, ...] = ()
    vision: bool = False
    # A picture may come as an address, which the server fetches itself; otherwise as a data URI alone.
    image_urls: bool = True
    tools: bool = True
    # A tool can be forced by `tool_choice` (required, or named), though the model does not choose one by itself.
    forced_tools: bool = False
    # Answers in one request. 128 is OpenAI's own limit.
    max_n: Annotated[int, Meta(ge=1, le=128)] = 128
    # The name that the vendor wants for the output limit.
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    # Which of OpenAI's two APIs the vendor serves the model by.
    api: Literal["chat_completions", "responses"] = "chat_completions"
    # Sent where the client asks for no effort of its own.
    reasoning_effort: str | None = None
    # Sent where the client names no limit: some small models never come to an end by themselves.
    default_output: Positive | None = None
    # Sent where the client sends no system message: some small models ramble without one.
    system_prompt: str | None = None
    # Parameters of OpenAI's, and parts of a message, that the model lacks: those that would change the answer's
    # meaning, and harmless ones.
    refuses: tuple[str, ...] = ()
    ignores: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_lists(self.refuses, self.ignores, CHAT_OPTIONAL + CHAT_PARTS + SERVERS_OWN + VENDORS_OWN)
        if self.tools and self.forced_tools:
            raise ValueError("`forced_tools` is for a model without `tools`")
        if not 0 < self.max_output <= self.context:
            raise ValueError("`max_output` is not between 1 and `context`")
        tiers = (self.short_context, *self.long_context)
        for tier in tiers:
            prices = (tier.input_usd, tier.output_usd, tier.cached)
            if any(price < 0 or price * 10**6 % 1 for price in prices) or tier.cached > tier.input_usd:
                raise ValueError("a price is below 0, finer than a millionth of a dollar, or dearer cached than not")
        for shorter, longer in pairwise(tiers):
            if longer.above <= shorter.above:
                raise ValueError("`long_context` does not rise from tier to tier")
            if longer.input_usd < shorter.input_usd or longer.output_usd < shorter.output_usd:
                raise ValueError("`long_context` is cheaper than a shorter prompt")
            if longer.cached < shorter.cached:
                raise ValueError("`cached_usd` of `long_context` is cheaper than that of a shorter prompt")

    @cached_property
    def short_context(self) -> LongContext:
        """The prices of a prompt of any length, where no tier of `long_context` says otherwise."""
        return LongContext(0, self.input_usd, self.output_usd, self.cached_usd)

    @cached_property
    def takes_all_values(self) -> bool:
        """Whether whatever OpenAI's API takes in a field, the model takes in it too, unless it refuses the field."""
        return (
            self.tools
            and self.vision
            and self.image_urls
            and self.max_n == 128
            and not set(self.refuses) & set(CHAT_PARTS)
        )


class EmbeddingSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """The model's `credits` are the price of `unit_tokens` tokens or a part of them. `context`: tokens of one input."""

    dimensions: Positive
    unit_tokens: Positive = 10_000
    context: Positive = 8192
    max_inputs: Positive = 2048
    # The client may ask for fewer dimensions.
    shortens: bool = False
    token_arrays: bool = True
    # Parameters of OpenAI's that the model lacks: those that would change the answer's meaning, and harmless ones.
    refuses: tuple[str, ...] = ()
    ignores: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_lists(self.refuses, self.ignores, EMBEDDING_OPTIONAL)


class TranscriptionSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """The model's `credits` are the price of `unit_seconds` seconds of sound or a part of them."""

    unit_seconds: Positive = 10
    max_megabytes: Positive = 25
    # The longest recording.
    max_seconds: Positive = 4 * 3600
    formats: tuple[str, ...] = ("json", "text", "srt", "verbose_json", "vtt")
    # The vendor tells the times of single words.
    words: bool = False
    # Parameters of OpenAI's that the model lacks: those that would change the answer's meaning (speakers, likelihoods),
    # and harmless ones (hints, how the sound is cut).
    refuses: tuple[str, ...] = ("include", "known_speaker_names", "known_speaker_references")
    ignores: tuple[str, ...] = ("chunking_strategy", "keywords", "languages")

    def __post_init__(self) -> None:
        check_lists(self.refuses, self.ignores, TRANSCRIPTION_OPTIONAL)


class ImageSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """`sizes` lists the exact `WxH` a model has; where it is empty the model takes any size within the bounds.

    `tiers` says which size a word such as `2K` stands for. A size is priced by the tier whose pixels are closest to
    its own. `max_ratio` is that of the longer side to the shorter.
    """

    tiers: dict[str, str]
    sizes: tuple[str, ...] = ()
    min_side: Positive = 64
    max_side: Positive = 4096
    multiple: Positive = 1
    min_pixels: int = 0
    max_pixels: Positive = 16_777_216
    max_ratio: Positive = 16
    # A size that the model lacks is refused; otherwise its closest one is made.
    exact: bool = False
    max_n: Positive = 10
    # Pictures in one request to the vendor: more are asked for in several at once.
    per_call: Positive = 10
    # Reference pictures in one request.
    max_inputs: int = 0
    # The price of each of them beyond the first, once for all pictures that are made of them.
    input_credits: Decimal = Decimal(0)
    # A mask may say which parts of the first one are to change.
    mask: bool = False
    qualities: tuple[str, ...] = ()
    default_quality: str = "auto"
    formats: tuple[str, ...] = ("png",)

    def __post_init__(self) -> None:
        if not self.tiers:
            raise ValueError("`tiers` is empty")
        for size in self.sizes:
            parse_size(size)
        for tier, size in self.tiers.items():
            if not self.takes(*parse_size(size)):
                raise ValueError(f"the size of tier `{tier}`, {size}, is none of the model's")
        if self.default_quality not in ("auto", *self.qualities):
            raise ValueError("`default_quality` is none of `qualities`")
        if not self.formats:
            raise ValueError("`formats` is empty")
        if self.input_credits < 0 or self.input_credits * 1000 % 1:
            raise ValueError("`input_credits` is below 0, or has more than three decimals")
        if self.input_credits and self.max_inputs < 2:
            raise ValueError("`input_credits` needs `max_inputs` of 2 at least")
        if self.mask and not self.max_inputs:
            raise ValueError("`mask` needs `max_inputs`")

    def takes(self, width: int, height: int) -> bool:
        """Whether the model makes pictures of exactly this size."""
        if self.sizes:
            return f"{width}x{height}" in self.sizes
        short, long = sorted((width, height))
        return (
            self.min_side <= short
            and long <= self.max_side
            and width % self.multiple == 0
            and height % self.multiple == 0
            and self.min_pixels <= width * height <= self.max_pixels
            and long <= short * self.max_ratio
        )


class VideoSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """Durations in whole seconds, resolutions by name (`720p`).

    `typical_seconds` is how long a clip takes to be made, until we know it from those that were; `poll_seconds` how
    often the vendor wants to be asked for it, at most.
    """

    durations: tuple[Positive, ...]
    ratios: tuple[str, ...] = ("16:9", "9:16", "1:1")
    resolutions: tuple[str, ...] = ("720p",)
    default_duration: Positive = 5
    default_resolution: str = "720p"
    text_input: bool = True
    image_input: bool = True
    # A clip may be told the picture that it ends with, besides the one that it begins with.
    last_frame: bool = False
    # The resolutions in which it ends with a given picture, and has sound. Empty: in all.
    last_frame_in: tuple[str, ...] = ()
    audio_in: tuple[str, ...] = ()
    # The model can make sound; `default_audio`: and does, unless told otherwise.
    audio: bool = False
    default_audio: bool = False
    typical_seconds: Positive = 90
    poll_seconds: Annotated[float, Meta(gt=0)] = 5.0
    # Past it a task has failed, whatever its vendor says.
    deadline_seconds: Positive = 3600

    def __post_init__(self) -> None:
        if self.last_frame and not self.image_input:
            raise ValueError("`last_frame` needs `image_input`")
        if not {*self.last_frame_in, *self.audio_in} <= set(self.resolutions):
            raise ValueError("`last_frame_in` or `audio_in` names none of `resolutions`")
        if self.default_duration not in self.durations:
            raise ValueError("`default_duration` is none of `durations`")
        if self.default_resolution not in self.resolutions:
            raise ValueError("`default_resolution` is none of `resolutions`")
        if self.default_audio and self.audio_in:
            raise ValueError("`default_audio` is for models that have sound in all resolutions")
        if not self.ratios or not (self.text_input or self.image_input):
            raise ValueError("`ratios` is empty, or the model takes neither text nor images")
        if self.default_audio and not self.audio:
            raise ValueError("`default_audio` needs `audio`")

    def resolutions_for(self, *, audio: bool, last_frame: bool) -> tuple[str, ...]:
        """Those in which such a clip is made."""
        found = self.resolutions
        for wanted, limited in ((audio, self.audio_in), (last_frame, self.last_frame_in)):
            if wanted and limited:
                found = tuple(name for name in found if name in limited)
        return found


class Model(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, dict=True):
    """One model as the catalogue knows it. Exactly the spec of its type is present.

    `credits` is the price of the default call: a chat request within the base, one 1024x1024 picture in its default
    quality, one clip of the default duration and resolution. For embeddings and transcriptions it is the price of one
    unit, see their specs.

    `multipliers` change it: `{"tier": {"2K": 1.5}, "quality": {"low": 0.2}}`; for videos `resolution` and `audio`
    (`on`, `off`); a value that is not named costs the price as it is.

    `provider` is the name of the adapter and of the file; `vendor` is how people call the maker.
    """

    id: str
    upstream: str
    type: ModelType
    credits: Decimal
    provider: str
    vendor: str
    description: str
    chat: ChatSpec | None = None
    embedding: EmbeddingSpec | None = None
    transcription: TranscriptionSpec | None = None
    image: ImageSpec | None = None
    video: VideoSpec | None = None
    multipliers: dict[str, dict[str, Decimal]] = {}
    aliases: tuple[str, ...] = ()
    # Models of the same type that may answer in this one's place, best first.
    fallbacks: tuple[str, ...] = ()
    created: date
    # The day on which the vendor turns it off.
    retires: date | None = None
    timeout_seconds: float = 60.0
    # How the catalogue's page credits an open-weight model.
    license: str | None = None

    def __post_init__(self) -> None:
        if not (self.id and self.upstream and self.description):
            raise ValueError("`id`, `upstream` or `description` is empty")
        if self.credits <= 0 or self.credits * 1000 % 1:
            raise ValueError("`credits` is not above 0 with at most three decimals")
        if self.timeout_seconds <= 0:
            raise ValueError("`timeout_seconds` is not above 0")
        if present := [kind for kind in MODEL_TYPES if kind != self.type and getattr(self, kind) is not None]:
            raise ValueError(f"a model of type `{self.type}` has a table `{present[0]}`")
        if getattr(self, self.type) is None:
            raise ValueError(f"a model of type `{self.type}` lacks its table `{self.type}`")
        choices = self._multipliable()
        for name, values in self.multipliers.items():
            for value, factor in values.items():
                if value not in choices.get(name, ()):
                    raise ValueError(f"`multipliers.{name}.{value}` names nothing that the model offers")
                if factor <= 0:
                    raise ValueError(f"`multipliers.{name}.{value}` is not above 0")

    def _multipliable(self) -> dict[str, tuple[str, ...]]:
        if self.image is not None:
            return {"tier": tuple(self.image.tiers), "quality": self.image.qualities}
        if self.video is not None:
            return {"resolution": self.video.resolutions, "audio": ("on", "off") if self.video.audio else ()}
        return {}

    @cached_property
    def base(self) -> int:
        """Millicredits of the default call."""
        return int(self.credits * 1000)

    def multiplier(self, name: str, value: str) -> Decimal:
        """What `value` does to the price: 1 where the catalogue names nothing."""
        return self.multipliers.get(name, {}).get(value, Decimal(1))

    def is_retired(self, day: date) -> bool:
        """Whether the vendor has turned the model off on `day`."""
        return self.retires is not None and self.retires <= day
