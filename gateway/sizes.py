"""Which size a picture gets when somebody asks for `1024x1024`, `2K` or `auto`."""

import re
from collections.abc import Iterator
from fractions import Fraction
from math import gcd, isqrt

from msgspec import Struct

from gateway.catalog.schema import ImageSpec, Model, parse_size
from gateway.errors import InvalidValue

DEFAULT_SIZE = "1024x1024"
# The words for sizes that people know from one model or another, in pixels.
TIERS = {"512": 512**2, "1K": 1024**2, "2K": 2048**2, "3K": 3072**2, "4K": 4096**2}
# What is beyond these is a slip, not a size that a model happens to lack. Pixels a side; longer side to shorter.
SHORTEST_SIDE, LONGEST_SIDE, STEEPEST_RATIO = 64, 16_384, 16
_SIZE = re.compile(r"[0-9]{1,6}x[0-9]{1,6}", re.ASCII)


class FittedSize(Struct, frozen=True):
    """Pixels, and the tier that the size is priced by."""

    width: int
    height: int
    tier: str

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def fit_size(model: Model, size: str | None = None) -> FittedSize:
    """The size that `model` makes for `size`: `WxH`, a tier such as `2K`, or `auto`, which is 1024x1024.

    A size that the model lacks becomes its closest one of the same ratio; where none has that ratio, its closest one
    of the closest ratio. Raises `InvalidValue` for what is no size, and where the model asks for exact ones.
    """
    spec = model.image
    if spec is None:
        raise InvalidValue(f"`{model.id}` makes no pictures.", param="model")
    size = DEFAULT_SIZE if size is None else size.replace("X", "x")
    if size == "auto":
        size = DEFAULT_SIZE
    if (tier := size.upper()) in TIERS or tier in spec.tiers:
        return _fit_tier(spec, tier)
    if not _SIZE.fullmatch(size):
        raise _refusal(model, spec, size)
    width, height = parse_size(size)
    if not spec.takes(width, height):
        if spec.exact or not _is_sane(width, height):
            raise _refusal(model, spec, size)
        width, height = min(_candidates(spec, width, height), key=lambda one: _distance(one, (width, height)))
    return FittedSize(width, height, _closest_tier(spec, width * height))


def _fit_tier(spec: ImageSpec, name: str) -> FittedSize:
    tier = name if name in spec.tiers else _closest_tier(spec, TIERS[name])
    return FittedSize(*parse_size(spec.tiers[tier]), tier)


def _closest_tier(spec: ImageSpec, pixels: int) -> str:
    def distance(tier: str) -> Fraction:
        width, height = parse_size(spec.tiers[tier])
        return _quotient(width * height, pixels)

    return min(spec.tiers, key=distance)


def _is_sane(width: int, height: int) -> bool:
    short, long = sorted((width, height))
    return short >= SHORTEST_SIDE and long <= LONGEST_SIDE and long <= short * STEEPEST_RATIO


def _distance(size: tuple[int, int], wanted: tuple[int, int]) -> tuple[Fraction, Fraction]:
    """How far `size` is from what was wanted: first in ratio, then in pixels."""
    return (
        _quotient(size[0] * wanted[1], size[1] * wanted[0]),
        _quotient(size[0] * size[1], wanted[0] * wanted[1]),
    )


def _quotient(one: int, other: int) -> Fraction:
    """The larger over the smaller: 1 where they are equal."""
    return Fraction(max(one, other), min(one, other))


def _candidates(spec: ImageSpec, width: int, height: int) -> Iterator[tuple[int, int]]:
    """Sizes of the model among which the closest one to `width` x `height` is found."""
    if spec.sizes:
        yield from map(parse_size, spec.sizes)
        return
    yield from map(parse_size, spec.tiers.values())
    wanted = width * height
    width, height = min(width, height * spec.max_ratio), min(height, width * spec.max_ratio)
    pixels = _pixels_within(spec, width, height, wanted)
    exact = (size for size in _of_ratio(spec, width, height, pixels) if spec.takes(*size))
    # An odd ratio such as 1601:1600 comes exactly in huge sizes alone: better a pixel off than four times as many.
    yield from (size for size in exact if _quotient(size[0] * size[1], pixels) <= 2)
    yield from (size for size in _rounded(spec, width, height, pixels) if spec.takes(*size))


def _pixels_within(spec: ImageSpec, width: int, height: int, wanted: int) -> int:
    """About the number of pixels closest to `wanted` that a picture of this ratio can have."""
    short, long = sorted((width, height))
    fewest = max(spec.min_pixels, -(-(spec.min_side**2) * long // short))
    most = min(spec.max_pixels, spec.max_side**2 * short // long)
    return min(max(wanted, fewest), most)


def _of_ratio(spec: ImageSpec, width: int, height: int, pixels: int) -> Iterator[tuple[int, int]]:
    """Sizes of exactly this ratio and about `pixels` pixels."""
    shared = gcd(width, height)
    step_x, step_y = width // shared * spec.multiple, height // shared * spec.multiple
    nearest = isqrt(pixels // (step_x * step_y))
    for times in range(max(1, nearest - 1), nearest + 3):
        yield step_x * times, step_y * times


def _rounded(spec: ImageSpec, width: int, height: int, pixels: int) -> Iterator[tuple[int, int]]:
    """Sizes of about `pixels` pixels and about this ratio."""
    step = spec.multiple
    columns, rows = isqrt(pixels * width // height) // step, isqrt(pixels * height // width) // step
    for x in range(columns - 1, columns + 3):
        for y in range(rows - 1, rows + 3):
            yield x * step, y * step


def _refusal(model: Model, spec: ImageSpec, size: str) -> InvalidValue:
    if spec.sizes:
        squares = [one for one in spec.sizes if one not in spec.tiers.values()]
        allowed = ", ".join(f"`{one}`" for one in ("auto", *spec.tiers, *spec.tiers.values(), *squares))
    else:
        tiers = ", ".join(f"`{one}`" for one in ("auto", *spec.tiers))
        low, high = max(spec.min_side, SHORTEST_SIDE), min(spec.max_side, LONGEST_SIDE)
        allowed = f"{tiers}, or `<width>x<height>` of {low} to {high} pixels a side, such as `1024x1024`"
    return InvalidValue(f"`size` does not take '{size[:40]}' for `{model.id}`. Allowed: {allowed}.", param="size")
