"""The few things that a picture is of: drawn large, in flat shapes with soft shading, and set into a scene."""

from collections.abc import Callable, Sequence
from math import cos, pi, radians, sin
from random import Random

from PIL import Image, ImageChops, ImageDraw

from gateway.providers.painter.canvas import SMOOTH, Canvas, Colour, Pen, Point, mix, shade, soften

# Figures are drawn on a square of this many pixels and scaled.
SIDE = 720
Shift = Callable[[float, float], Point]


def draw_conifer(pen: Pen, foot: Point, height: float, rng: Random) -> None:
    """A fir of drooping tiers on the pen's own scale."""
    x, y = foot
    pen.rectangle((x - height * 0.012, y - height * 0.2, x + height * 0.012, y), fill=255)
    tiers = 7
    for tier in range(tiers):
        low = y - height * (0.06 + 0.86 * tier / tiers)
        half = height * 0.19 * (1 - tier / tiers) ** 0.85 * rng.uniform(0.8, 1.15)
        top = low - height * 0.24
        pen.polygon(
            (
                (x, top),
                (x + half * 0.45, low - height * 0.05),
                (x + half, low),
                (x, low - height * 0.035),
                (x - half, low),
            ),
            fill=255,
        )
    pen.polygon(
        ((x, y - height * 1.04), (x + height * 0.03, y - height * 0.85), (x - height * 0.03, y - height * 0.85)),
        fill=255,
    )


def draw_birds(canvas: Canvas, place: Point) -> None:
    """A small flock far away."""
    rng = canvas.rng
    flock = [
        (
            place[0] + rng.gauss(0, 0.07) * canvas.unit,
            place[1] + rng.gauss(0, 0.03) * canvas.unit,
            rng.uniform(0.007, 0.014),
        )
        for _ in range(7)
    ]

    def draw(pen: Pen, k: float) -> None:
        for x, y, share in flock:
            span, thick = share * canvas.unit * k, max(1, round(canvas.unit * 0.0016 * k))
            lift, a, b = span * rng.uniform(0.25, 0.6), x * k, y * k
            for side in (-1, 1):
                wing = ((a + side * span, b - lift), (a + side * span * 0.4, b - lift * 0.9), (a, b))
                pen.line(wing, fill=210, width=thick, joint="curve")

    canvas.lay(mix(canvas.near, canvas.far, 0.25), canvas.shape(draw))


def draw_cat(canvas: Canvas, foot: Point, height: float) -> None:
    """A cat that sits and looks into the distance: a silhouette, its tail hanging."""
    x, y = foot
    k0 = height

    def draw(pen: Pen, k: float) -> None:
        def oval(cx: float, cy: float, rx: float, ry: float) -> None:
            a, b = x + cx * k0, y + cy * k0
            pen.ellipse(((a - rx * k0) * k, (b - ry * k0) * k, (a + rx * k0) * k, (b + ry * k0) * k), fill=255)

        oval(0, -0.22, 0.24, 0.27)
        oval(0, -0.42, 0.17, 0.25)
        oval(0, -0.7, 0.165, 0.14)
        for side in (-1, 1):
            ear = ((0.145, -0.72), (0.15, -0.95), (0.03, -0.81))
            pen.polygon([((x + side * a * k0) * k, (y + b * k0) * k) for a, b in ear], fill=255)
            oval(side * 0.09, -0.02, 0.1, 0.05)
        tail = [
            (x + (0.2 + 0.17 * sin(t / 12 * pi)) * k0 + 0.02 * k0 * t / 12, y + (-0.1 + 0.36 * t / 12) * k0)
            for t in range(13)
        ]
        for a, b in tail:
            r = 0.042 * k0
            pen.ellipse(((a - r) * k, (b - r) * k, (a + r) * k, (b + r) * k), fill=255)
        pen.line([(a * k, b * k) for a, b in tail], fill=255, width=max(1, round(0.08 * k0 * k)), joint="curve")

    canvas.lay(shade(canvas.near, -0.25), canvas.shape(draw))


