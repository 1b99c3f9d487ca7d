"""Tokens: what a provider reports, in parts of which no token is in two."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict

from gateway.catalog import get_model
from gateway.pricing import price, quote
from gateway.tokens import read_usage, within_limits
from gateway.types import ChatRequest, Usage

INPUT_PARTS = ("cached_tokens", "cache_write_tokens", "input_audio_tokens", "input_image_tokens")
OUTPUT_PARTS = ("reasoning_tokens", "output_audio_tokens", "output_image_tokens")

counts = st.one_of(st.integers(-5, 300_000), st.none(), st.just("many"), st.booleans())
details = st.one_of(
    st.none(),
    st.dictionaries(
        st.sampled_from(["cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens", "reasoning_tokens"]),
        counts,
    ),
)
usages = st.fixed_dictionaries(
    {},
    optional={
        "prompt_tokens": counts,
        "completion_tokens": counts,
        "total_tokens": counts,
        "prompt_tokens_details": details,
        "completion_tokens_details": details,
        "input_tokens": counts,
        "output_tokens": counts,
        "input_tokens_details": details,
    },
)


def add_up(usage: Usage) -> None:
    parts = asdict(usage)
    assert sum(parts[name] for name in INPUT_PARTS) + usage.fresh_tokens == usage.input_tokens
    assert sum(parts[name] for name in OUTPUT_PARTS) + usage.written_tokens == usage.output_tokens
    assert min(usage.fresh_tokens, usage.written_tokens, *(parts[name] for name in INPUT_PARTS + OUTPUT_PARTS)) >= 0


@given(usages)
def test_whatever_a_server_reports_the_parts_add_up(reported: dict[str, Any]) -> None:
    usage = read_usage(reported)
    if usage is not None:
        add_up(usage)


@given(usages, st.integers(1, 5))
def test_they_still_do_within_a_models_limits(reported: dict[str, Any], n: int) -> None:
    usage = read_usage(reported) or Usage(10**6, 10**6, 10**6, reasoning_tokens=10**6)
    spec = get_model("gpt-5.4-mini").chat
    assert spec is not None
    limited = within_limits(usage, spec, ChatRequest(model="any", messages=[], body={}, n=n))
    add_up(limited)
    assert limited.input_tokens <= spec.context
    assert limited.output_tokens <= spec.max_output * n


@given(st.integers(0, 200_000), st.integers(0, 200_000), st.data())
def test_a_part_without_a_price_of_its_own_costs_what_the_rest_does(read: int, written: int, data: Any) -> None:
    model = get_model("gpt-5.5")
    offer = quote(model, ChatRequest(model="any", messages=[], body={}))
    cached = data.draw(st.integers(0, read))
    image = data.draw(st.integers(0, read - cached))
    plain = Usage(read, written, cached)
    split = Usage(read, written, cached, input_image_tokens=image, reasoning_tokens=data.draw(st.integers(0, written)))
    assert price(offer, split) == price(offer, plain) <= price(offer, Usage(read, written))


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 50,
                "total_tokens": 150,
                "prompt_tokens_details": {
                    "cached_tokens": 60,
                    "cache_write_tokens": 10,
                    "audio_tokens": 5,
                    "image_tokens": 15,
                },
                "completion_tokens_details": {"reasoning_tokens": 30, "audio_tokens": 4},
            },
            Usage(100, 50, 60, 10, 5, 15, 30, 4),
        ),
        # Responses, images and transcriptions have other names for the same.
        (
            {
                "input_tokens": 100,
                "output_tokens": 50,
                "total_tokens": 150,
                "input_tokens_details": {"cached_tokens": 60},
                "output_tokens_details": {"reasoning_tokens": 30, "image_tokens": 20},
            },
            Usage(100, 50, 60, reasoning_tokens=30, output_image_tokens=20),
        ),
        ({"input_tokens": 9, "input_token_details": {"audio_tokens": 9}}, Usage(9, input_audio_tokens=9)),
        # A picture that was read from the cache is in both counts.
        (
            {"prompt_tokens": 100, "prompt_tokens_details": {"cached_tokens": 80, "image_tokens": 90}},
            Usage(100, cached_tokens=80, input_image_tokens=20),
        ),
        # Thoughts that the completion leaves out are in the total alone, told of in the details or not.
        ({"prompt_tokens": 21, "completion_tokens": 0, "total_tokens": 81}, Usage(21, 60, reasoning_tokens=60)),
        (
            {
                "prompt_tokens": 21,
                "completion_tokens": 5,
                "total_tokens": 86,
                "completion_tokens_details": {"reasoning_tokens": 60},
            },
            Usage(21, 65, reasoning_tokens=60),
        ),
        # A total below the sum of its parts is none.
        ({"prompt_tokens": 21, "completion_tokens": 5, "total_tokens": 3}, Usage(21, 5)),
    ],
)
def test_a_report_is_read_in_parts(reported: dict[str, Any], usage: Usage) -> None:
    assert read_usage(reported) == usage


@pytest.mark.parametrize(
    "parts",
    [{"cached_tokens": 11}, {"cached_tokens": 6, "input_image_tokens": 5}, {"reasoning_tokens": 1}, {"images": -1}],
)
def test_parts_that_are_more_than_their_whole_are_an_error(parts: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="do not add up"):
        Usage(input_tokens=10, **parts)  # type: ignore[arg-type]


def test_a_receipt_names_the_parts() -> None:
    assert Usage(100, 50, 60, reasoning_tokens=30).as_dict() == {
        "input_tokens": 100,
        "cached_tokens": 60,
        "fresh_tokens": 40,
        "output_tokens": 50,
        "reasoning_tokens": 30,
        "written_tokens": 20,
        "reported": True,
    }
    assert Usage(100, 50).as_dict() == {"input_tokens": 100, "output_tokens": 50, "reported": True}
