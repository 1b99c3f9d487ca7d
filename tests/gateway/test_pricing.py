"""What calls cost: whole millicredits, rounded up once, never above the quote for what was asked."""

from decimal import Decimal
from fractions import Fraction
from math import ceil

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.catalog import get_model, list_models
from gateway.catalog.loader import load_catalogue
from gateway.catalog.schema import ChatSpec, LongContext, Model
from gateway.pricing import (
    affordable_output,
    describe_price,
    estimate_tokens,
    price,
    quote,
    quote_transcription,
    quote_video,
)
from gateway.types import ChatRequest, EmbeddingRequest, ImageRequest, InputImage, Usage

CHATS = [model for model in list_models() if model.type == "chat"]
PRICED_CHATS = [model for model in CHATS if model.chat.output_usd]
IMAGES = [model for model in list_models() if model.type == "image"]
VIDEOS = [model for model in list_models() if model.type == "video"]

tokens = st.integers(0, 1_200_000)
outputs = st.integers(0, 130_000)
chats = st.sampled_from(CHATS)
usd = st.decimals(Decimal("0.000001"), 100, places=6)


def chat(input_tokens: int = 10, max_tokens: int | None = None, n: int = 1) -> ChatRequest:
    return ChatRequest(model="any", messages=[], body={}, input_tokens=input_tokens, max_tokens=max_tokens, n=n)


def image(n: int = 1, tier: str = "1K", quality: str = "auto") -> ImageRequest:
    return ImageRequest(model="any", prompt="x", width=1024, height=1024, body={}, n=n, tier=tier, quality=quality)


def embedding(input_tokens: int) -> EmbeddingRequest:
    return EmbeddingRequest(model="any", inputs=["x"], body={}, input_tokens=input_tokens)


def exact_chat_price(model: Model, usage: Usage) -> Fraction:
    """The contract's sentence, in fractions: base, and beyond it the vendor's list price x 1.3 at 0.04 dollars."""
    spec = model.chat
    tier = LongContext(1, spec.input_usd, spec.output_usd, spec.cached_usd)
    for longer in spec.long_context:
        if usage.input_tokens > longer.above:
            tier = longer
    cached = min(usage.cached_tokens, usage.input_tokens)
    dear = usage.input_tokens - cached
    cached_usd = tier.input_usd if tier.cached_usd is None else tier.cached_usd
    dollars = (
        max(0, dear - 4000) * Fraction(tier.input_usd)
        + max(0, cached - max(0, 4000 - dear)) * Fraction(cached_usd)
        + max(0, usage.output_tokens - 1000) * Fraction(tier.output_usd)
    ) / 1_000_000
    return Fraction(model.credits) * 1000 + dollars * Fraction("1.3") / Fraction("0.04") * 1000


# --- Chat ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", CHATS, ids=lambda model: model.id)
def test_a_usual_chat_costs_the_base_price(model):
    for usage in (Usage(), Usage(input_tokens=12, output_tokens=30), Usage(input_tokens=4000, output_tokens=1000)):
        assert price(quote(model, chat()), usage) == model.credits * 1000


def test_a_quote_of_a_chat_names_base_and_ceiling():
    offer = quote(get_model("gpt-5.5"), chat(10))
    # 3,000 output tokens of the 4,000 held for are beyond the base: 30 dollars per million x 1.3 / 0.04.
    assert (offer.base, offer.ceiling, offer.unit) == (5000, 7925, 5000)
    assert [(line.quantity, line.amount) for line in offer.breakdown] == [(1, 5000), (3000, 2925)]


def test_the_ceiling_follows_what_the_client_allows_and_the_model_can_write():
    model = get_model("gpt-5.5")
    assert quote(model, chat(max_tokens=100)).ceiling == 5000
    assert quote(model, chat(max_tokens=2000, n=2)).ceiling == 5000 + 2925
    assert quote(model, chat(max_tokens=10**9)).ceiling == quote(model, chat(max_tokens=128_000)).ceiling


def test_a_long_prompt_is_part_of_what_a_balance_must_cover():
    offer = quote(get_model("gpt-5.5"), chat(104_000))
    assert offer.base == 5000 + 100_000 * 1625 // 10_000


def test_tokens_beyond_the_base_cost_the_list_price_times_1_3():
    offer = quote(get_model("gpt-5.4"), chat())
    # A million dollars' worth at 2.5 and 15 per million tokens.
    assert price(offer, Usage(input_tokens=104_000, output_tokens=101_000)) == 3000 + 8125 + 48_750


def test_cached_tokens_cost_what_the_vendor_takes_for_them():
    offer = quote(get_model("gpt-5.5"), chat())
    plain = price(offer, Usage(input_tokens=104_000))
    cached = price(offer, Usage(input_tokens=104_000, cached_tokens=100_000))
    assert plain - 5000 == 16_250
    assert cached - 5000 == 1625


