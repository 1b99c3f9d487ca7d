"""A surface to paint on, and the few ways in which Pillow's own operations lay colour and light on it."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from gateway.providers.painter.palettes import Palette

Colour = tuple[int, int, int]
Point = tuple[float, float]
Pen = ImageDraw.ImageDraw

# Noise is soft: it is made at this size at most and enlarged.
NOISE_SIDE = 384
# Shapes are drawn at twice their size and reduced, for smooth edges.
SMOOTH = 2


def rgb(code: str) -> Colour:
    """`#rrggbb` as three numbers."""
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """A colour between two, `share` of the way to the second; mixed in OKLab, so that no grey lies between.

    https://bottosson.github.io/posts/oklab/
    """
    one, two = _oklab(first), _oklab(second)
    return _from_oklab(*(a + (b - a) * share for a, b in zip(one, two, strict=True)))


def shade(colour: Colour, share: float) -> Colour:
    """Lighter (`share` > 0, towards white) or darker (< 0, towards black)."""
    return mix(colour, (255, 255, 255) if share > 0 else (0, 0, 0), abs(share))


@lru_cache(maxsize=1024)
def _oklab(colour: Colour) -> tuple[float, float, float]:
    r, g, b = ((c / 255) ** 2.2 for c in colour)
    long = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    medium = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    short = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def _from_oklab(lightness: float, a: float, b: float) -> Colour:
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    channels = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    red, green, blue = (round(255 * min(1.0, max(0.0, c)) ** (1 / 2.2)) for c in channels)
    return red, green, blue


def gradient(size: tuple[int, int], stops: Sequence[Colour]) -> Image.Image:
    """The colours evenly spaced from top to bottom."""
    height = size[1]
    rows = min(height, 1024)
    column = Image.new("RGB", (1, rows))
    last = len(stops) - 1
    for row in range(rows):
        place = row / max(1, rows - 1) * last
        index = min(int(place), last - 1)
        column.putpixel((0, row), mix(stops[index], stops[index + 1], place - index))
    return column.resize((1, height), Image.Resampling.BICUBIC).resize(size, Image.Resampling.NEAREST)


def levels(mask: Image.Image, low: float, high: float, top: float = 1.0, gamma: float = 1.0) -> Image.Image:
    """The mask stretched: what is at `low` (0..1) becomes nothing, at `high` becomes `top`."""
    span = high - low
    table = [round(255 * top * min(1.0, max(0.0, (v / 255 - low) / span)) ** gamma) for v in range(256)]
    return mask.point(table)


def soften(image: Image.Image, radius: float) -> Image.Image:
    """The image blurred; a wide blur is done on a smaller one, where nobody sees the difference."""
    factor = max(1, min(8, int(radius / 3)))
    if factor == 1:
        return image.filter(ImageFilter.GaussianBlur(radius))
    small = image.reduce(factor).filter(ImageFilter.GaussianBlur(radius / factor))
    return small.resize(image.size, Image.Resampling.BICUBIC)


def noise(
    rng: Random, size: tuple[int, int], cells: tuple[int, int], octaves: int = 4, keep: float = 0.5
) -> Image.Image:
    """Clouds in grey: random dots of several scales, smoothed and added. `cells` is the count of the coarsest dots."""
    work = (min(size[0], NOISE_SIDE), min(size[1], NOISE_SIDE))
    total, weight, sum_of_weights = Image.new("L", work, 128), 1.0, 0.0
    for octave in range(octaves):
        columns, rows = min(cells[0] << octave, work[0]), min(cells[1] << octave, work[1])
        dots = Image.frombytes("L", (columns, rows), rng.randbytes(columns * rows))
        sum_of_weights += weight
        total = Image.blend(total, dots.resize(work, Image.Resampling.BICUBIC), weight / sum_of_weights)
        weight *= keep
    return ImageOps.autocontrast(total, cutoff=1).resize(size, Image.Resampling.BICUBIC)


def ridge(rng: Random, start: float, spread: float, rough: float, depth: int = 8) -> list[float]:
    """A line of `2 ** depth + 1` heights around `start`, by midpoint displacement; `rough` (0..1) keeps the jags."""
    line = [start + rng.uniform(-spread, spread), start + rng.uniform(-spread, spread)]
    for _ in range(depth):
        longer: list[float] = []
        for left, right in pairwise(line):
            longer += [left, (left + right) / 2 + rng.uniform(-spread, spread)]
        line = [*longer, line[-1]]
        spread *= rough
    return line


class Canvas:
    """The picture in the making. Scenes measure in fractions of its `width` and `height`, or in `unit`s."""

    def __init__(self, size: tuple[int, int], rng: Random, palette: Palette, words: set[str]) -> None:
        self.width, self.height = self.size = size
        self.unit = min(size)
        self.rng = rng
        self.palette = palette
        self.words = words
        self.sky = [rgb(code) for code in palette.sky]
        self.light = rgb(palette.light)
        self.far = rgb(palette.far)
        self.near = rgb(palette.near)
        self.accent = rgb(palette.accent)
        self.image = Image.new("RGB", size, self.near)

    def at(self, x: float, y: float) -> Point:
        """A point by its fractions of width and height, in pixels."""
        return x * self.width, y * self.height

    def shape(self, draw: Callable[[Pen, float], None], blur: float = 0) -> Image.Image:
        """A mask with smooth edges. `draw` gets a pen and the factor by which its pixels are finer."""
        large = Image.new("L", (self.width * SMOOTH, self.height * SMOOTH))
        draw(ImageDraw.Draw(large), SMOOTH)
        mask = large.reduce(SMOOTH)
        return soften(mask, blur) if blur else mask

    def disc(self, center: Point, radius: float, blur: float = 0) -> Image.Image:
        """The mask of a circle, in pixels."""
        (x, y), r = center, radius
        return self.shape(
            lambda pen, k: pen.ellipse(((x - r) * k, (y - r) * k, (x + r) * k, (y + r) * k), fill=255), blur
        )

    def area(self, points: Sequence[Point], blur: float = 0) -> Image.Image:
        """The mask of a polygon, its points in pixels."""
        return self.shape(lambda pen, k: pen.polygon([(x * k, y * k) for x, y in points], fill=255), blur)

    def below(self, line: Sequence[float], blur: float = 0) -> Image.Image:
        """The mask of all that lies under a line of heights (fractions, from left to right)."""
        step = self.width / (len(line) - 1)
        points = [(i * step, y * self.height) for i, y in enumerate(line)]
        return self.area([(0, self.height), *points, (self.width, self.height)], blur)

    def glow(self, center: Point, radius: float, falloff: float = 2.0) -> Image.Image:
        """The mask of a light that fades from its center (pixels) to its radius."""
        side = max(2, round(2 * radius))
        # Pillow's gradient is white in the corners: at the middle of an edge it has 1/sqrt(2) of that.
        table = [round(255 * max(0.0, 1 - v * 2**0.5 / 255) ** falloff) for v in range(256)]
        disc = Image.radial_gradient("L").point(table).resize((side, side), Image.Resampling.BICUBIC)
        mask = Image.new("L", self.size)
        mask.paste(disc, (round(center[0] - radius), round(center[1] - radius)))
        return mask

    def ramp(self, top: float, bottom: float, first: int = 0, last: int = 255) -> Image.Image:
        """A mask that changes from `first` to `last` between two heights (fractions) and stays so beyond them."""
        rows = bytes(
            round(first + (last - first) * min(1.0, max(0.0, (y / self.height - top) / (bottom - top))))
            for y in range(self.height)
        )
        return Image.frombytes("L", (1, self.height), rows).resize(self.size, Image.Resampling.NEAREST)

    def lay(self, fill: Colour | Image.Image, mask: Image.Image) -> None:
        """Opaque colour where the mask is white."""
        box = mask.getbbox()
        if box is not None:
            self.image.paste(fill if isinstance(fill, tuple) else fill.crop(box), box, mask.crop(box))

    def shine(self, colour: Colour, mask: Image.Image) -> None:
        """Light added where the mask is white."""
        box = mask.getbbox()
        if box is None:
            return
        part = self.image.crop(box)
        light = Image.new("RGB", part.size)
        light.paste(colour, (0, 0, *part.size), mask.crop(box))
        self.image.paste(ImageChops.screen(part, light), box[:2])

    def darken(self, mask: Image.Image) -> None:
        """Light taken away where the mask is black."""
        self.image = ImageChops.multiply(self.image, Image.merge("RGB", (mask, mask, mask)))
