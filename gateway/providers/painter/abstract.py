"""Pictures of nothing in particular: flowing ribbons, and marks as a brand would wear them."""

from math import cos, pi, sin

from PIL import Image, ImageChops

from gateway.providers.painter.canvas import Canvas, Colour, gradient, mix, shade, soften
from gateway.providers.painter.figures import draw_cup

STEPS = 96


def ribbons(canvas: Canvas) -> None:
    """Layers of waving paper, each throwing its shadow on the one behind."""
    rng = canvas.rng
    stops = [*canvas.sky, canvas.accent, canvas.far, canvas.near]
    start = mix(canvas.sky[-1], canvas.light, 0.4)
    canvas.image = gradient(canvas.size, (shade(start, 0.15), start))
    canvas.shine(canvas.light, canvas.glow(canvas.at(rng.uniform(0.25, 0.75), 0.12), canvas.unit * 0.7))
    order = [canvas.sky[-1], *reversed(stops[:-4]), canvas.accent, canvas.far, canvas.near]
    count = 9
    waves, phase, drift = rng.uniform(0.7, 1.15), rng.random(), rng.uniform(0.12, 0.2)
    slope = rng.uniform(-0.22, 0.22)
    for index in range(count):
        share = index / (count - 1)
        base, swing = 0.2 + 0.72 * share, 0.1 * (1 - 0.35 * share) + rng.uniform(-0.015, 0.015)
        line = []
        for i in range(STEPS + 1):
            t = i / STEPS
            turn = 2 * pi * (t * waves + phase + index * drift)
            line.append(base + slope * (t - 0.5) + swing * sin(turn) + swing * 0.3 * sin(turn * 2.3 + index))
        mask = canvas.below(line)
        shadow = soften(mask, canvas.unit * 0.022)
        shadow = ImageChops.offset(shadow, 0, -round(canvas.unit * 0.012))
        canvas.lay(mix(canvas.near, canvas.sky[0], 0.3), shadow.point(lambda v: v * 0.42))
        place = share * (len(order) - 1)
        lower = min(int(place), len(order) - 2)
        colour = mix(order[lower], order[lower + 1], place - lower)
        top = max(0, round(min(line) * canvas.height))
        rows = max(2, round((max(line) - min(line) + 0.18) * canvas.height))
        body = Image.new("RGB", canvas.size, shade(colour, -0.16))
        body.paste(gradient((canvas.width, rows), (shade(colour, 0.16), shade(colour, -0.16))), (0, top))
        canvas.lay(body, mask)
        edge = ImageChops.subtract(mask, ImageChops.offset(mask, 0, max(1, round(canvas.unit * 0.003))))
        canvas.shine(canvas.light, edge.point(lambda v: v * 0.3))


def mark(canvas: Canvas) -> None:
    """A badge in the middle of a quiet sheet: a cup for coffee, else hills below a sun."""
    unit = canvas.unit
    paper = mix(canvas.sky[0], (255, 252, 246), 0.5)
    if canvas.palette.dark or sum(canvas.sky[0]) < 380:
        paper = mix(canvas.light, (255, 252, 246), 0.4)
    canvas.image = gradient(canvas.size, (shade(paper, 0.3), shade(paper, -0.05)))
    center = canvas.at(0.5, 0.46)
    ink = canvas.near
    canvas.lay(
        shade(ink, 0.1), canvas.glow((center[0], center[1] + unit * 0.1), unit * 0.42, 1.6).point(lambda v: v * 0.16)
    )
    x, y = center
    disc = canvas.disc(center, unit * 0.3)
    canvas.lay(ink, disc)
    ring = ImageChops.subtract(canvas.disc(center, unit * 0.278), canvas.disc(center, unit * 0.2725))
    canvas.lay(mix(canvas.accent, paper, 0.35), ring)
    if not canvas.words.isdisjoint({"coffee", "cafe", "espresso", "latte", "tea", "cup"}):
        draw_cup(canvas, (x + unit * 0.004, y - unit * 0.012), unit * 0.37, paper, ink)
    else:
        _emblem(canvas, canvas.disc(center, unit * 0.255), ink)
    for side in (-1, 1):
        for dot in range(3):
            spot = (x + side * (0.05 + 0.035 * dot) * unit, y + 0.375 * unit)
            canvas.lay(mix(ink, canvas.accent, 0.5), canvas.disc(spot, unit * (0.0062 - 0.0013 * dot)))
    diamond = [
        (x + cos(pi / 2 * i) * unit * 0.013, y + 0.375 * unit + sin(pi / 2 * i) * unit * 0.013) for i in range(4)
    ]
    canvas.lay(canvas.accent, canvas.area(diamond))


def _emblem(canvas: Canvas, inside: Image.Image, ink: Colour) -> None:
    """A sun behind three hills, within a mask."""
    rng, unit = canvas.rng, canvas.unit
    x, y = canvas.at(0.5, 0.46)
    canvas.lay(mix(canvas.accent, canvas.light, 0.72), inside)
    sun = (x + rng.uniform(-0.06, 0.06) * unit, y - 0.07 * unit)
    canvas.lay(canvas.accent, canvas.disc(sun, unit * 0.082))
    for share in (0.0, 0.5, 1.0):
        tip = x + rng.uniform(-0.15, 0.15) * unit
        top = y - unit * (0.03 - 0.075 * share)
        hill = [(tip, top), (tip + unit * 0.36, y + unit * 0.3), (tip - unit * 0.36, y + unit * 0.3)]
        canvas.lay(mix(canvas.far, ink, share), ImageChops.multiply(canvas.area(hill), inside))