def test_a_prompt_beyond_the_long_context_is_dearer_as_a_whole():
    offer = quote(get_model("gpt-5.5"), chat())
    assert price(offer, Usage(input_tokens=272_000)) == 5000 + 268_000 * 1625 // 10_000
    assert price(offer, Usage(input_tokens=272_001)) == 5000 + ceil(Fraction(268_001 * 3250, 10_000))


@pytest.mark.parametrize("name", ["smollm2-135m-instruct", "sandbox-chat"])
def test_a_model_without_a_vendors_price_costs_its_base_whatever_the_length(name):
    offer = quote(get_model(name), chat(1_000_000, max_tokens=100_000, n=5))
    assert offer.base == offer.ceiling == 1000
    assert price(offer, Usage(input_tokens=10**6, output_tokens=10**6)) == 1000
    assert affordable_output(offer, 1000, chat(1_000_000)) == get_model(name).chat.max_output


@given(chats, tokens, tokens, outputs)
def test_a_chat_is_rounded_up_once_from_the_exact_price(model, input_tokens, cached_tokens, output_tokens):
    usage = Usage(input_tokens + cached_tokens, output_tokens, cached_tokens)
    amount = price(quote(model, chat()), usage)
    assert type(amount) is int
    assert amount == ceil(exact_chat_price(model, usage))


@given(usd, usd, st.integers(0, 10**7), st.integers(0, 10**7))
def test_any_list_price_is_exact(input_usd, output_usd, input_tokens, output_tokens):
    spec = ChatSpec(context=10**8, max_output=10**7, input_usd=input_usd, output_usd=output_usd)
    model = msgspec.structs.replace(get_model("gpt-5.5"), chat=spec)
    usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
    assert price(quote(model, chat()), usage) == ceil(exact_chat_price(model, usage))


@given(chats, tokens, tokens, outputs, st.integers(0, 5000), st.integers(0, 5000))
def test_more_tokens_never_cost_less(model, input_tokens, cached_tokens, output_tokens, more_in, more_out):
    offer = quote(model, chat())
    usage = Usage(input_tokens + cached_tokens, output_tokens, cached_tokens)
    longer = Usage(usage.input_tokens + more_in, output_tokens + more_out, cached_tokens)
    assert price(offer, longer) >= price(offer, usage)


@given(chats, tokens, st.one_of(st.none(), st.integers(1, 200_000)), st.integers(1, 128), st.data())
def test_a_chat_within_its_quote_costs_at_most_the_ceiling(model, input_tokens, max_tokens, n, data):
    request = chat(input_tokens, max_tokens, n)
    offer = quote(model, request)
    most = min(max_tokens or 4000, model.chat.max_output) * n
    used = data.draw(st.integers(0, input_tokens))
    usage = Usage(used, data.draw(st.integers(0, most)), data.draw(st.integers(0, used)))
    assert model.base <= price(offer, usage) <= offer.ceiling
    assert model.base <= offer.base <= offer.ceiling
    assert sum(line.amount for line in offer.breakdown) == offer.ceiling
    assert price(offer, Usage(input_tokens=input_tokens, output_tokens=most)) == offer.ceiling


@given(st.sampled_from(PRICED_CHATS), tokens, st.integers(1, 128), st.integers(0, 10**6))
def test_what_a_balance_affords_is_paid_by_it(model, input_tokens, n, spare):
    request = chat(input_tokens, n=n)
    offer = quote(model, request)
    held = offer.base + spare
    most = affordable_output(offer, held, request)
    assert most >= 1000 // n
    assert most <= model.chat.max_output
    assert price(offer, Usage(input_tokens=input_tokens, output_tokens=most * n)) <= held
    if most < model.chat.max_output:
        assert price(offer, Usage(input_tokens=input_tokens, output_tokens=(most + 1) * n)) > held


def test_what_does_not_cover_the_base_buys_nothing():
    request = chat(10)
    assert affordable_output(quote(get_model("gpt-5.5"), request), 4999, request) == 0


def test_the_ceiling_buys_what_was_asked_for():
    request = chat(10, max_tokens=2500, n=3)
    offer = quote(get_model("gpt-5.5"), request)
    assert affordable_output(offer, offer.ceiling, request) >= 2500


def test_a_price_that_changes_in_mid_flight_does_not_touch_the_call(monkeypatch):
    model = get_model("gpt-5.5")
    offer = quote(model, chat())
    dearer = msgspec.structs.replace(model, credits=Decimal(500))
    monkeypatch.setitem(load_catalogue().models, "gpt-5.5", dearer)
    assert get_model("gpt-5.5").credits == 500
    assert price(offer, Usage(input_tokens=10, output_tokens=10)) == 5000
    with pytest.raises(AttributeError):
        offer.model.credits = Decimal(1)