class Sticker:
    """A figure on its own transparent square, 0..1 in both directions."""

    def __init__(self) -> None:
        self.image = Image.new("RGBA", (SIDE, SIDE))

    def fill(self, mask: Image.Image, colour: Colour, shadow: float = 0.0) -> None:
        """Colour inside the mask, darker towards its lower right where `shadow` (0..1) says so."""
        margin = round(SIDE * 0.06)
        left, top, right, bottom = mask.getbbox() or (0, 0, 1, 1)
        box = max(0, left - margin), max(0, top - margin), min(SIDE, right + margin), min(SIDE, bottom + margin)
        mask = mask.crop(box)
        body = Image.new("RGB", mask.size, colour)
        if shadow:
            soft = soften(mask, SIDE * 0.035)
            rim = ImageChops.subtract(mask, ImageChops.offset(soft, -round(SIDE * 0.03), -round(SIDE * 0.03)))
            body.paste(
                mix(shade(colour, -0.6), (40, 30, 110), 0.25), (0, 0, *body.size), rim.point(lambda v: v * shadow)
            )
            lit = ImageChops.subtract(mask, ImageChops.offset(soft, round(SIDE * 0.03), round(SIDE * 0.03)))
            body.paste((255, 255, 255), (0, 0, *body.size), lit.point(lambda v: v * shadow * 0.45))
        self.image.paste(body, box[:2], mask)

    def _mask(self, points: Sequence[Point], margin: float, draw: Callable[[Pen, Shift], None]) -> Image.Image:
        """A mask around the points, drawn finer than it is; `draw` gets a pen and where fractions lie for it."""
        left, top = (int((min(p[i] for p in points) - margin) * SIDE) - 1 for i in (0, 1))
        right, bottom = (int((max(p[i] for p in points) + margin) * SIDE) + 2 for i in (0, 1))
        fine = Image.new("L", ((right - left) * SMOOTH, (bottom - top) * SMOOTH))
        draw(ImageDraw.Draw(fine), lambda x, y: ((x * SIDE - left) * SMOOTH, (y * SIDE - top) * SMOOTH))
        mask = Image.new("L", self.image.size)
        mask.paste(fine.reduce(SMOOTH), (left, top))
        return mask

    def ovals(self, *places: tuple[float, float, float, float]) -> Image.Image:
        """The mask of ellipses given by center and radii."""

        def draw(pen: Pen, shift: Shift) -> None:
            for x, y, rx, ry in places:
                pen.ellipse((*shift(x - rx, y - ry), *shift(x + rx, y + ry)), fill=255)

        corners = [(x + side * rx, y + side * ry) for x, y, rx, ry in places for side in (-1, 1)]
        return self._mask(corners, 0, draw)

    def limb(self, points: Sequence[Point], thick: float) -> Image.Image:
        """The mask of a round-ended line."""

        def draw(pen: Pen, shift: Shift) -> None:
            pen.line([shift(x, y) for x, y in points], fill=255, width=round(thick * SIDE * SMOOTH), joint="curve")
            r = thick / 2
            for x, y in points:
                pen.ellipse((*shift(x - r, y - r), *shift(x + r, y + r)), fill=255)

        return self._mask(points, thick, draw)

    def polygon(self, points: Sequence[Point]) -> Image.Image:
        """The mask of a polygon."""
        return self._mask(points, 0, lambda pen, shift: pen.polygon([shift(x, y) for x, y in points], fill=255))

    def stick(self, canvas: Canvas, center: Point, size: float, turn: float = 0.0) -> None:
        """Sets the figure into the picture, `size` pixels a side, turned by degrees."""
        side = max(2, round(size))
        figure = self.image.rotate(turn, Image.Resampling.BICUBIC) if turn else self.image
        figure = figure.resize((side, side), Image.Resampling.LANCZOS)
        place = round(center[0] - side / 2), round(center[1] - side / 2)
        canvas.image.paste(figure, place, figure)


def _bow(start: Point, middle: Point, end: Point, steps: int = 24) -> list[Point]:
    """A quadratic curve as points."""
    points = []
    for step in range(steps + 1):
        t = step / steps
        a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t * t
        points.append((a * start[0] + b * middle[0] + c * end[0], a * start[1] + b * middle[1] + c * end[1]))
    return points


