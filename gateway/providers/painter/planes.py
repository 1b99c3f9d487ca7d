"""Pictures as video keeps them: one plane of light, and two of colour with half as many pixels each way."""

from __future__ import annotations

from msgspec import Struct
from PIL import Image

from gateway.providers.painter.canvas import Colour

# ITU-R BT.709, with light from 16 to 235 and colour from 16 to 240: https://www.itu.int/rec/R-REC-BT.709
_RED, _GREEN, _BLUE = 0.2126, 0.7152, 0.0722
_LIGHT, _COLOUR = 219 / 255, 224 / 255
_TO_BLUE, _TO_RED = _COLOUR / (2 * (1 - _BLUE)), _COLOUR / (2 * (1 - _RED))
_MATRIX = (
    *(_LIGHT * _RED, _LIGHT * _GREEN, _LIGHT * _BLUE, 16),
    *(-_TO_BLUE * _RED, -_TO_BLUE * _GREEN, _TO_BLUE * (1 - _BLUE), 128),
    *(_TO_RED * (1 - _RED), -_TO_RED * _GREEN, -_TO_RED * _BLUE, 128),
)
Box = tuple[float, float, float, float]


class Planes(Struct, frozen=True):
    """Three pictures in grey: how light it is, how blue, how red. Width and height of the first are even."""

    light: Image.Image
    blue: Image.Image
    red: Image.Image

    def blend(self, other: Planes, share: float) -> Planes:
        """`share` of the other picture over this one."""
        return Planes(
            Image.blend(self.light, other.light, share),
            Image.blend(self.blue, other.blue, share),
            Image.blend(self.red, other.red, share),
        )

    def zoom(self, box: Box, size: tuple[int, int]) -> Planes:
        """What lies in the box (fractions of width and height), enlarged or reduced to a size."""
        half = size[0] // 2, size[1] // 2
        return Planes(_zoom(self.light, box, size), _zoom(self.blue, box, half), _zoom(self.red, box, half))

    def lay(self, colour: Colour | Planes, mask: Image.Image, place: tuple[int, int]) -> None:
        """Draws a colour, or a picture of the mask's size, where the mask is white. Place and size are even."""
        half, half_place = mask.reduce(2), (place[0] // 2, place[1] // 2)
        if isinstance(colour, Planes):
            self.light.paste(colour.light, place, mask)
            self.blue.paste(colour.blue, half_place, half)
            self.red.paste(colour.red, half_place, half)
            return
        light, blue, red = levels_of(colour)
        self.light.paste(light, (*place, place[0] + mask.width, place[1] + mask.height), mask)
        half_box = (*half_place, half_place[0] + half.width, half_place[1] + half.height)
        self.blue.paste(blue, half_box, half)
        self.red.paste(red, half_box, half)


def to_planes(image: Image.Image) -> Planes:
    """An RGB picture, taken apart. Its width and height are even."""
    light, blue, red = image.convert("RGB", _MATRIX).split()
    return Planes(light, blue.reduce(2), red.reduce(2))


def levels_of(colour: Colour) -> Colour:
    """A colour's light, blue and red."""
    light, blue, red = (
        round(sum(factor * part for factor, part in zip(row[:3], colour, strict=True)) + row[3])
        for row in (_MATRIX[:4], _MATRIX[4:8], _MATRIX[8:])
    )
    return light, blue, red


def _zoom(plane: Image.Image, box: Box, size: tuple[int, int]) -> Image.Image:
    left, top, right, bottom = box
    pixels = (
        max(0.0, left * plane.width),
        max(0.0, top * plane.height),
        min(plane.width, right * plane.width),
        min(plane.height, bottom * plane.height),
    )
    return plane.resize(size, Image.Resampling.BILINEAR, box=pixels)