@given(st.text())
def test_an_estimate_is_a_third_of_the_bytes_rounded_up(text):
    size = len(text.encode())
    assert estimate_tokens(size) == ceil(Fraction(size, 3))


# --- Embeddings and transcriptions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "amount"), [(0, 100), (1, 100), (10_000, 100), (10_001, 200), (300_000, 3000)])
def test_embeddings_cost_a_tenth_of_a_credit_per_10_000_tokens_or_part(count, amount):
    offer = quote(get_model("text-embedding-3-small"), embedding(count))
    assert (offer.base, offer.ceiling, offer.unit) == (amount, amount, 100)
    assert price(offer, Usage(input_tokens=count)) == amount


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_embeddings_within_their_quote_cost_at_most_the_ceiling(quoted, used):
    offer = quote(get_model("gemini-embedding-2"), embedding(quoted))
    amount = price(offer, Usage(input_tokens=min(quoted, used)))
    assert type(amount) is int
    assert 0 < amount <= offer.ceiling


@pytest.mark.parametrize(
    ("seconds", "amount"),
    [(0, 100), (0.1, 100), (10, 100), (10.01, 200), (30.000000000000004, 300), (600.0, 6000), (Fraction(61), 700)],
)
def test_transcriptions_cost_a_tenth_of_a_credit_per_10_seconds_or_part(seconds, amount):
    offer = quote_transcription(get_model("gpt-transcribe"), seconds)
    assert (offer.base, offer.ceiling) == (amount, amount)
    assert price(offer, Usage(seconds=float(seconds))) == amount


@given(st.floats(0, 10**5), st.floats(0, 10**5))
def test_a_transcription_never_costs_more_than_its_quote(quoted, told):
    offer = quote_transcription(get_model("gpt-transcribe"), quoted)
    assert 0 < price(offer, Usage(seconds=told)) <= offer.ceiling


def test_the_sandbox_costs_one_credit_whatever_the_length():
    assert quote(get_model("sandbox-embedding"), embedding(250_000)).ceiling == 1000
    assert quote_transcription(get_model("sandbox-transcription"), 3600).ceiling == 1000


# --- Pictures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", IMAGES, ids=lambda model: model.id)
def test_a_picture_of_the_default_call_costs_what_the_catalogue_says(model):
    tier = min(model.image.tiers, key=lambda name: 0 if name == "1K" else 1)
    assert quote(model, image(tier=tier)).ceiling == model.credits * 1000


def test_several_pictures_cost_a_multiple_and_those_that_came_are_charged():
    offer = quote(get_model("nano-banana-2"), image(n=4))
    assert (offer.base, offer.ceiling, offer.unit) == (8000, 8000, 2000)
    assert [price(offer, Usage(images=count)) for count in range(6)] == [0, 2000, 4000, 6000, 8000, 8000]


@pytest.mark.parametrize(
    ("name", "inputs", "amount"),
    [
        ("gpt-image-2", 0, 0),
        ("gpt-image-2", 1, 0),
        ("gpt-image-2", 2, 1000),
        ("gpt-image-2", 16, 15_000),
        ("gpt-image-1-mini", 16, 3000),
        ("nano-banana-2", 14, 0),
    ],
)
def test_reference_pictures_beyond_the_first_cost_once_where_their_vendor_takes_much_for_them(name, inputs, amount):
    model = get_model(name)
    came = InputImage(data=b"", mime="image/png", width=64, height=64)
    offer = quote(model, replace(image(n=4), inputs=[came] * inputs))
    assert offer.base == offer.ceiling == 4 * model.base + amount
    assert sum(line.amount for line in offer.breakdown) == offer.ceiling
    assert [line.item for line in offer.breakdown[1:]] == ["reference pictures beyond 1"] * bool(amount)
    # They were read however many came of them, and nothing is paid for nothing.
    made = [price(offer, Usage(images=count)) for count in range(6)]
    assert made == [0, *(count * model.base + amount for count in (1, 2, 3, 4)), offer.ceiling]


@pytest.mark.parametrize(
    ("name", "tier", "quality", "amount"),
    [
        ("nano-banana-2", "512", "auto", 1340),
        ("nano-banana-2", "2K", "auto", 3000),
        ("nano-banana-2", "4K", "auto", 4500),
        ("seedream-4.5", "4K", "auto", 3000),
        ("gpt-image-2", "1K", "low", 1500),
        ("gpt-image-2", "1K", "medium", 12_500),
        ("gpt-image-2", "1K", "high", 50_000),
        ("gpt-image-2", "2K", "medium", 25_000),
    ],
)
def test_size_and_quality_change_the_price(name, tier, quality, amount):
    assert quote(get_model(name), image(tier=tier, quality=quality)).ceiling == amount