def draw_astronaut(canvas: Canvas, center: Point, size: float, cat: bool) -> None:
    """Someone in a white suit, afloat; a cat if the prompt says so."""
    figure, suit, trim = Sticker(), (236, 239, 247), canvas.accent
    grey, glass = (176, 184, 204), (16, 20, 48)
    fur = (238, 158, 84)
    if cat:
        figure.fill(figure.limb(_bow((0.56, 0.74), (0.86, 0.92), (0.84, 0.62)), 0.055), suit, 0.8)
    figure.fill(figure.limb([(0.39, 0.5), (0.61, 0.5), (0.6, 0.68), (0.4, 0.68)], 0.13), grey, 0.9)
    for limb in (
        _bow((0.44, 0.72), (0.36, 0.82), (0.4, 0.9)),
        _bow((0.56, 0.72), (0.68, 0.78), (0.65, 0.9)),
    ):
        figure.fill(figure.limb(limb, 0.115), suit, 0.8)
        figure.fill(figure.limb(limb[-5:], 0.13), mix(grey, suit, 0.4), 0.7)
    figure.fill(figure.ovals((0.5, 0.62, 0.155, 0.18)), suit, 0.9)
    for limb in (
        _bow((0.39, 0.55), (0.24, 0.58), (0.2, 0.45)),
        _bow((0.61, 0.55), (0.76, 0.6), (0.83, 0.5)),
    ):
        figure.fill(figure.limb(limb, 0.1), suit, 0.8)
        figure.fill(figure.limb(limb[-8:-6], 0.108), trim, 0.6)
        figure.fill(figure.limb(limb[-5:], 0.112), mix(grey, suit, 0.3), 0.7)
    panel = figure.limb([(0.45, 0.63), (0.55, 0.63), (0.55, 0.68), (0.45, 0.68)], 0.025)
    figure.fill(panel, mix(grey, suit, 0.25), 0.5)
    figure.fill(figure.limb([(0.455, 0.65), (0.455, 0.651)], 0.026), trim)
    figure.fill(figure.limb([(0.5, 0.65), (0.501, 0.65)], 0.022), (90, 200, 250))
    figure.fill(figure.limb([(0.545, 0.65), (0.546, 0.65)], 0.022), (255, 205, 90))
    helmet = (0.5, 0.3, 0.235, 0.225)
    if cat:
        for side in (-1, 1):
            ear = [(0.5 + side * a, b) for a, b in ((0.07, 0.1), (0.2, 0.015), (0.225, 0.24))]
            figure.fill(figure.polygon(ear), suit, 0.6)
    figure.fill(figure.ovals(helmet), suit, 1.0)
    figure.fill(figure.ovals((0.5, 0.31, 0.19, 0.175)), mix(grey, glass, 0.3))
    visor = figure.ovals((0.5, 0.31, 0.18, 0.165))
    figure.fill(visor, glass)
    if cat:
        _cat_face(figure, visor, fur)
    sheen = ImageChops.multiply(visor, soften(figure.ovals((0.42, 0.2, 0.13, 0.09)), 14))
    figure.image.paste((255, 255, 255), (0, 0, SIDE, SIDE), sheen.point(lambda v: v * 0.42))
    gleam = figure.limb(_bow((0.355, 0.33), (0.35, 0.24), (0.41, 0.195)), 0.014)
    figure.image.paste((255, 255, 255), (0, 0, SIDE, SIDE), gleam.point(lambda v: v * 0.8))
    tint = ImageChops.multiply(visor, soften(figure.ovals((0.6, 0.44, 0.14, 0.08)), 18))
    figure.image.paste(canvas.accent, (0, 0, SIDE, SIDE), tint.point(lambda v: v * 0.5))
    figure.stick(canvas, center, size, canvas.rng.uniform(-24, 24))


