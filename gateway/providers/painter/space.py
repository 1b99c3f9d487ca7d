"""Deep space: nebulas, stars, planets, and who floats there."""

from PIL import Image, ImageChops, ImageOps

from gateway.providers.painter.canvas import Canvas, Pen, Point, gradient, levels, mix, noise, shade, soften
from gateway.providers.painter.figures import draw_astronaut
from gateway.providers.painter.skies import paint_stars

# Degrees by which a planet's ring leans.
TILT = 16


def space(canvas: Canvas) -> None:
    """Coloured clouds and stars, a large planet with a moon; an astronaut where the prompt has one."""
    rng = canvas.rng
    canvas.image = gradient(canvas.size, (canvas.sky[0], canvas.sky[1], canvas.sky[0]))
    _nebula(canvas)
    paint_stars(canvas, 0, 1, 420)
    side = rng.choice((-1, 1))
    hero = not canvas.words.isdisjoint({"astronaut", "cosmonaut", "spaceman", "cat"})
    if hero:
        # The planet is a great limb in a lower corner: the one who floats has the middle.
        planet = canvas.at(0.5 + side * 0.42, 1.02)
        _planet(canvas, planet, canvas.unit * 0.5, ring=False, sun=-side)
        _planet(canvas, canvas.at(0.5 - side * 0.33, 0.2), canvas.unit * 0.055, ring=False, sun=-side)
        draw_astronaut(canvas, canvas.at(0.5 - side * 0.05, 0.43), canvas.unit * 0.62, cat="cat" in canvas.words)
    else:
        ring = rng.random() < 0.6 or not canvas.words.isdisjoint({"ring", "ringed", "rings", "saturn"})
        planet = canvas.at(0.5 + side * rng.uniform(0.02, 0.06), rng.uniform(0.44, 0.52))
        _planet(
            canvas,
            planet,
            canvas.unit * (rng.uniform(0.18, 0.21) if ring else rng.uniform(0.22, 0.28)),
            ring=ring,
            sun=-side,
        )
        _planet(canvas, canvas.at(0.5 - side * 0.3, rng.uniform(0.2, 0.3)), canvas.unit * 0.05, ring=False, sun=-side)


def _nebula(canvas: Canvas) -> None:
    rng = canvas.rng
    colours = (canvas.accent, canvas.far, mix(canvas.accent, (70, 150, 255), 0.7), canvas.sky[-1])
    for index, colour in enumerate(colours):
        cells = (rng.randint(2, 4), rng.randint(2, 4))
        cloud = levels(noise(rng, canvas.size, cells, 5, 0.56), 0.48, 1.0, 0.85 - 0.1 * index, 1.35)
        wisps = noise(rng, canvas.size, (3, 3), 4, 0.6)
        canvas.shine(colour, ImageChops.multiply(cloud, wisps))
    dust = levels(noise(rng, canvas.size, (3, 4), 5, 0.6), 0.55, 0.95, 0.7)
    canvas.lay(canvas.sky[0], dust)


def _planet(canvas: Canvas, center: Point, radius: float, ring: bool, sun: int) -> None:
    """A globe with bands, lit from one side (`sun`: -1 left, 1 right), in a thin glow of air."""
    rng = canvas.rng
    side = max(4, round(radius * 2))
    first, second = rng.sample((canvas.far, canvas.accent, canvas.light, mix(canvas.accent, (60, 130, 220), 0.7)), 2)
    bands = noise(rng, (side, side), (2, rng.randint(6, 11)), 5, 0.55).rotate(
        rng.uniform(-18, 18), Image.Resampling.BICUBIC
    )
    surface = ImageOps.colorize(bands, shade(first, -0.45), shade(second, 0.1), mid=mix(first, second, 0.4))
    # The light falls from above and aside: a radial gradient far off the center.
    light = Image.radial_gradient("L").resize((side * 2, side * 2), Image.Resampling.BICUBIC)
    left = round(side * (0.18 if sun > 0 else 0.82))
    falloff = levels(
        ImageOps.invert(light.crop((left, round(side * 0.7), left + side, round(side * 0.7) + side))), 0.3, 0.8
    )
    surface = ImageChops.multiply(surface, Image.merge("RGB", [falloff.point(lambda v: 10 + v * 0.96)] * 3))
    (x, y), r = center, radius
    disc = canvas.disc(center, radius)
    lit = (x + sun * r * 0.25, y - r * 0.25)
    canvas.shine(mix(second, (150, 200, 255), 0.5), canvas.glow(lit, r * 1.45, 1.8).point(lambda v: v * 0.55))
    stripes = [rng.randint(60, 215) for _ in range(22)] if ring else []
    if stripes:
        _ring(canvas, center, radius, stripes, front=False)
    whole = Image.new("RGB", canvas.size)
    whole.paste(surface, (round(x - r), round(y - r)))
    canvas.lay(whole, disc)
    rim = ImageChops.subtract(disc, soften(disc, r * 0.09))
    canvas.shine(
        mix(second, (190, 220, 255), 0.6),
        ImageChops.multiply(rim, canvas.glow((x + sun * r * 0.7, y - r * 0.7), r * 1.7, 0.8)),
    )
    if stripes:
        _ring(canvas, center, radius, stripes, front=True)


def _ring(canvas: Canvas, center: Point, radius: float, stripes: list[int], front: bool) -> None:
    """Half of a ring: the part behind the globe, or the one before it."""
    (x, y), outer, inner, flat = center, radius * 2.0, radius * 1.28, 0.26

    def draw(pen: Pen, k: float) -> None:
        for index, light in enumerate([*stripes, 0]):
            wide = outer + (inner - outer) * index / len(stripes)
            pen.ellipse(((x - wide) * k, (y - wide * flat) * k, (x + wide) * k, (y + wide * flat) * k), fill=light)
        far_side = (0, 0, canvas.width * k, y * k) if front else (0, y * k, canvas.width * k, canvas.height * k)
        pen.rectangle(far_side, fill=0)

    mask = canvas.shape(draw).rotate(TILT, Image.Resampling.BICUBIC, center=center)
    canvas.lay(mix(canvas.light, canvas.accent, 0.35), mask)
