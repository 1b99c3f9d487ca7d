"""Scenes on firm ground: mountains, dunes, forests, meadows."""

from collections.abc import Sequence
from math import pi, sin

from PIL import Image, ImageChops

from gateway.providers.painter.canvas import Canvas, Pen, Point, gradient, levels, mix, noise, ridge, shade, soften
from gateway.providers.painter.figures import draw_birds, draw_cat, draw_conifer
from gateway.providers.painter.skies import haze, paint_aurora, paint_sky


def _layer(canvas: Canvas, line: list[float], colour: tuple[int, int, int], mist: float) -> Image.Image:
    """Lays one range of hills: its colour at the crest, lighter towards its foot. Returns its mask."""
    mask = canvas.below(line)
    top, foot = min(line), min(1.0, max(line) + 0.18)
    tint = mix(colour, canvas.sky[-1], mist)
    body = Image.new("RGB", canvas.size, tint)
    rows = max(2, round((foot - top) * canvas.height))
    body.paste(gradient((canvas.width, rows), (colour, tint)), (0, round(top * canvas.height)))
    canvas.lay(body, mask)
    return mask


def mountains(canvas: Canvas) -> None:
    """Ranges behind ranges, each paler than the one before it, under sun or northern lights."""
    rng, horizon = canvas.rng, 0.62
    paint_sky(canvas, horizon + 0.1)
    if canvas.palette.name in {"aurora", "night"}:
        paint_aurora(canvas, horizon + 0.05)
    count = rng.randint(4, 5)
    for index in range(count):
        share = index / (count - 1)
        line = ridge(rng, 0.47 + 0.37 * share**1.1, 0.14 - 0.06 * share, 0.56 - 0.06 * share)
        mask = _layer(canvas, line, mix(canvas.far, canvas.near, share**0.9), 0.5 * (1 - share))
        if index < count - 1:
            if canvas.palette.name in {"snow", "alps"} and index < 2:
                _snow(canvas, mask, line)
            haze(canvas, 0.62 + 0.27 * share, 0.11, 0.5 - 0.25 * share)
        else:
            _treeline(canvas, line)
            if "cat" in canvas.words:
                spot = rng.uniform(0.25, 0.75)
                draw_cat(canvas, canvas.at(spot, line[round(spot * (len(line) - 1))]), canvas.unit * 0.17)
    if not canvas.palette.dark:
        draw_birds(canvas, canvas.at(rng.uniform(0.2, 0.7), rng.uniform(0.2, 0.32)))


def _snow(canvas: Canvas, mask: Image.Image, line: list[float]) -> None:
    """White on the heights, in tongues."""
    top = min(line)
    melt = ImageChops.multiply(canvas.ramp(top, top + 0.2, 255, 0), mask)
    tongues = levels(noise(canvas.rng, canvas.size, (14, 5), 4, 0.6), 0.3, 0.7, 1)
    canvas.lay(shade(canvas.light, 0.3), ImageChops.multiply(melt, tongues).point(lambda v: v * 0.85))


def _treeline(canvas: Canvas, line: list[float]) -> None:
    """Conifers along a ridge."""
    rng = canvas.rng
    trees = []
    for _ in range(70):
        x = rng.random()
        height = canvas.unit * rng.uniform(0.03, 0.085)
        trees.append((x * canvas.width, line[round(x * (len(line) - 1))] * canvas.height + height * 0.12, height))

    def draw(pen: Pen, k: float) -> None:
        for x, foot, height in trees:
            draw_conifer(pen, (x * k, foot * k), height * k, rng)

    canvas.lay(shade(canvas.near, -0.12), canvas.shape(draw))