def _cat_face(figure: Sticker, visor: Image.Image, fur: Colour) -> None:
    dark = shade(fur, -0.35)
    for side in (-1, 1):
        for ear, colour in (
            (((0.035, 0.25), (0.12, 0.165), (0.135, 0.31)), fur),
            (((0.06, 0.25), (0.11, 0.195), (0.118, 0.28)), (246, 176, 170)),
        ):
            mask = figure.polygon([(0.5 + side * a, b) for a, b in ear])
            figure.fill(ImageChops.multiply(mask, visor), colour)
    face = ImageChops.multiply(figure.ovals((0.5, 0.345, 0.14, 0.115)), visor)
    figure.fill(face, fur, 0.6)
    for x in (0.468, 0.5, 0.532):
        figure.fill(ImageChops.multiply(figure.limb([(x, 0.243), (x + (0.5 - x) * 0.15, 0.275)], 0.014), face), dark)
    figure.fill(
        ImageChops.multiply(figure.ovals((0.475, 0.4, 0.042, 0.034), (0.525, 0.4, 0.042, 0.034)), face), (255, 240, 222)
    )
    for side in (-1, 1):
        x = 0.5 + side * 0.064
        figure.fill(figure.ovals((x, 0.333, 0.034, 0.036)), (40, 28, 24))
        figure.fill(figure.ovals((x, 0.333, 0.03, 0.032)), (126, 214, 150))
        figure.fill(figure.ovals((x, 0.334, 0.015, 0.028)), (14, 14, 24))
        figure.fill(figure.ovals((x - 0.009, 0.322, 0.008, 0.009)), (255, 255, 255))
        for drop in (-0.006, 0.008):
            whisker = figure.limb([(0.5 + side * 0.06, 0.398 + drop), (0.5 + side * 0.145, 0.392 + drop * 3)], 0.004)
            figure.fill(ImageChops.multiply(whisker, visor), (255, 248, 238))
    figure.fill(figure.polygon([(0.487, 0.376), (0.513, 0.376), (0.5, 0.391)]), (226, 110, 112))
    for side in (-1, 1):
        figure.fill(
            figure.limb(_bow((0.5, 0.392), (0.5 + side * 0.01, 0.412), (0.5 + side * 0.027, 0.404), 8), 0.005), dark
        )


def draw_sailboat(canvas: Canvas, foot: Point, height: float) -> None:
    """A small boat under two sails, its hull on the water line."""
    x, y = foot

    def put(points: Sequence[Point], colour: Colour) -> None:
        canvas.lay(colour, canvas.area([(x + a * height, y + b * height) for a, b in points]))

    sail = mix(canvas.light, canvas.sky[-1], 0.25)
    put([*_bow((0.03, -1.0), (0.42, -0.5), (0.46, -0.17)), (0.03, -0.17)], sail)
    put([*_bow((-0.02, -0.92), (-0.16, -0.5), (-0.34, -0.17)), (-0.02, -0.17)], mix(sail, canvas.accent, 0.45))
    put([(-0.004, -1.04), (0.012, -1.04), (0.012, -0.1), (-0.004, -0.1)], canvas.near)
    put(
        [(-0.42, -0.12), (0.52, -0.12), *_bow((0.52, -0.12), (0.42, 0.05), (0.22, 0.03)), (-0.26, 0.03)],
        shade(canvas.near, -0.1),
    )


def draw_torii(canvas: Canvas, foot: Point, height: float, colour: Colour) -> None:
    """A shrine's gate."""
    x, y = foot

    def put(points: Sequence[Point], fill: Colour) -> None:
        canvas.lay(fill, canvas.area([(x + a * height, y + b * height) for a, b in points]))

    dark = shade(colour, -0.45)
    for side in (-1, 1):
        post = [(side * 0.42, -0.86), (side * 0.33, -0.86), (side * 0.35, 0), (side * 0.45, 0)]
        put(post, colour)
        put([(side * 0.365, -0.86), (side * 0.33, -0.86), (side * 0.35, 0), (side * 0.385, 0)], mix(colour, dark, 0.45))
        put([(side * 0.33, -0.07), (side * 0.47, -0.07), (side * 0.48, 0), (side * 0.32, 0)], dark)
    put([(-0.52, -0.7), (0.52, -0.7), (0.52, -0.62), (-0.52, -0.62)], mix(colour, dark, 0.2))
    put([(-0.045, -0.86), (0.045, -0.86), (0.045, -0.68), (-0.045, -0.68)], dark)
    beam = [*_bow((-0.62, -0.94), (0, -0.84), (0.62, -0.94)), *_bow((0.6, -0.83), (0, -0.78), (-0.6, -0.83))]
    put(beam, colour)
    roof = [*_bow((-0.7, -1.05), (0, -0.9), (0.7, -1.05)), *_bow((0.65, -0.93), (0, -0.84), (-0.65, -0.93))]
    put(roof, dark)


