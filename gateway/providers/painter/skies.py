"""What hangs above every land: gradients, sun or moon, clouds, stars, northern lights."""

from math import cos, exp, pi, sin

from PIL import Image, ImageChops

from gateway.providers.painter.canvas import Canvas, Pen, Point, gradient, levels, mix, noise, shade


def paint_sky(canvas: Canvas, horizon: float) -> Point:
    """A sky down to the horizon (a fraction) and below, with its sun or moon. Returns where that stands, in pixels."""
    rng, palette = canvas.rng, canvas.palette
    rows = max(1, round(horizon * canvas.height))
    canvas.image.paste(gradient((canvas.width, rows), canvas.sky), (0, 0))
    canvas.image.paste(canvas.sky[-1], (0, rows, *canvas.size))
    if palette.dark:
        paint_stars(canvas, 0, horizon, 260)
    low = not palette.dark and len(palette.sky) > 4
    place = canvas.at(rng.uniform(0.28, 0.72), horizon * (rng.uniform(0.68, 0.84) if low else rng.uniform(0.24, 0.5)))
    warm = mix(canvas.light, canvas.sky[-1], 0.45)
    if palette.dark:
        _moon(canvas, place, canvas.unit * rng.uniform(0.045, 0.07))
    else:
        strength = 0.5 if sum(canvas.sky[0]) > 330 else 0.62
        canvas.shine(warm, canvas.glow(place, canvas.unit * 1.25, 2.4).point(lambda v: v * strength))
        radius = canvas.unit * (rng.uniform(0.075, 0.1) if low else rng.uniform(0.04, 0.055))
        canvas.shine(canvas.light, canvas.glow(place, radius * 5.5, 3).point(lambda v: v * 0.85))
        canvas.lay(canvas.light, canvas.disc(place, radius, radius * 0.035))
    paint_clouds(canvas, horizon, place)
    return place


def _moon(canvas: Canvas, place: Point, radius: float) -> None:
    canvas.shine(mix(canvas.light, canvas.accent, 0.5), canvas.glow(place, radius * 9, 3).point(lambda v: v * 0.55))
    disc = canvas.disc(place, radius, radius * 0.035)
    side = max(2, round(radius * 2.2))
    seas = levels(noise(canvas.rng, (side, side), (4, 4), 3), 0.25, 1, 0.32)
    patches = Image.new("L", canvas.size)
    patches.paste(seas, (round(place[0] - side / 2), round(place[1] - side / 2)))
    canvas.lay(canvas.light, disc)
    canvas.lay(mix(canvas.light, canvas.sky[1], 0.6), ImageChops.multiply(disc, patches))


def paint_stars(canvas: Canvas, top: float, bottom: float, count: int) -> None:
    """Dots of many brightnesses, and a few that sparkle, between two heights (fractions)."""
    rng, size = canvas.rng, canvas.unit / 1024
    dots = []
    for _ in range(count):
        x, y = canvas.at(rng.random(), rng.uniform(top, bottom))
        dots.append((x, y, max(0.35, size * 0.55) * (0.7 + rng.expovariate(1.6)), rng.randint(70, 255)))

    def draw(pen: Pen, k: float) -> None:
        for x, y, r, light in dots:
            pen.ellipse(((x - r) * k, (y - r) * k, (x + r) * k, (y + r) * k), fill=light)

    canvas.shine((255, 250, 240), canvas.shape(draw))
    bright = [
        (canvas.at(rng.random(), rng.uniform(top, bottom)), rng.uniform(8, 17) * max(size, 0.12)) for _ in range(5)
    ]

    def draw_rays(pen: Pen, k: float) -> None:
        for (x, y), reach in bright:
            thin = max(0.3, reach * 0.06)
            rays = [(x, y - reach), (x + thin, y - thin), (x + reach, y), (x + thin, y + thin)]
            rays += [(x, y + reach), (x - thin, y + thin), (x - reach, y), (x - thin, y - thin)]
            pen.polygon([(a * k, b * k) for a, b in rays], fill=255)

    canvas.shine((255, 252, 245), canvas.shape(draw_rays))
    for place, reach in bright:
        canvas.shine(canvas.accent, canvas.glow(place, reach * 2, 2.5).point(lambda v: v * 0.6))


def paint_clouds(canvas: Canvas, horizon: float, sun: Point) -> None:
    """Long thin clouds, lit where they are near the sun."""
    rng = canvas.rng
    mass = noise(rng, canvas.size, (2, 9), 5, 0.55)
    cover = levels(mass, rng.uniform(0.5, 0.62), 1.0, 0.72, 1.3)
    cover = ImageChops.multiply(cover, canvas.ramp(horizon * 0.15, horizon * 0.55, 40, 255))
    cover = ImageChops.multiply(cover, canvas.ramp(horizon * 0.86, horizon * 1.02, 255, 60))
    if canvas.palette.dark:
        canvas.lay(mix(canvas.sky[1], canvas.sky[-1], 0.5), cover.point(lambda v: v * 0.6))
        return
    canvas.lay(mix(canvas.sky[-1], canvas.sky[len(canvas.sky) // 2], 0.35), cover)
    canvas.shine(mix(canvas.light, canvas.accent, 0.3), ImageChops.multiply(cover, canvas.glow(sun, canvas.unit * 0.8)))


def paint_aurora(canvas: Canvas, horizon: float) -> None:
    """Curtains of light: each hangs from a wandering line and fades upwards, in fine vertical rays."""
    rng = canvas.rng
    side = 128
    colours = (canvas.accent, mix(canvas.accent, (120, 90, 255), 0.55), mix(canvas.accent, (60, 200, 255), 0.5))
    for colour in colours:
        base, swing, waves, phase = rng.uniform(0.5, 0.9), rng.uniform(0.1, 0.2), rng.uniform(0.6, 1.5), rng.random()
        reach = rng.uniform(0.3, 0.55)
        curtain = bytearray(side * side)
        for x in range(side):
            turn = 2 * pi * (x / side * waves + phase)
            foot = (base + swing * sin(turn) + swing * 0.35 * sin(turn * 2.7 + 1)) * side
            strength = 150 + 105 * cos(turn * 1.3 + phase)
            for y in range(side):
                rise = (foot - y) / side
                fade = exp(-rise / reach * 2.6) if rise > 0 else exp(rise * 34)
                curtain[y * side + x] = round(max(0.0, strength) * fade)
        size = (canvas.width, max(1, round(canvas.height * horizon)))
        light = Image.frombytes("L", (side, side), bytes(curtain)).resize(size, Image.Resampling.BICUBIC)
        rays = levels(noise(rng, (size[0], 4), (40, 1), 3), 0, 1, 1).resize(size, Image.Resampling.BICUBIC)
        light = ImageChops.multiply(light, rays.point(lambda v: 90 + v * 0.64))
        mask = Image.new("L", canvas.size)
        mask.paste(light, (0, 0))
        canvas.shine(colour, mask)


def haze(canvas: Canvas, line: float, depth: float, strength: float) -> None:
    """A bank of mist around a height (fractions), in the colour of the horizon."""
    bank = ImageChops.multiply(canvas.ramp(line - depth, line, 0, 255), canvas.ramp(line, line + depth, 255, 0))
    drift = levels(noise(canvas.rng, canvas.size, (2, 7), 3), 0, 1, 1).point(lambda v: 110 + v * 0.57)
    mist = ImageChops.multiply(bank, drift).point(lambda v: v * strength)
    canvas.lay(shade(canvas.sky[-1], 0.12) if not canvas.palette.dark else canvas.sky[-1], mist)
