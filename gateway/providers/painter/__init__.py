"""The painter: a picture for every prompt, without a model.

Belongs here: scenes, palettes, films of scenes, and the label that says SANDBOX. Does not: files, formats, requests.
The same prompt, size and seed give the same pixels. Pillow's own operations do the work; a megapixel takes a fraction
of a second.
"""

from collections.abc import Callable
from hashlib import sha256
from random import Random

from PIL import Image, ImageChops, ImageOps

from gateway.providers.painter.abstract import mark, ribbons
from gateway.providers.painter.canvas import Canvas
from gateway.providers.painter.city import skyline
from gateway.providers.painter.label import write_label
from gateway.providers.painter.land import dunes, forest, meadow, mountains
from gateway.providers.painter.palettes import choose_palette, words_of
from gateway.providers.painter.space import space
from gateway.providers.painter.water import lake_garden, sea

Scene = Callable[[Canvas], None]

# What a word asks to see; the first row that shares a word with the prompt decides.
SCENES: tuple[tuple[Scene, tuple[str, ...]], ...] = (
    (mark, ("logo", "icon", "brand", "emblem", "badge", "sticker")),
    (ribbons, ("abstract", "pattern", "wallpaper", "gradient", "fluid", "paper")),
    (space, ("space", "galaxy", "nebula", "planet", "cosmic", "cosmos", "universe", "astronaut", "alien", "rocket")),
    (lake_garden, ("japanese", "japan", "kyoto", "torii", "zen", "sakura", "cherry", "fuji", "shrine", "temple")),
    (skyline, ("city", "skyline", "street", "urban", "cyberpunk", "skyscraper", "building", "tokyo", "london", "neon")),
    (dunes, ("desert", "dune", "sand", "sahara", "camel", "pyramid", "egypt")),
    (mountains, ("volcano", "lava", "dragon")),
    (sea, ("sea", "ocean", "wave", "beach", "boat", "ship", "sailboat", "island", "harbor", "lighthouse", "whale")),
    (forest, ("forest", "jungle", "wood", "tree", "pine", "rainforest", "fox", "deer", "elf", "autumn")),
    (meadow, ("garden", "meadow", "flower", "field", "farm", "grass", "lavender", "butterfly", "bee", "spring")),
    (sea, ("lake", "river", "water", "tropical", "summer")),
    (mark, ("coffee", "cafe", "espresso", "latte", "tea")),
    (mountains, ("mountain", "peak", "alps", "landscape", "snow", "winter", "aurora", "castle", "cat")),
)
ANY_SCENE: tuple[Scene, ...] = (mountains, sea, forest, dunes, meadow, ribbons, lake_garden)
# Scenes are painted at this many pixels a side at most and enlarged; grain and label have the full size.
PAINTED_SIDE = 2048
GRAIN = 2


def paint(
    prompt: str, width: int, height: int, seed_text: str | None = None, base: Image.Image | None = None
) -> Image.Image:
    """An RGB picture of exactly `width` x `height` pixels, labelled SANDBOX.

    The prompt's words choose what is seen and in which colours; `seed_text` (default: the prompt) varies the rest.
    With a `base`, that picture (RGB, any size) shows through, in the scene's light.
    """
    image = paint_scene(prompt, width, height, seed_text, base)
    write_label(image, prompt)
    return image


def paint_scene(
    prompt: str, width: int, height: int, seed_text: str | None = None, base: Image.Image | None = None
) -> Image.Image:
    """The same picture without its label, for whoever adds that later."""
    rng = Random(sha256((prompt if seed_text is None else seed_text).encode()).digest())  # noqa: S311
    words = words_of(prompt)
    scale = min(1.0, PAINTED_SIDE / max(width, height))
    size = max(16, round(width * scale)), max(16, round(height * scale))
    canvas = Canvas(size, rng, choose_palette(words, rng), words)
    _choose_scene(words, rng)(canvas)
    image = canvas.image if size == (width, height) else canvas.image.resize((width, height), Image.Resampling.LANCZOS)
    if base is not None:
        image = _blend_in(image, base)
    return _grain(image, rng)


def _choose_scene(words: set[str], rng: Random) -> Scene:
    chance = rng.choice(ANY_SCENE)
    return next((scene for scene, triggers in SCENES if not words.isdisjoint(triggers)), chance)


def _blend_in(scene: Image.Image, base: Image.Image) -> Image.Image:
    """The base cropped to fit, in the scene's light, with a breath of the scene itself."""
    fitted = ImageOps.fit(base, scene.size, Image.Resampling.LANCZOS)
    return Image.blend(ImageChops.soft_light(fitted, scene), scene, 0.3)


def _grain(image: Image.Image, rng: Random) -> Image.Image:
    """A subtle grain; it also hides the steps of long gradients."""
    dots = Image.frombytes("L", image.size, rng.randbytes(image.width * image.height))
    dots = dots.point([v * (2 * GRAIN + 1) // 256 for v in range(256)])
    return ImageChops.add(image, Image.merge("RGB", (dots, dots, dots)), 1, -GRAIN)
