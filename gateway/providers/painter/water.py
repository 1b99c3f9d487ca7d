"""Scenes by the water: the open sea, and a garden's lake with its gate."""

from PIL import Image, ImageChops, ImageFilter, ImageOps

from gateway.providers.painter.canvas import Canvas, Point, gradient, levels, mix, noise, ridge, shade, soften
from gateway.providers.painter.figures import draw_birds, draw_branch, draw_sailboat, draw_torii
from gateway.providers.painter.skies import haze, paint_aurora, paint_sky


def reflect(canvas: Canvas, horizon: float, depth: float = 0.5) -> None:
    """Water from the horizon down: what stands above it upside down, darker with depth, broken by ripples."""
    width, height = canvas.size
    line = round(horizon * height)
    rows = height - line
    if rows < 2:
        return
    mirrored = ImageOps.flip(canvas.image.crop((0, max(0, line - rows), width, line))).resize((width, rows))
    mirrored = mirrored.filter(ImageFilter.BoxBlur((canvas.unit * 0.002, canvas.unit * 0.011)))
    deep = gradient((width, rows), (mix(canvas.sky[-1], canvas.near, 0.25), mix(canvas.sky[0], canvas.near, 0.72)))
    water = Image.blend(mirrored, deep, depth)
    ripples = ripple(canvas, (width, rows))
    water = ImageChops.soft_light(water, ripples.convert("RGB"))
    canvas.image.paste(water, (0, line))


def ripple(canvas: Canvas, size: tuple[int, int]) -> Image.Image:
    """Grey streaks that widen towards the viewer."""
    width, rows = size
    flat = noise(canvas.rng, (512, 512), (7, 72), 3, 0.75)
    # The far edge shows all of the noise, the near one its middle: streaks grow longer on the way.
    fan = flat.transform((512, 512), Image.Transform.QUAD, (0, 0, 190, 512, 322, 512, 512, 0), Image.Resampling.BICUBIC)
    rises = [min(511, round(511 * (1 - (1 - y / 511) ** 1.7))) for y in range(512)]
    bent = Image.new("L", (512, 512))
    for start in range(0, 512, 16):
        top, bottom = rises[start], rises[min(511, start + 16)] + 1
        strip = fan.crop((0, 511 - bottom, 512, 511 - top + 1)).resize((512, 16))
        bent.paste(strip, (0, 496 - start))
    return levels(bent, -0.35, 1.35).resize((width, rows), Image.Resampling.BICUBIC)


def light_path(canvas: Canvas, sun: Point, horizon: float) -> None:
    """The glitter between the viewer and the sun."""
    width, height = canvas.size
    line = round(horizon * height)
    rows = max(2, height - line)
    x, unit = sun[0], canvas.unit
    cone = canvas.area(
        [(x - unit * 0.05, line), (x + unit * 0.05, line), (x + unit * 0.19, height), (x - unit * 0.19, height)]
    )
    cone = soften(cone, unit * 0.04)
    glitter = Image.new("L", canvas.size)
    glitter.paste(levels(ripple(canvas, (width, rows)), 0.46, 0.62, 1), (0, line))
    fade = canvas.ramp(horizon, 1, 255, 120)
    canvas.shine(canvas.light, ImageChops.multiply(ImageChops.multiply(cone, glitter), fade))
    canvas.shine(
        mix(canvas.light, canvas.sky[-1], 0.5), canvas.glow((x, line), unit * 0.3, 2.4).point(lambda v: v * 0.5)
    )


def sea(canvas: Canvas) -> None:
    """The open sea below a wide sky, with a path of light, islands and a sail."""
    rng, horizon = canvas.rng, 0.58
    sun = paint_sky(canvas, horizon)
    if canvas.palette.name == "aurora":
        paint_aurora(canvas, horizon)
    for index in range(2):
        side = rng.choice((0.0, 1.0))
        line = [
            horizon + 0.004 - max(0.0, height) * max(0.0, 1 - abs(i / 256 - side) * 2.1)
            for i, height in enumerate(ridge(rng, 0.09 - 0.03 * index, 0.05, 0.55))
        ]
        canvas.lay(mix(mix(canvas.far, canvas.near, 0.2 + 0.35 * index), canvas.sky[-1], 0.3), canvas.below(line))
    haze(canvas, horizon, 0.05, 0.45)
    reflect(canvas, horizon, 0.55)
    light_path(canvas, sun, horizon)
    boat = min(0.86, max(0.14, sun[0] / canvas.width + rng.choice((-1, 1)) * rng.uniform(0.18, 0.3)))
    draw_sailboat(canvas, canvas.at(boat, horizon + 0.035), canvas.unit * 0.15)
    if not canvas.palette.dark:
        draw_birds(canvas, canvas.at(rng.uniform(0.2, 0.8), rng.uniform(0.16, 0.3)))


def lake_garden(canvas: Canvas) -> None:
    """A still lake before a lone snow-capped mountain, a gate in the water, blossoms above."""
    rng, horizon = canvas.rng, 0.64
    sun = paint_sky(canvas, horizon)
    peak = 0.5 + (0.17 if sun[0] < canvas.width / 2 else -0.17)
    _volcano(canvas, peak, horizon)
    haze(canvas, horizon - 0.04, 0.1, 0.62)
    for index in range(2):
        line = ridge(rng, horizon - 0.035 + 0.022 * index, 0.03, 0.58)
        canvas.lay(mix(mix(canvas.far, canvas.near, 0.35 + 0.35 * index), canvas.sky[-1], 0.22), canvas.below(line))
    reflect_line = horizon + 0.012
    gate = canvas.at(min(0.8, max(0.2, 1 - peak + rng.uniform(-0.03, 0.03))), reflect_line + 0.004)
    draw_torii(canvas, gate, canvas.unit * 0.27, mix((206, 52, 40), canvas.near, 0.12))
    reflect(canvas, reflect_line, 0.32)
    light_path(canvas, sun, reflect_line)
    blossom = (
        canvas.accent if canvas.palette.name in {"blossom", "autumn"} else mix(canvas.accent, (255, 176, 200), 0.6)
    )
    draw_branch(canvas, blossom)


def _volcano(canvas: Canvas, peak: float, foot: float) -> None:
    rng, rise = canvas.rng, 0.34
    line = []
    for i in range(257):
        away = abs(i / 256 - peak)
        height = rise * max(0.0, (1.0 - away / 0.62)) ** 2.5
        line.append(foot - min(height, rise * 0.9) + rng.uniform(-0.0006, 0.0006))
    mask = canvas.below(line)
    top = min(line)
    body = gradient(canvas.size, (mix(canvas.far, canvas.near, 0.4),) * 2)
    mist = gradient(
        (canvas.width, max(2, round((foot - top) * canvas.height))),
        (mix(canvas.far, canvas.near, 0.42), mix(canvas.far, canvas.sky[-1], 0.55)),
    )
    body.paste(mist, (0, round(top * canvas.height)))
    canvas.lay(body, mask)
    tongues = levels(noise(rng, canvas.size, (26, 2), 3, 0.6), 0.35, 0.65, 1)
    cap = ImageChops.multiply(canvas.ramp(top + 0.02, top + 0.13, 255, 0), mask)
    snow = levels(ImageChops.add(cap, ImageChops.multiply(cap, tongues), 1.4), 0.42, 0.6, 0.92)
    canvas.lay(shade(mix(canvas.light, canvas.sky[-1], 0.3), 0.25), snow)