@given(st.sampled_from(IMAGES), st.integers(1, 10), st.data())
def test_pictures_are_rounded_up_once_and_scale(model, n, data):
    tier = data.draw(st.sampled_from(list(model.image.tiers)))
    quality = data.draw(st.sampled_from(["auto", *model.image.qualities]))
    exact = (
        Fraction(model.credits)
        * 1000
        * Fraction(model.multiplier("tier", tier))
        * Fraction(model.multiplier("quality", quality))
    )
    offer = quote(model, image(n, tier, quality))
    assert type(offer.ceiling) is int
    assert offer.unit == ceil(exact)
    assert offer.ceiling == n * offer.unit == n * quote(model, image(1, tier, quality)).ceiling


@given(st.decimals(Decimal("0.001"), 100, places=3), st.decimals(Decimal("0.001"), 10, places=6))
def test_an_odd_multiplier_is_rounded_up_to_a_whole_millicredit(credits, factor):
    model = msgspec.structs.replace(get_model("nano-banana-2"), credits=credits, multipliers={"tier": {"2K": factor}})
    assert quote(model, image(tier="2K")).unit == ceil(Fraction(credits) * 1000 * Fraction(factor))


# --- Videos ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", VIDEOS, ids=lambda model: model.id)
def test_a_clip_of_the_default_call_costs_what_the_catalogue_says(model):
    spec = model.video
    offer = quote_video(model, spec.default_duration, spec.default_resolution, spec.default_audio)
    assert offer.base == offer.ceiling == model.credits * 1000
    assert price(offer, Usage(seconds=5.1)) == offer.ceiling


@pytest.mark.parametrize(
    ("name", "seconds", "resolution", "audio", "amount"),
    [
        ("kling-v2-master", 10, "720p", False, 100_000),
        ("seedance-1.0", 12, "720p", False, 60_000),
        ("seedance-1.0", 5, "1080p", False, 56_250),
        ("seedance-1.5-pro", 5, "720p", False, 12_500),
        ("kling-v2-6", 10, "1080p", True, 120_240),
        ("sandbox-video", 1, "720p", False, 1000),
    ],
)
def test_seconds_resolution_and_sound_change_the_price(name, seconds, resolution, audio, amount):
    assert quote_video(get_model(name), seconds, resolution, audio).ceiling == amount


@given(st.sampled_from(VIDEOS), st.data())
def test_a_clip_is_rounded_up_once_and_grows_with_its_seconds(model, data):
    seconds = data.draw(st.sampled_from(model.video.durations))
    resolution = data.draw(st.sampled_from(model.video.resolutions))
    audio = model.video.audio and data.draw(st.booleans())
    exact = (
        Fraction(model.credits)
        * 1000
        * Fraction(seconds, model.video.default_duration)
        * Fraction(model.multiplier("resolution", resolution))
        * Fraction(model.multiplier("audio", "on" if audio else "off"))
    )
    amount = quote_video(model, seconds, resolution, audio).ceiling
    assert type(amount) is int
    assert amount == ceil(exact)
    assert amount <= quote_video(model, seconds + 1, resolution, audio).ceiling


# --- All of them -----------------------------------------------------------------------------------------------------


def test_a_model_of_another_type_has_no_price_for_a_request():
    with pytest.raises(TypeError, match=r"gpt-5\.5"):
        quote(get_model("gpt-5.5"), image())
    with pytest.raises(TypeError, match="nano-banana-2"):
        quote(get_model("nano-banana-2"), chat())


@pytest.mark.parametrize("model", list_models(), ids=lambda model: model.id)
def test_the_described_price_is_that_of_the_default_call(model):
    described = describe_price(model)
    assert described["credits"] == pytest.approx(float(model.credits))
    assert described["unit"]
    assert msgspec.json.decode(msgspec.json.encode(described)) == described


def test_the_described_price_names_what_changes_it():
    assert describe_price(get_model("nano-banana-2")) == {
        "unit": "image",
        "credits": 2,
        "tier": {"512": 0.67, "2K": 1.5, "4K": 2.25},
    }
    assert describe_price(get_model("gpt-image-1-mini")) == {
        "unit": "image",
        "credits": 3,
        "reference_images": {"included": 1, "credits_beyond": 0.2},
        "quality": {"low": 0.14, "medium": 0.3},
    }
    assert describe_price(get_model("text-embedding-3-small")) == {"unit": "10000 tokens", "credits": 0.1}
    assert describe_price(get_model("gpt-5.5"))["beyond_per_million"] == {
        "input_tokens": 162.5,
        "cached_tokens": 16.25,
        "output_tokens": 975,
    }
    assert describe_price(get_model("kling-v2-master")) == {"unit": "video", "credits": 50, "seconds": 5}