def draw_branch(canvas: Canvas, colour: Colour) -> None:
    """A twig with blossoms that reaches in from an upper corner."""
    rng = canvas.rng
    side = rng.choice((-1, 1))
    origin_x = 0.0 if side > 0 else canvas.width
    unit = canvas.unit
    twigs: list[tuple[list[Point], float]] = []

    def grow(start: Point, angle: float, length: float, thick: float, depth: int) -> None:
        end = (start[0] + side * cos(angle) * length, start[1] + sin(angle) * length)
        bend = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 - length * rng.uniform(-0.1, 0.16))
        curve = _bow(start, bend, end, 10)
        twigs.append((curve, thick))
        if depth:
            for _ in range(rng.randint(2, 3)):
                grow(
                    rng.choice(curve[5:]),
                    angle + rng.uniform(-0.75, 0.75),
                    length * rng.uniform(0.45, 0.66),
                    thick * 0.55,
                    depth - 1,
                )

    grow(
        (origin_x - side * unit * 0.03, unit * rng.uniform(0.03, 0.1)),
        radians(rng.uniform(8, 22)),
        unit * 0.36,
        unit * 0.02,
        3,
    )

    def draw(pen: Pen, k: float) -> None:
        for curve, thick in twigs:
            pen.line([(x * k, y * k) for x, y in curve], fill=255, width=max(1, round(thick * k)), joint="curve")

    canvas.lay(shade(canvas.near, -0.2), canvas.shape(draw))
    spots = [
        (
            x + rng.gauss(0, 0.014) * unit,
            y + rng.gauss(0, 0.014) * unit,
            unit * rng.uniform(0.007, 0.0125),
            rng.uniform(0, pi),
        )
        for curve, thick in twigs
        if thick < unit * 0.012
        for x, y in curve[3::2]
        for _ in range(2)
    ]
    spots += [
        (rng.random() * canvas.width, rng.uniform(0.1, 0.9) * canvas.height, unit * 0.004, rng.uniform(0, pi))
        for _ in range(26)
    ]
    groups = ((shade(colour, -0.14), 0), (colour, 1), (shade(colour, 0.5), 2))
    for tint, group in groups:
        chosen = [spot for index, spot in enumerate(spots) if index % 3 == group]

        def petals(pen: Pen, k: float, chosen: Sequence[tuple[float, ...]] = chosen) -> None:
            for x, y, r, turn in chosen:
                for petal in range(5):
                    angle = turn + petal * 2 * pi / 5
                    a, b = x + cos(angle) * r * 0.62, y + sin(angle) * r * 0.62
                    pen.ellipse(
                        ((a - r * 0.58) * k, (b - r * 0.58) * k, (a + r * 0.58) * k, (b + r * 0.58) * k), fill=255
                    )

        canvas.lay(tint, canvas.shape(petals))


def draw_cup(canvas: Canvas, center: Point, size: float, colour: Colour, paper: Colour) -> None:
    """A cup on its saucer, steam rising: a mark in two colours."""
    figure = Sticker()
    figure.fill(figure.limb(_bow((0.68, 0.5), (0.9, 0.5), (0.66, 0.7)), 0.05), colour)
    bowl = [
        (0.24, 0.44),
        (0.72, 0.44),
        *_bow((0.72, 0.44), (0.71, 0.79), (0.48, 0.79)),
        *_bow((0.48, 0.79), (0.25, 0.79), (0.24, 0.44)),
    ]
    figure.fill(figure.polygon(bowl), colour)
    figure.fill(figure.limb([(0.26, 0.87), (0.7, 0.87)], 0.05), colour)
    for x in (0.36, 0.48, 0.6):
        lower, upper = (
            _bow((x, 0.37), (x - 0.06, 0.31), (x, 0.25), 12),
            _bow((x, 0.25), (x + 0.06, 0.19), (x, 0.12), 12),
        )
        figure.fill(figure.limb([*lower, *upper], 0.03), canvas.accent if x == 0.48 else colour)
    bean = figure.ovals((0.48, 0.6, 0.075, 0.105)).rotate(28, center=(0.48 * SIDE, 0.6 * SIDE))
    figure.fill(bean, paper)
    seam = figure.limb(
        [*_bow((0.5, 0.51), (0.44, 0.56), (0.48, 0.6), 10), *_bow((0.48, 0.6), (0.52, 0.64), (0.46, 0.69), 10)], 0.016
    )
    figure.fill(seam.rotate(16, center=(0.48 * SIDE, 0.6 * SIDE)), colour)
    figure.stick(canvas, center, size)