def forest(canvas: Canvas) -> None:
    """Rows of conifers that sink into mist, with light falling between them."""
    rng = canvas.rng
    sun = paint_sky(canvas, 0.82)
    count = 5
    for index in range(count):
        share = index / (count - 1)
        base = 0.6 + 0.36 * share
        line = ridge(rng, base, 0.05, 0.5, 6)
        size = canvas.unit * (0.13 + 0.3 * share**1.2)
        step = size * 0.24 / canvas.width
        trees: list[tuple[float, float, float]] = []
        x = -step
        while x < 1 + step:
            near = min(1.0, max(0.0, x))
            height = size * rng.uniform(0.6, 1.15)
            if rng.random() > 0.12 + 0.42 * (share > 0.8) * (0.25 < x < 0.75):
                trees.append((x * canvas.width, line[round(near * 64)] * canvas.height + height * 0.1, height))
            x += step * rng.uniform(0.7, 1.5)

        def draw(pen: Pen, k: float, trees: Sequence[tuple[float, ...]] = trees) -> None:
            for x, foot, height in trees:
                draw_conifer(pen, (x * k, foot * k), height * k, rng)

        colour = mix(canvas.far, canvas.near, share**0.8)
        mask = ImageChops.lighter(canvas.shape(draw), canvas.below(line))
        body = Image.new("RGB", canvas.size, mix(colour, canvas.sky[-1], 0.45 * (1 - share)))
        top = max(0, round((base - size * 1.1 / canvas.height) * canvas.height))
        rows = max(2, round(canvas.height * 0.06 + size * 1.1))
        body.paste(gradient((canvas.width, rows), (colour, mix(colour, canvas.sky[-1], 0.5 * (1 - share)))), (0, top))
        canvas.lay(body, mask)
        if index < count - 1:
            haze(canvas, base + 0.04, 0.15, 0.62 - 0.35 * share)
    _sunbeams(canvas, sun)


def _sunbeams(canvas: Canvas, sun: Point) -> None:
    rng, (x, y) = canvas.rng, sun
    beams = Image.new("L", canvas.size)
    for _ in range(7):
        foot, width = rng.uniform(-0.5, 1.5) * canvas.width, canvas.width * rng.uniform(0.03, 0.1)
        beam = canvas.area([(x, y), (foot - width, canvas.height * 1.1), (foot + width, canvas.height * 1.1)])
        beams = ImageChops.add(beams, beam.point(lambda v: v * 0.16))
    beams = soften(beams, canvas.unit * 0.012)
    canvas.shine(canvas.light, ImageChops.multiply(beams, canvas.glow(sun, max(canvas.size) * 0.95, 1.1)))


def dunes(canvas: Canvas) -> None:
    """Waves of sand, each with a lit side and a shaded one along a winding crest."""
    rng = canvas.rng
    paint_sky(canvas, 0.56)
    canvas.lay(mix(canvas.far, canvas.sky[-1], 0.62), canvas.below(ridge(rng, 0.53, 0.035, 0.55)))
    haze(canvas, 0.56, 0.07, 0.75)
    count = 5
    for index in range(count):
        share = index / (count - 1)
        base = 0.56 + 0.36 * share**1.1
        swing, waves, phase = 0.05 + 0.05 * share, rng.uniform(0.6, 1.2), rng.random()
        heights = [
            base - swing * sin(2 * pi * (i / 96 * waves + phase)) - swing * 0.3 * sin(2 * pi * (i / 40 + phase * 3))
            for i in range(97)
        ]
        lit = mix(mix(canvas.far, canvas.light, 0.3), mix(canvas.far, canvas.near, 0.35), share)
        mask = _layer(canvas, heights, lit, 0.32 * (1 - share) + 0.08)
        _shaded_side(canvas, heights, mask, share)
    sand = levels(noise(rng, canvas.size, (9, 90), 3, 0.7), -0.8, 1.8)
    canvas.image = Image.composite(
        canvas.image, ImageChops.soft_light(canvas.image, sand.convert("RGB")), canvas.ramp(0.55, 0.75, 255, 110)
    )


def _shaded_side(canvas: Canvas, heights: list[float], mask: Image.Image, share: float) -> None:
    """The lee of a dune: below the crest on one side, its lower edge a slanting curve."""
    rng, width = canvas.rng, canvas.width
    peak = heights.index(min(heights[8:-8]))
    reach = rng.uniform(0.3, 0.5)
    crest = [(i / 96 * width, y * canvas.height) for i, y in enumerate(heights) if i >= peak]
    top = crest[0]
    points = [*crest, (width * 1.05, canvas.height)]
    for step in range(12, -1, -1):
        down = step / 12
        x = top[0] + width * reach * (0.16 * sin(down * 5) + down * 0.75)
        points.append((x, top[1] + canvas.height * reach * down))
    shaded = ImageChops.multiply(canvas.area(points, canvas.unit * 0.0025), mask)
    fade = canvas.ramp(min(heights), min(1.0, max(heights) + 0.34), 215, 25)
    canvas.lay(mix(canvas.near, canvas.far, 0.42 * (1 - share)), ImageChops.multiply(shaded, fade))


