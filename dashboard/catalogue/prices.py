"""What a model's price depends on, as a table: worked out by the same `gateway.pricing` that charges."""

from decimal import ROUND_HALF_UP, Decimal

from msgspec import Struct

from billing.amounts import credits_text, money_text
from dashboard.catalogue.offers import HOUR, span, time_text
from gateway.catalog.schema import ChatSpec, EmbeddingSpec, ImageSpec, Model, TranscriptionSpec, VideoSpec, parse_size
from gateway.pricing import (
    BASE_INPUT_TOKENS,
    BASE_OUTPUT_TOKENS,
    PARTS,
    PARTS_PER_DOLLAR,
    quote,
    quote_transcription,
    quote_video,
)
from gateway.types import EmbeddingRequest, ImageRequest

MILLION = 1_000_000
# Lengths of a clip that are shown where a model has many.
SHOWN_DURATIONS = 4


class Price(Struct, frozen=True):
    credits: str
    money: str


class Row(Struct, frozen=True):
    """`more` explains the name."""

    name: str
    prices: list[Price]
    more: str = ""


class PriceTable(Struct, frozen=True):
    """`heads` are those of the columns, the first of which names the rows. `notes` tell the rest, also without rows."""

    notes: list[str]
    title: str = ""
    heads: list[str] = []
    rows: list[Row] = []


def price_table(model: Model) -> PriceTable:
    """What calls of `model` cost; without rows where it is one price for all."""
    match getattr(model, model.type):
        case ChatSpec() as spec:
            return _chat(spec)
        case ImageSpec() as spec:
            return _image(model, spec)
        case VideoSpec() as spec:
            return _video(model, spec)
        case EmbeddingSpec() as spec:
            unit = quote(model, EmbeddingRequest(model=model.id, inputs=[], body={}, input_tokens=MILLION))
            rows = [Row("A million tokens", [_price(unit.ceiling)])] if spec.unit_tokens < MILLION else []
            note = f"Each {spec.unit_tokens:,} tokens that are begun count."
            return PriceTable([note], "What that comes to", ["Example", "Price"], rows)
        case TranscriptionSpec() as spec:
            rows = [Row("An hour of sound", [_price(quote_transcription(model, HOUR).ceiling)])]
            note = f"Each {time_text(spec.unit_seconds)} that are begun count."
            return PriceTable(
                [note], "What that comes to", ["Example", "Price"], rows if spec.unit_seconds < HOUR else []
            )
    return PriceTable([])


def _image(model: Model, spec: ImageSpec) -> PriceTable:
    qualities = (*spec.qualities, "auto") if "quality" in model.multipliers else ("auto",)
    rows = []
    for tier, size in sorted(spec.tiers.items(), key=lambda entry: parse_size(entry[1])):
        width, height = parse_size(size)
        requests = [ImageRequest(model.id, "", width, height, {}, tier=tier, quality=quality) for quality in qualities]
        rows.append(Row(tier, [_price(quote(model, request).unit) for request in requests], size))
    is_one_price = len({price for row in rows for price in row.prices}) == 1
    notes = ["Every size costs the same."] if is_one_price and len(rows) > 1 else []
    if not is_one_price:
        notes.append("Any other size is priced as the closest of the table.")
    if spec.input_credits:
        each = _price(int(spec.input_credits * 1000))
        notes.append(
            f"The first reference image is included; each further one costs {each.credits} "
            f"credit{'' if each.credits == '1' else 's'} ({each.money})."
        )
    heads = list(qualities) if len(qualities) > 1 else ["Price"]
    title = "Prices by size and quality" if len(heads) > 1 else "Prices by size"
    return PriceTable(notes, title, ["Size", *heads], [] if is_one_price else rows)


def _video(model: Model, spec: VideoSpec) -> PriceTable:
    durations = spec.durations
    if len(durations) > SHOWN_DURATIONS:
        durations = tuple(sorted({durations[0], spec.default_duration, durations[-1]}))
    sounds = (False, True) if "audio" in model.multipliers else (spec.default_audio,)
    rows = []
    for resolution in spec.resolutions:
        for sound in sounds:
            if resolution in spec.resolutions_for(audio=sound, last_frame=False):
                said = ("with sound" if sound else "silent") if len(sounds) > 1 else ""
                prices = [_price(quote_video(model, seconds, resolution, sound).ceiling) for seconds in durations]
                rows.append(Row(f"{resolution} {said}".strip(), prices))
    notes = [f"Lengths of {span(spec.durations)} s; the price grows with them."] if len(spec.durations) > 1 else []
    if spec.audio and len(sounds) == 1:
        notes.append("Sound costs nothing extra.")
    heads = ["Resolution", *(f"{seconds} s" for seconds in durations)]
    return PriceTable(notes, "Prices by resolution and length", heads, rows)


def _chat(spec: ChatSpec) -> PriceTable:
    if not (spec.input_usd or spec.output_usd):
        return PriceTable(["This price covers every request, whatever its length."])
    tiers = (spec.short_context, *spec.long_context)
    heads = ["Price"]
    if spec.long_context:
        bounds = [tier.above for tier in spec.long_context]
        heads = [f"Prompt up to {bounds[0]:,}", *(f"above {bound:,}" for bound in bounds)]
    rows = [
        Row("Input", [_per_million(tier.input_usd) for tier in tiers]),
        Row("Cached input", [_per_million(tier.cached) for tier in tiers]),
        Row("Output", [_per_million(tier.output_usd) for tier in tiers]),
    ]
    note = (
        f"It covers {BASE_INPUT_TOKENS:,} input and {BASE_OUTPUT_TOKENS:,} output tokens. What goes beyond is charged "
        "by the token."
    )
    return PriceTable([note], "A million tokens beyond the price of a request", ["Tokens", *heads], rows)


def _per_million(usd: Decimal) -> Price:
    """The price of a million tokens whose vendor takes so many dollars for them."""
    millicredits = usd * PARTS_PER_DOLLAR * MILLION / PARTS
    return _price(int(millicredits.quantize(Decimal(1), ROUND_HALF_UP)))


def _price(millicredits: int) -> Price:
    return Price(credits_text(millicredits), money_text(millicredits))
