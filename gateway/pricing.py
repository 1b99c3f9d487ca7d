"""What a call will cost at most, and what it did cost: pure functions of the catalogue, the request and the usage.

Amounts are integer millicredits (1 credit = 1000). Every price is worked out exactly and rounded up, once, here.
"""

from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from gateway.catalog.schema import (
    ChatSpec,
    EmbeddingSpec,
    ImageSpec,
    Model,
    TranscriptionSpec,
    VideoSpec,
)
from gateway.types import ChatRequest, EmbeddingRequest, ImageRequest, Usage

# What the base price of a chat covers, in tokens of the whole request.
BASE_INPUT_TOKENS = 4_000
BASE_OUTPUT_TOKENS = 1_000
# The answer that is held for where the client sets no limit, in tokens of each choice.
DEFAULT_OUTPUT_TOKENS = 4_000
BYTES_PER_TOKEN = 3
# Reference pictures that the price of a picture includes.
INCLUDED_INPUTS = 1

# Tokens beyond the base cost the vendor's list price x 1.3, and a credit is 0.04 dollars: a dollar per million tokens
# is 0.0325 millicredits a token. Rates are integers in parts of a millicredit, so small that any list price is exact.
PARTS = 10**10
PARTS_PER_DOLLAR = Decimal(325_000_000)

S = TypeVar("S")


class Line(Struct, frozen=True):
    """One line of a quote: `quantity` pieces of `item`, together `amount` millicredits."""

    item: str
    quantity: int
    amount: int


class Quote(Struct, frozen=True):
    """What a call may cost. It keeps the model as it was, so that a price changed meanwhile does not touch the call.

    `base` is the least that a balance must cover: the call with as much output as the model's base price includes.
    `ceiling` is the most it can cost, which is held. `unit` is the price of one piece: a picture, a clip, a unit of
    tokens or seconds; of a chat, the model's base price. `inputs` is the price of the pictures that others are made of,
    however many come of it. The lines of `breakdown` add up to the ceiling.
    """

    model: Model
    base: int
    ceiling: int
    unit: int
    breakdown: tuple[Line, ...]
    inputs: int = 0


