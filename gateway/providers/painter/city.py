"""A skyline at the water's edge, its windows lit."""

from collections.abc import Sequence
from functools import partial
from random import Random

from msgspec import Struct
from PIL import Image, ImageChops

from gateway.providers.painter.canvas import Canvas, Pen, mix, shade, soften
from gateway.providers.painter.skies import haze, paint_sky
from gateway.providers.painter.water import reflect


class Tower(Struct):
    """A building: left edge, width and top in pixels."""

    x: float
    width: float
    top: float
    kind: str


def skyline(canvas: Canvas) -> None:
    """Three rows of towers, the nearest with windows, mirrored in the water before them."""
    rng, shore = canvas.rng, 0.8
    paint_sky(canvas, shore)
    night = mix(canvas.sky[0], canvas.near, 0.4)
    for index in range(3):
        share = index / 2
        towers = _row(canvas, rng, shore, 0.36 + 0.05 * index, 0.055 + 0.02 * index)
        mask = canvas.shape(partial(_draw_row, towers=towers, ground=shore * canvas.height))
        colour = mix(mix(canvas.far, canvas.sky[-1], 0.38), shade(canvas.near, 0.05), share**0.8)
        body = Image.new("RGB", canvas.size, colour)
        body.paste(mix(colour, night, 0.2), (0, 0, *canvas.size), canvas.ramp(0.3, shore, 200, 0))
        canvas.lay(body, mask)
        _windows(canvas, towers, shore, share)
        if index < 2:
            haze(canvas, shore - 0.05, 0.2, 0.42 - 0.2 * share)
    canvas.shine(
        mix(canvas.light, canvas.accent, 0.5),
        canvas.glow(canvas.at(0.5, shore), canvas.width * 0.55, 3).point(lambda v: v * 0.3),
    )
    reflect(canvas, shore, 0.3)
    canvas.darken(canvas.ramp(shore - 0.006, shore + 0.012, 255, 210))


def _row(canvas: Canvas, rng: Random, shore: float, tallest: float, width: float) -> list[Tower]:
    towers = []
    x = -width * rng.random()
    while x < 1:
        wide = width * rng.uniform(0.55, 1.3) * min(1.0, canvas.unit / canvas.width * 1.3)
        center = 1 - abs(x + wide / 2 - 0.5) * 1.3
        tall = tallest * (0.35 + 0.65 * rng.random() ** 1.4) * (0.55 + 0.6 * center)
        kind = rng.choice(("flat", "flat", "step", "spire", "slant", "dome"))
        towers.append(Tower(x * canvas.width, wide * canvas.width, (shore - tall) * canvas.height, kind))
        x += wide * rng.uniform(0.86, 1.12)
    return towers


def _draw_row(pen: Pen, k: float, towers: list[Tower], ground: float) -> None:
    pen.rectangle((0, (ground - 3) * k, 1e6, ground * k + 1), fill=255)
    for tower in towers:
        left, right, top, w = tower.x * k, (tower.x + tower.width) * k, tower.top * k, tower.width * k
        pen.rectangle((left, top, right, ground * k), fill=255)
        middle = (left + right) / 2
        if tower.kind == "step":
            pen.rectangle((left + w * 0.2, top - w * 0.3, right - w * 0.2, top), fill=255)
            pen.rectangle((left + w * 0.36, top - w * 0.55, right - w * 0.36, top), fill=255)
        elif tower.kind == "spire":
            pen.polygon(((left, top), (middle, top - w * 0.55), (right, top)), fill=255)
            pen.rectangle((middle - max(1, w * 0.015), top - w * 1.15, middle + max(1, w * 0.015), top), fill=255)
        elif tower.kind == "slant":
            pen.polygon(((left, top), (right, top - w * 0.5), (right, top + 1)), fill=255)
        elif tower.kind == "dome":
            pen.ellipse((left + w * 0.08, top - w * 0.42, right - w * 0.08, top + w * 0.42), fill=255)


def _windows(canvas: Canvas, towers: list[Tower], shore: float, share: float) -> None:
    rng, ground = canvas.rng, shore * canvas.height
    cell = canvas.unit * (0.0075 + 0.0045 * share)
    panes: list[tuple[float, float, float]] = []
    for tower in towers:
        columns = max(1, int(tower.width * 0.82 / cell))
        lit = rng.uniform(0.12, 0.5)
        y = tower.top + cell * 1.2
        while y < ground - cell:
            floor = rng.random() < 0.06
            for column in range(columns):
                if floor or rng.random() < lit:
                    x = tower.x + tower.width * 0.09 + (column + 0.5) * tower.width * 0.82 / columns
                    panes.append((x, y, rng.uniform(0.35, 1.0)))
            y += cell * 1.45
    for tint, group in ((canvas.light, 0), (mix(canvas.light, canvas.accent, 0.5), 1), (shade(canvas.accent, 0.3), 2)):
        chosen = [pane for index, pane in enumerate(panes) if index % 5 in ((0, 1), (2, 3), (4,))[group]]

        def draw(pen: Pen, k: float, chosen: Sequence[tuple[float, ...]] = chosen) -> None:
            for x, y, light in chosen:
                pen.rectangle(
                    ((x - cell * 0.27) * k, (y - cell * 0.36) * k, (x + cell * 0.27) * k, (y + cell * 0.36) * k),
                    fill=round(255 * light * (0.25 + 0.75 * share)),
                )

        panels = canvas.shape(draw)
        bloom = soften(panels, canvas.unit * 0.006).point(lambda v: v * 0.9)
        canvas.shine(tint, ImageChops.lighter(panels, bloom))
