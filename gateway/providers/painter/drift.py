"""What moves before a scene: snow, petals, embers, fireflies, stars that pass, birds. Where each is when, is known."""

from math import cos, floor, pi, sin
from random import Random

from msgspec import Struct
from PIL import Image, ImageDraw

from gateway.providers.painter.canvas import Colour, Point, mix, rgb, shade
from gateway.providers.painter.palettes import Palette
from gateway.providers.painter.planes import Planes

# Sources of the stamps, in pixels a side; a flake is drawn from them at its size and angle.
STAMP = 64
FRAMES_PER_SECOND = 24
# Steps between invisible and as bright as can be.
FADES = 48
# Flakes leave the picture by this much of it before they come in again on the other side.
OUTSIDE = 0.08


class Drift(Struct, frozen=True):
    """A kind of thing that drifts, and the words and palettes that ask for it.

    Lengths are shares of the picture's shorter side, times are seconds. `size`: radius, from and to. `speed`: to the
    right and down, for the largest. `sway`: how far they swing to the sides. `twinkle`: how much of their light comes
    and goes. `stretch`: height to width. `tint`: where their colour lies between the palette's light and its accent,
    unless `colour` names it.
    """

    words: frozenset[str]
    palettes: frozenset[str]
    count: int
    size: tuple[float, float]
    speed: tuple[float, float]
    sway: float = 0.0
    twinkle: float = 0.0
    strength: float = 0.9
    stretch: float = 1.0
    tumbling: bool = False
    outward: bool = False
    lean: float = 0.0
    tint: float = 0.0
    colour: str = ""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SNOW = Drift(
    _words("snow winter ice icy frozen snowy christmas polar glacier"), _words("snow"),
    count=90, size=(0.003, 0.012), speed=(0.05, 0.24), sway=0.03, colour="#ffffff",
)  # fmt: skip
RAIN = Drift(
    _words("rain rainy storm thunder"), _words("storm"),
    count=80, size=(0.016, 0.045), speed=(-0.25, 1.7), stretch=0.05, lean=1.72, strength=0.5, colour="#dfe7ef",
)  # fmt: skip
PETALS = Drift(
    _words("sakura cherry blossom japanese japan kyoto zen"), _words("blossom"),
    count=42, size=(0.006, 0.016), speed=(0.16, 0.14), sway=0.05, stretch=0.55, tumbling=True, tint=0.62,
)  # fmt: skip
LEAVES = Drift(
    _words("autumn october maple"), _words("autumn"),
    count=34, size=(0.008, 0.019), speed=(0.2, 0.17), sway=0.06, stretch=0.5, tumbling=True, tint=1.0,
)  # fmt: skip
EMBERS = Drift(
    _words("fire lava volcano dragon flame inferno campfire"), _words("fire"),
    count=60, size=(0.002, 0.008), speed=(0.06, -0.26), sway=0.04, twinkle=0.7, tint=0.6,
)  # fmt: skip
STARS = Drift(
    _words("space galaxy nebula planet cosmic cosmos universe astronaut alien rocket star"), _words("space"),
    count=70, size=(0.0012, 0.008), speed=(0.11, 0.0), outward=True, colour="#fff6e8",
)  # fmt: skip
DUST = Drift(
    _words("desert dune sand sahara"), _words("desert"),
    count=70, size=(0.0015, 0.006), speed=(0.5, 0.03), sway=0.012, strength=0.7, tint=0.2,
)  # fmt: skip
LIGHTS = Drift(
    _words("city skyline street urban neon cyberpunk tokyo london"), _words("city neon"),
    count=20, size=(0.014, 0.05), speed=(0.07, -0.02), sway=0.01, twinkle=0.5, strength=0.3, tint=0.5,
)  # fmt: skip
FIREFLIES = Drift(
    _words("forest jungle firefly night garden elf magic"), _words("night aurora forest"),
    count=36, size=(0.004, 0.013), speed=(0.03, -0.03), sway=0.06, twinkle=1.0, tint=0.25,
)  # fmt: skip
MOTES = Drift(
    frozenset(), frozenset(),
    count=34, size=(0.003, 0.015), speed=(0.06, -0.035), sway=0.03, twinkle=0.6, strength=0.5,
)  # fmt: skip
# The first that shares a word with the prompt, then the first of the palette.
DRIFTS = (SNOW, RAIN, PETALS, LEAVES, EMBERS, STARS, DUST, LIGHTS, FIREFLIES)
# By day birds cross a sky; these have none.
WITHOUT_BIRDS = (STARS, EMBERS, RAIN, LIGHTS)
SHEETS = frozenset({"logo", "icon", "brand", "emblem", "badge", "sticker", "abstract", "pattern", "coffee", "cup"})