def estimate_tokens(text_bytes: int) -> int:
    """About how many tokens so many bytes of UTF-8 are."""
    return -(-text_bytes // BYTES_PER_TOKEN)


def quote(model: Model, request: ChatRequest | EmbeddingRequest | ImageRequest) -> Quote:
    """What `model`, which is of the request's type, takes for `request`."""
    if isinstance(request, ChatRequest):
        return _quote_chat(model, request)
    if isinstance(request, EmbeddingRequest):
        spec = _spec(model, EmbeddingSpec)
        units = _units(request.input_tokens, spec.unit_tokens)
        return _quote_pieces(model, f"{spec.unit_tokens:,} tokens or part", units, model.base)
    return _quote_images(model, request)


def quote_transcription(model: Model, seconds: float | Fraction) -> Quote:
    """What `model` takes for so many seconds of sound."""
    spec = _spec(model, TranscriptionSpec)
    units = _units(_milliseconds(seconds), spec.unit_seconds * 1000)
    return _quote_pieces(model, f"{spec.unit_seconds:,} seconds or part", units, model.base)


def quote_video(model: Model, seconds: int, resolution: str, audio: bool) -> Quote:
    """What `model` takes for a clip. Its price is for what was asked, whatever a vendor's clip really lasts."""
    spec = _spec(model, VideoSpec)
    unit = ceil(
        Fraction(model.base * seconds, spec.default_duration)
        * Fraction(model.multiplier("resolution", resolution))
        * Fraction(model.multiplier("audio", "on" if audio else "off"))
    )
    sound = ", with sound" if audio else ""
    return _quote_pieces(model, f"clip of {seconds} seconds in {resolution}{sound}", 1, unit)


def price(quote: Quote, usage: Usage) -> int:
    """Millicredits for what was delivered, at the prices of `quote`.

    More than the quote's ceiling only where a provider counted more tokens than was held for.
    """
    match quote.model.type:
        case "chat":
            return _price_chat(quote, usage)
        case "embedding":
            return quote.unit * _units(usage.input_tokens, _spec(quote.model, EmbeddingSpec).unit_tokens)
        case "image":
            return min(quote.unit * usage.images + quote.inputs, quote.ceiling) if usage.images else 0
        case "transcription":
            unit_seconds = _spec(quote.model, TranscriptionSpec).unit_seconds
            return min(quote.unit * _units(_milliseconds(usage.seconds), unit_seconds * 1000), quote.ceiling)
        case "video":
            return quote.ceiling


def affordable_output(quote: Quote, held: int, request: ChatRequest) -> int:
    """The most output tokens of each choice that `held` millicredits pay for, whatever the prompt turns out to hold.

    At least what the model's base price includes, if `held` covers the quote's base. At most what the model can write.
    """
    spec = _spec(quote.model, ChatSpec)
    rates = _rates(spec, request.input_tokens)
    left = (held - quote.model.base) * PARTS - _extra_input(request.input_tokens) * rates.input
    if left < 0:
        return 0
    if rates.output == 0:
        return spec.max_output
    return min(spec.max_output, (BASE_OUTPUT_TOKENS + left // rates.output) // request.n)


def describe_price(model: Model) -> dict[str, Any]:
    """What the catalogue tells programs of a price: `unit`, `credits` for the default call, and what changes it.

    Credits are numbers with up to three decimals; those of tokens beyond a chat's base are for a million of them.
    """
    description: dict[str, Any] = {"unit": _unit_name(model), "credits": _number(model.credits)}
    if model.video is not None:
        description["seconds"] = model.video.default_duration
    if model.chat is not None and (model.chat.input_usd or model.chat.output_usd):
        rates = _rates(model.chat, 0)
        description |= {
            "included": {"input_tokens": BASE_INPUT_TOKENS, "output_tokens": BASE_OUTPUT_TOKENS},
            "beyond_per_million": {
                "input_tokens": _credits_per_million(rates.input),
                "cached_tokens": _credits_per_million(rates.cached),
                "output_tokens": _credits_per_million(rates.output),
            },
        }
    if model.image is not None and model.image.input_credits:
        description["reference_images"] = {
            "included": INCLUDED_INPUTS,
            "credits_beyond": _number(model.image.input_credits),
        }
    for name, values in model.multipliers.items():
        description[name] = {value: _number(factor) for value, factor in values.items()}
    return description


def _unit_name(model: Model) -> str:
    if model.embedding is not None:
        return f"{model.embedding.unit_tokens} tokens"
    if model.transcription is not None:
        return f"{model.transcription.unit_seconds} seconds"
    return "request" if model.type == "chat" else model.type


def _credits_per_million(parts: int) -> int | float:
    return _number(Decimal(parts) * 1_000_000 / PARTS / 1000)


def _number(value: Decimal) -> int | float:
    """For JSON: whole numbers without a point."""
    return int(value) if value == int(value) else float(value)


class _Rates(Struct, frozen=True):
    """Parts of a millicredit per token."""

    input: int
    cached: int
    output: int


def _rates(spec: ChatSpec, input_tokens: int) -> _Rates:
    """The prices for a prompt of this length."""
    tier = spec.short_context
    for longer in spec.long_context:
        if input_tokens > longer.above:
            tier = longer
    return _rates_of(tier.input_usd, tier.cached, tier.output_usd)


@lru_cache(maxsize=256)
def _rates_of(input_usd: Decimal, cached_usd: Decimal, output_usd: Decimal) -> _Rates:
    return _Rates(
        input=int(input_usd * PARTS_PER_DOLLAR),
        cached=int(cached_usd * PARTS_PER_DOLLAR),
        output=int(output_usd * PARTS_PER_DOLLAR),
    )


def _quote_chat(model: Model, request: ChatRequest) -> Quote:
    spec = _spec(model, ChatSpec)
    rates = _rates(spec, request.input_tokens)
    extra_input = _extra_input(request.input_tokens)
    most_output = min(request.max_tokens or DEFAULT_OUTPUT_TOKENS, spec.max_output) * request.n
    extra_output = max(0, most_output - BASE_OUTPUT_TOKENS)
    input_parts = extra_input * rates.input
    base = model.base + _round_up(input_parts)
    ceiling = model.base + _round_up(input_parts + extra_output * rates.output)
    lines = [Line("request", 1, model.base)]
    if base > model.base:
        lines.append(Line(f"input tokens beyond {BASE_INPUT_TOKENS:,}", extra_input, base - model.base))
    if ceiling > base:
        lines.append(Line(f"output tokens beyond {BASE_OUTPUT_TOKENS:,}, at most", extra_output, ceiling - base))
    return Quote(model=model, base=base, ceiling=ceiling, unit=model.base, breakdown=tuple(lines))


def _price_chat(quote: Quote, usage: Usage) -> int:
    rates = _rates(_spec(quote.model, ChatSpec), usage.input_tokens)
    # Cached tokens have a price of their own. All others of the input share one, and so do all of the output.
    dear = usage.input_tokens - usage.cached_tokens
    # What the base includes is counted off the dear tokens first.
    extra_dear = _extra_input(dear)
    extra_cached = _extra_input(usage.input_tokens) - extra_dear
    extra_output = max(0, usage.output_tokens - BASE_OUTPUT_TOKENS)
    return quote.model.base + _round_up(
        extra_dear * rates.input + extra_cached * rates.cached + extra_output * rates.output
    )


def _quote_images(model: Model, request: ImageRequest) -> Quote:
    spec = _spec(model, ImageSpec)
    unit = ceil(
        model.base
        * Fraction(model.multiplier("tier", request.tier))
        * Fraction(model.multiplier("quality", request.quality))
    )
    quality = "" if request.quality == "auto" else f", quality {request.quality}"
    quoted = _quote_pieces(model, f"picture of {request.size}{quality}", request.n, unit)
    extra = max(0, len(request.inputs) - INCLUDED_INPUTS)
    inputs = extra * int(spec.input_credits * 1000)
    if not inputs:
        return quoted
    line = Line(f"reference pictures beyond {INCLUDED_INPUTS}", extra, inputs)
    amount = quoted.ceiling + inputs
    return replace(quoted, base=amount, ceiling=amount, breakdown=(*quoted.breakdown, line), inputs=inputs)


def _quote_pieces(model: Model, item: str, pieces: int, unit: int) -> Quote:
    amount = pieces * unit
    return Quote(model=model, base=amount, ceiling=amount, unit=unit, breakdown=(Line(item, pieces, amount),))


def _extra_input(tokens: int) -> int:
    return max(0, tokens - BASE_INPUT_TOKENS)


def _round_up(parts: int) -> int:
    return -(-parts // PARTS)


def _units(quantity: int, size: int) -> int:
    """How many units are begun; one at least."""
    return max(1, -(-quantity // size))


def _milliseconds(seconds: float | Fraction) -> int:
    """Whole milliseconds: 30 seconds that a decoder reports as 30.000000000000004 are not a fourth unit of 10."""
    return round(Fraction(seconds) * 1000)


def _spec(model: Model, kind: type[S]) -> S:
    """What the catalogue says of a model of this kind."""
    spec = getattr(model, model.type)
    if not isinstance(spec, kind):
        raise TypeError(f"`{model.id}` is of type `{model.type}`, which has no {kind.__name__}")
    return spec