def meadow(canvas: Canvas) -> None:
    """Rolling hills with round trees, and flowers that grow larger towards us."""
    rng = canvas.rng
    paint_sky(canvas, 0.66)
    canvas.lay(mix(canvas.far, canvas.sky[-2], 0.6), canvas.below(ridge(rng, 0.52, 0.07, 0.5)))
    haze(canvas, 0.58, 0.1, 0.6)
    for index in range(4):
        share = index / 3
        base, swing, phase = 0.58 + 0.25 * share, 0.035 + 0.02 * share, rng.random()
        heights = [base + swing * sin(2 * pi * (i / 64 * rng.choice((0.9, 1.0)) + phase)) for i in range(65)]
        heights = [
            (a + b + c) / 3 for a, b, c in zip(heights, heights[1:] + heights[-1:], heights[:1] + heights, strict=False)
        ]
        _layer(canvas, heights, mix(mix(canvas.far, canvas.near, share * 0.75), canvas.light, 0.12 * (1 - share)), 0.1)
        if index < 3:
            _round_trees(canvas, heights, share)
            haze(canvas, base + 0.1, 0.09, 0.28)
    _flowers(canvas)
    draw_birds(canvas, canvas.at(rng.uniform(0.2, 0.7), rng.uniform(0.18, 0.3)))


def _round_trees(canvas: Canvas, heights: list[float], share: float) -> None:
    """Broad-leaved trees in small groves, lighter at the top of their crowns."""
    rng = canvas.rng
    trees = []
    for _ in range(3):
        grove = rng.random()
        for _ in range(rng.randint(2, 5)):
            x = min(1.0, max(0.0, grove + rng.gauss(0, 0.045)))
            size = canvas.unit * rng.uniform(0.017, 0.028) * (0.8 + share * 1.1)
            trees.append((x * canvas.width, heights[round(x * (len(heights) - 1))] * canvas.height, size))
    trees.sort(key=lambda tree: tree[1])
    leaves = [
        (x + rng.gauss(0, 0.36) * size, foot - size * (1.75 + rng.gauss(0, 0.36)), size * rng.uniform(0.35, 0.58))
        for x, foot, size in trees
        for _ in range(16)
    ]

    def crowns(pen: Pen, k: float) -> None:
        for x, foot, size in trees:
            pen.rectangle(
                ((x - size * 0.09) * k, (foot - size * 1.4) * k, (x + size * 0.09) * k, (foot + size * 0.2) * k),
                fill=255,
            )
        for x, y, r in leaves:
            pen.ellipse(((x - r) * k, (y - r) * k, (x + r) * k, (y + r) * k), fill=255)

    def tops(pen: Pen, k: float) -> None:
        for x, y, r in leaves[::2]:
            a, b, small = x - r * 0.15, y - r * 0.35, r * 0.62
            pen.ellipse(((a - small) * k, (b - small) * k, (a + small) * k, (b + small) * k), fill=120)

    leaf = mix(canvas.far, canvas.near, 0.5 + 0.35 * share)
    if canvas.palette.name in {"blossom", "autumn", "pastel"}:
        leaf = mix(canvas.accent, canvas.near, 0.15 + 0.2 * share)
    mask = canvas.shape(crowns)
    canvas.lay(leaf, mask)
    canvas.lay(mix(leaf, canvas.light, 0.4), ImageChops.multiply(canvas.shape(tops, canvas.unit * 0.001), mask))


def _flowers(canvas: Canvas) -> None:
    rng = canvas.rng
    for colour in (canvas.accent, shade(canvas.accent, 0.45), canvas.light, mix(canvas.accent, canvas.near, 0.35)):
        dots = []
        for _ in range(230):
            depth = rng.random() ** 1.6
            x, y = canvas.at(rng.uniform(-0.02, 1.02), 0.79 + 0.24 * depth)
            dots.append((x, y, canvas.unit * (0.0016 + 0.0088 * depth) * rng.uniform(0.7, 1.2)))

        def draw(pen: Pen, k: float, dots: Sequence[tuple[float, ...]] = dots) -> None:
            for x, y, r in dots:
                pen.ellipse(((x - r) * k, (y - r * 0.75) * k, (x + r) * k, (y + r * 0.75) * k), fill=235)

        canvas.lay(colour, canvas.shape(draw))