class Flake(Struct, frozen=True):
    """One of them: where it begins (shares of width and height), how near it is (0 to 1), and its own rhythm."""

    x: float
    y: float
    depth: float
    phase: float
    rhythm: float
    colour: Colour


class Drifters:
    """All that drifts before one scene."""

    def __init__(self, rng: Random, size: tuple[int, int], words: set[str], palette: Palette) -> None:
        by_word = next((drift for drift in DRIFTS if drift.words & words), None)
        by_palette = next((drift for drift in DRIFTS if palette.name in drift.palettes), MOTES)
        self._drift = by_word or by_palette
        self._size, self._unit = size, min(size)
        self._flakes = sorted((_flake(rng, self._drift, palette) for _ in range(self._drift.count)), key=_depth_of)
        # From invisible to as they are: fading a stamp once is cheaper than each print of it.
        stamp = _glow() if self._drift.stretch == 1.0 else _disc()
        self._stamps = [stamp.point([v * fade // FADES for v in range(256)]) for fade in range(FADES + 1)]
        self._birds: _Birds | None = None
        if not palette.dark and self._drift not in WITHOUT_BIRDS and words.isdisjoint(SHEETS):
            self._birds = _Birds(rng, size, shade(rgb(palette.near), -0.1))

    def draw(self, picture: Planes, index: int, presence: float) -> None:
        """Lays them over frame `index`. `presence`: how much of them is seen, 0 to 1."""
        time = index / FRAMES_PER_SECOND
        if self._birds is not None:
            self._birds.draw(picture, time, presence)
        for flake in self._flakes:
            self._draw_flake(picture, flake, time, presence)

    def _draw_flake(self, picture: Planes, flake: Flake, time: float, presence: float) -> None:
        drift, (width, height) = self._drift, self._size
        low, high = drift.size
        radius = (low + (high - low) * flake.depth) * self._unit
        strength = (
            drift.strength * presence * (1 - drift.twinkle * (0.5 + 0.5 * sin(time * flake.rhythm * 2 + flake.phase)))
        )
        if drift.outward:
            away = (flake.y + drift.speed[0] * time * (0.5 + flake.depth)) % 1.0
            reach = away**1.6 * max(width, height) * 0.72
            x, y = width / 2 + cos(flake.phase) * reach, height / 2 + sin(flake.phase) * reach
            radius, strength = radius * (0.25 + away), strength * min(1.0, away * 2.5)
        else:
            nearness = (0.35 + 0.65 * flake.depth) * self._unit
            swing = drift.sway * self._unit * sin(time * flake.rhythm + flake.phase)
            x = _around(flake.x + drift.speed[0] * nearness * time / width) * width + swing
            y = _around(flake.y + drift.speed[1] * nearness * time / height) * height + swing * 0.4
        angle, stretch = drift.lean, drift.stretch
        if drift.tumbling:
            angle = flake.phase + time * flake.rhythm
            stretch *= 0.3 + 0.7 * abs(cos(time * flake.rhythm * 0.8 + flake.phase * 3))
        if fade := round(strength * FADES):
            _print(picture, self._stamps[fade], flake.colour, (x, y, radius, max(0.7, radius * stretch)), angle)


class Bird(Struct, frozen=True):
    """One of a flock: its place in it (shares of width and height), half its span in pixels, the beat of its wings."""

    along: float
    across: float
    span: float
    phase: float
    beat: float


class _Birds:
    """A flock that crosses the sky and beats its wings."""

    def __init__(self, rng: Random, size: tuple[int, int], colour: Colour) -> None:
        self._width, self._height = size
        self._colour = colour
        self._side = rng.choice((-1, 1))
        self._start, self._line = rng.uniform(-0.1, 0.25), rng.uniform(0.14, 0.3)
        span = min(size) * 0.026
        self._birds = [
            Bird(
                along=rng.gauss(0, 0.06),
                across=rng.gauss(0, 0.035),
                span=span * rng.uniform(0.65, 1.15),
                phase=rng.uniform(0, 2 * pi),
                beat=rng.uniform(5, 8),
            )
            for _ in range(rng.randint(4, 7))
        ]

    def draw(self, picture: Planes, time: float, presence: float) -> None:
        for bird in self._birds:
            share = self._start + bird.along + 0.085 * time
            x = (share if self._side > 0 else 1 - share) * self._width
            y = (self._line + bird.across + 0.012 * sin(time * 1.3 + bird.phase)) * self._height
            stamp = _draw_bird(bird.span, sin(time * bird.beat + bird.phase), round(215 * presence))
            _print(picture, stamp, self._colour, (x, y, stamp.width / 8, stamp.height / 8))


def _draw_bird(span: float, lift: float, fill: int) -> Image.Image:
    """The mask of one with its wings up (`lift` 1) or down (-1), four times as large as it is seen."""
    side = max(16, round(span * 10))
    mask = Image.new("L", (side, side))
    pen, middle, reach = ImageDraw.Draw(mask), side / 2, span * 4
    for wing in (-1, 1):
        tip = (middle + wing * reach * (1 - 0.18 * abs(lift)), middle - reach * 0.5 * lift)
        elbow = (middle + wing * reach * 0.45, middle - reach * (0.34 + 0.24 * lift))
        curve = [_bend((middle, middle), elbow, tip, step / 8) for step in range(9)]
        pen.line(curve, fill=fill, width=max(2, round(span * 0.55)), joint="curve")
    body = span * 0.42
    pen.ellipse((middle - body, middle - body * 0.8, middle + body, middle + body * 0.8), fill=fill)
    return mask


def _bend(start: Point, middle: Point, end: Point, t: float) -> Point:
    """A point of a curve from start to end that leans towards the middle (Bézier's)."""
    a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t * t
    return a * start[0] + b * middle[0] + c * end[0], a * start[1] + b * middle[1] + c * end[1]


def _print(
    picture: Planes, stamp: Image.Image, colour: Colour, place: tuple[float, float, float, float], angle: float = 0.0
) -> None:
    """Lays a colour through a stamp. `place`: the middle of the print, and how far it reaches across and down."""
    x, y, across, down = place
    reach = max(across, down) + 1
    left, top = floor((x - reach) / 2) * 2, floor((y - reach) / 2) * 2
    side = floor(reach + 2) * 2
    width, height = picture.light.size
    if left + side <= 0 or top + side <= 0 or left >= width or top >= height:
        return
    # From a pixel of the print to one of the stamp, so that it may lie between pixels.
    turn_x, turn_y = cos(angle), sin(angle)
    off_x, off_y = left - x, top - y
    wide, high = stamp.width / 2 / across, stamp.height / 2 / down
    matrix = (
        *(turn_x * wide, turn_y * wide, (turn_x * off_x + turn_y * off_y) * wide + stamp.width / 2),
        *(-turn_y * high, turn_x * high, (turn_x * off_y - turn_y * off_x) * high + stamp.height / 2),
    )
    mask = stamp.transform((side, side), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    # A paste does not begin outside.
    cut = max(0, -left), max(0, -top)
    if any(cut):
        mask = mask.crop((*cut, side, side))
    picture.lay(colour, mask, (left + cut[0], top + cut[1]))


def _flake(rng: Random, drift: Drift, palette: Palette) -> Flake:
    light, accent = rgb(palette.light), rgb(palette.accent)
    tint = min(1.0, max(0.0, drift.tint + rng.uniform(-0.3, 0.3))) if drift.tint else 0.0
    return Flake(
        x=rng.random(),
        y=rng.random(),
        depth=rng.random() ** 2,
        phase=rng.uniform(0, 2 * pi),
        rhythm=rng.uniform(0.6, 2.0),
        colour=rgb(drift.colour) if drift.colour else mix(light, accent, tint),
    )


def _depth_of(flake: Flake) -> float:
    return flake.depth


def _around(share: float) -> float:
    """Out on one side, in on the other."""
    return (share + OUTSIDE) % (1 + 2 * OUTSIDE) - OUTSIDE


def _glow() -> Image.Image:
    """A light with a bright middle that fades to nothing at its rim."""
    table = [round(255 * min(1.0, 1.35 * max(0.0, 1 - v * 2**0.5 / 255) ** 1.5)) for v in range(256)]
    return Image.radial_gradient("L").point(table).resize((STAMP, STAMP), Image.Resampling.BICUBIC)


def _disc() -> Image.Image:
    """A leaf's or a petal's shape, once it is stretched."""
    disc = Image.new("L", (STAMP * 4, STAMP * 4))
    ImageDraw.Draw(disc).ellipse((8, 8, STAMP * 4 - 9, STAMP * 4 - 9), fill=255)
    return disc.reduce(4)
