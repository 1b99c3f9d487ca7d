"""Sizes of pictures: everyone's usual ones work with every model, slips are refused."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalog import get_model, list_models
from gateway.errors import InvalidValue
from gateway.sizes import fit_size

IMAGES = [model for model in list_models() if model.type == "image"]
FITTING = [model for model in IMAGES if not model.image.exact]


@pytest.mark.parametrize("model", IMAGES, ids=lambda model: model.id)
@pytest.mark.parametrize("size", ["1024x1024", "1536x1024", "1024x1536", "2K", "auto", None])
def test_every_model_takes_the_common_sizes(model, size):
    fitted = fit_size(model, size)
    assert model.image.takes(fitted.width, fitted.height)
    assert fitted.tier in model.image.tiers
    if size and "x" in size:
        wanted = Fraction(*map(int, size.split("x")))
        assert abs(Fraction(fitted.width, fitted.height) / wanted - 1) < Fraction(2, 100)


@pytest.mark.parametrize("model", IMAGES, ids=lambda model: model.id)
def test_a_size_that_the_model_has_stays_as_it_is(model):
    for size in (*model.image.sizes, *model.image.tiers.values()):
        assert str(fit_size(model, size)) == size


@pytest.mark.parametrize("model", IMAGES, ids=lambda model: model.id)
def test_a_tier_is_the_size_that_the_model_names_and_is_priced_as_such(model):
    for tier, size in model.image.tiers.items():
        assert (str(fit_size(model, tier)), fit_size(model, tier).tier) == (size, tier)
        assert fit_size(model, size).tier == tier


@pytest.mark.parametrize("model", IMAGES, ids=lambda model: model.id)
def test_auto_and_nothing_are_1024x1024(model):
    assert fit_size(model) == fit_size(model, "auto") == fit_size(model, "1024x1024")


@pytest.mark.parametrize(
    ("name", "size", "fitted", "tier"),
    [
        ("nano-banana-2", "1536x1024", "1264x848", "1K"),
        ("nano-banana-2", "1920x1080", "1376x768", "1K"),
        ("nano-banana-2", "3840x2160", "2752x1536", "2K"),
        ("nano-banana-2", "1024x1792", "768x1376", "1K"),
        ("nano-banana-2", "400x400", "512x512", "512"),
        ("nano-banana-2", "2k", "2048x2048", "2K"),
        ("nano-banana-2", "3K", "4096x4096", "4K"),
        ("nano-banana-lite", "4K", "1024x1024", "1K"),
        ("seedream-4.5", "1024x1024", "1920x1920", "2K"),
        ("seedream-4.5", "1920x1080", "2560x1440", "2K"),
        ("seedream-4.5", "1536x1024", "2352x1568", "2K"),
        ("seedream-4.5", "1601x1600", "1921x1920", "2K"),
        ("seedream-4.5", "512", "2048x2048", "2K"),
        ("gpt-image-2", "1536x1024", "1536x1024", "1K"),
        ("gpt-image-2", "800x600", "960x720", "1K"),
        ("gpt-image-2", "4096x1024", "3552x1184", "2K"),
        ("gpt-image-2", "8000x8000", "2880x2880", "4K"),
        ("gpt-image-1-mini", "2K", "1024x1024", "1K"),
        ("gpt-image-1-mini", "1920x1080", "1536x1024", "1K"),
    ],
)
def test_a_size_that_the_model_lacks_becomes_its_closest(name, size, fitted, tier):
    result = fit_size(get_model(name), size)
    assert (str(result), result.tier) == (fitted, tier)


@pytest.mark.parametrize(
    "size",
    [
        "banana",
        "",
        "0x5",
        "0x0",
        "-1024x1024",
        "9999999x1",
        "1024x64x3",
        "1024",
        "x1024",
        "1024x",
        "1024X1024px",
        " 1024x1024",
        "1024x1024\n",
        "1024.5x1024",
        "10x10",
        "99999x99999",
        "4000x200",
        "200x4000",
        "9K",
        "K",
        "１０２４x１０２４",
        "1e3x1e3",
    ],
)
@pytest.mark.parametrize("name", ["nano-banana-2", "seedream-4.5", "gpt-image-2", "sandbox-image"])
def test_nonsense_is_refused_with_the_allowed_values(name, size):
    with pytest.raises(InvalidValue) as caught:
        fit_size(get_model(name), size)
    assert caught.value.param == "size"
    assert "Allowed: `auto`" in caught.value.message
    assert "1024x1024" in caught.value.message


@given(st.integers(64, 2048), st.integers(64, 2048))
def test_the_sandbox_paints_any_size_exactly(width, height):
    fitted = fit_size(get_model("sandbox-image"), f"{width}x{height}")
    assert (fitted.width, fitted.height) == (width, height)


@pytest.mark.parametrize("size", ["63x1024", "1024x63", "2049x1024", "1024x2049", "4096x4096"])
def test_the_sandbox_refuses_what_is_outside_its_bounds(size):
    with pytest.raises(InvalidValue, match="64 to 2048 pixels a side"):
        fit_size(get_model("sandbox-image"), size)


def test_a_model_that_makes_no_pictures_has_no_sizes():
    with pytest.raises(InvalidValue, match=r"gpt-5\.5"):
        fit_size(get_model("gpt-5.5"), "1024x1024")


sides = st.integers(64, 16_384)


@given(st.sampled_from(FITTING), sides, sides)
def test_any_sane_size_becomes_one_that_the_model_makes(model, width, height):
    if max(width, height) > 16 * min(width, height):
        with pytest.raises(InvalidValue):
            fit_size(model, f"{width}x{height}")
        return
    fitted = fit_size(model, f"{width}x{height}")
    assert model.image.takes(fitted.width, fitted.height)
    assert str(fit_size(model, str(fitted))) == str(fitted)


@given(st.sampled_from([model for model in FITTING if not model.image.sizes]), sides, sides)
def test_a_model_of_free_sizes_keeps_the_ratio_that_it_can_make(model, width, height):
    short, long = sorted((width, height))
    if long > short * model.image.max_ratio:
        return
    fitted = fit_size(model, f"{width}x{height}")
    # One step of the grid on the shorter side is the most that rounding may cost.
    tolerance = Fraction(model.image.multiple, min(fitted.width, fitted.height) - model.image.multiple)
    ratio = Fraction(fitted.width, fitted.height) / Fraction(width, height)
    assert max(ratio, 1 / ratio) <= 1 + tolerance


@given(st.sampled_from(FITTING), st.integers(1, 8), st.integers(1, 8), st.integers(1, 2000))
def test_a_size_of_exactly_the_ratio_wins_where_the_model_has_one_near(model, across, down, times):
    width, height = across * times, down * times
    if not model.image.takes(width, height):
        return
    assert str(fit_size(model, f"{width}x{height}")) == f"{width}x{height}"
