"""The colours of a picture, chosen by the words of its prompt."""

import re
from collections.abc import Collection
from random import Random

from msgspec import Struct

WORD = re.compile(r"[^\W_]+")


class Palette(Struct, frozen=True):
    """Colours as `#rrggbb`. `sky` runs from the zenith to the horizon; `far` and `near` are the land's two ends."""

    name: str
    words: tuple[str, ...]
    sky: tuple[str, ...]
    light: str  # sun, moon, windows
    far: str
    near: str
    accent: str
    dark: bool = False  # stars are out


# What sets a mood comes before what names a place: in "a garden at sunset" the sunset decides the colours.
PALETTES = (
    Palette(
        "sunset",
        ("sunset", "dusk", "evening", "twilight", "golden", "orange"),
        ("#28285c", "#6b3a7d", "#c9506f", "#f5895a", "#ffd390"),
        "#fff1c4",
        "#b8597a",
        "#23123b",
        "#ff8a5c",
    ),
    Palette(
        "dawn",
        ("dawn", "sunrise", "morning", "mist", "misty", "fog", "foggy", "serene", "calm"),
        ("#5877b5", "#9aaedb", "#f0c3c4", "#fde5c6"),
        "#fff8e3",
        "#b7a5c8",
        "#2b375e",
        "#f59a8b",
    ),
    Palette(
        "aurora",
        ("aurora", "borealis", "northern", "arctic"),
        ("#030b1c", "#06213a", "#0b3d50", "#1c6a69"),
        "#d8fff0",
        "#1d4a57",
        "#030b14",
        "#4dffb2",
        dark=True,
    ),
    Palette(
        "neon",
        ("neon", "cyberpunk", "futuristic", "synthwave", "robot", "techno", "purple", "magenta"),
        ("#0b0220", "#2a0b58", "#7b219f", "#ff4d8d", "#ffb27d"),
        "#ffe3f4",
        "#5a1d83",
        "#0a0220",
        "#25e2ff",
        dark=True,
    ),
    Palette(
        "night",
        ("night", "midnight", "moon", "moonlight", "moonlit", "stars", "starry", "dream", "dreamy"),
        ("#050a20", "#0c1c42", "#1d3c6b", "#4a729b"),
        "#f4f3ff",
        "#2a4b74",
        "#050b1a",
        "#9fc4ff",
        dark=True,
    ),
    Palette(
        "space",
        ("space", "galaxy", "nebula", "planet", "cosmic", "cosmos", "universe", "astronaut", "alien", "rocket"),
        ("#03020d", "#0a0b2c", "#1c1552", "#3b2070"),
        "#fff4e0",
        "#5b4bb0",
        "#04030f",
        "#ff7bc4",
        dark=True,
    ),
    Palette(
        "fire",
        ("fire", "lava", "volcano", "dragon", "flame", "inferno", "mars"),
        ("#140609", "#451014", "#98261a", "#ee6a22", "#ffc25e"),
        "#ffe2a0",
        "#8a2a1d",
        "#110407",
        "#ff7a2b",
    ),
    Palette(
        "storm",
        ("storm", "rain", "rainy", "thunder", "cloudy", "gloomy", "dramatic", "noir", "grey", "gray"),
        ("#20262f", "#414d5b", "#76838f", "#bcc2c2"),
        "#f4f1e6",
        "#71808c",
        "#12181f",
        "#d9b26a",
    ),
    Palette(
        "coffee",
        ("coffee", "cafe", "espresso", "latte", "chocolate", "brown", "vintage", "cozy", "bakery"),
        ("#fbf1e2", "#f3e2ca", "#e7cca8", "#d3a878"),
        "#fffaf0",
        "#b78557",
        "#38200f",
        "#8a5530",
    ),
    Palette(
        "blossom",
        ("blossom", "sakura", "cherry", "pink", "japanese", "japan", "kyoto", "zen", "romantic", "love"),
        ("#8fb8e2", "#c5d6f0", "#f8d8e3", "#fff0ea"),
        "#fffdf6",
        "#cfaac4",
        "#4d3156",
        "#ff8fb3",
    ),
    Palette(
        "autumn",
        ("autumn", "fall", "october", "harvest", "maple", "rustic", "fox"),
        ("#6d8ba6", "#c3c0b2", "#f3d09b", "#fbe6c2"),
        "#fff6de",
        "#cf955f",
        "#471d17",
        "#dd6b2f",
    ),
    Palette(
        "pastel",
        ("pastel", "soft", "candy", "cute", "kawaii", "rainbow", "watercolor", "unicorn", "baby"),
        ("#a9c9f2", "#cdc5f3", "#f3c8e0", "#ffe0cf", "#fff3dc"),
        "#fffaf2",
        "#b9d8d3",
        "#5d6aa3",
        "#ff9f9b",
    ),
    Palette(
        "snow",
        ("snow", "winter", "ice", "icy", "frozen", "glacier", "snowy", "christmas", "polar", "white"),
        ("#5f87b4", "#9fbddb", "#d5e4f1", "#f8fbfd"),
        "#ffffff",
        "#b3c8de",
        "#334f70",
        "#7fb0e6",
    ),
    Palette(
        "desert",
        ("desert", "dune", "sand", "sahara", "canyon", "camel", "egypt", "pyramid"),
        ("#3c79ab", "#8fb6c9", "#f1d5ad", "#fcebcf"),
        "#fffbe9",
        "#e3ad7c",
        "#7d3b20",
        "#e07a3f",
    ),
    Palette(
        "tropics",
        ("tropical", "beach", "island", "palm", "summer", "lagoon", "turquoise", "surf", "coral", "caribbean"),
        ("#0b78b8", "#3fb4dd", "#a6e3ee", "#fff2d2"),
        "#fffdf0",
        "#58b3b8",
        "#0a3f4f",
        "#ffb457",
    ),
    Palette(
        "ocean",
        ("sea", "ocean", "wave", "water", "lake", "river", "boat", "ship", "sailboat", "harbor", "whale", "blue"),
        ("#1f5f8f", "#5199c0", "#a5d0e2", "#f3f4e4"),
        "#fffdf2",
        "#6fa3bd",
        "#0b2a42",
        "#ffd58a",
    ),
    Palette(
        "forest",
        ("forest", "tree", "jungle", "wood", "pine", "green", "nature", "moss", "rainforest", "elf", "fern"),
        ("#6fa596", "#a9ccb2", "#dfeccb", "#fdf8de"),
        "#fffde9",
        "#8fb59b",
        "#0f2b27",
        "#e9c46a",
    ),
    Palette(
        "meadow",
        ("spring", "garden", "meadow", "flower", "field", "hill", "farm", "grass", "lavender", "bee", "butterfly"),
        ("#4f9bd9", "#93c5ea", "#d5ebf1", "#fdf6df"),
        "#fffdf0",
        "#a5cf9a",
        "#20512f",
        "#ff8fa8",
    ),
    Palette(
        "city",
        ("city", "skyline", "street", "urban", "building", "skyscraper", "tokyo", "york", "london", "architecture"),
        ("#16224a", "#3d4682", "#8d6a9b", "#f0a284", "#ffd9a8"),
        "#ffdf9e",
        "#6a6597",
        "#0c1024",
        "#ffb86b",
    ),
    Palette(
        "alps",
        ("mountain", "peak", "alps", "hiking", "landscape", "day", "sunny", "sky", "cloud", "eagle"),
        ("#2a6db8", "#6ca9df", "#b9dcf1", "#f4f6ee"),
        "#fffef4",
        "#9bbdd6",
        "#17344a",
        "#ffcf7a",
    ),
    Palette(
        "ink",
        ("minimalist", "minimal", "logo", "icon", "brand", "mark", "simple", "abstract", "geometric", "flat"),
        ("#f8f5ef", "#efeae0", "#e3ddd0", "#d5ccbc"),
        "#fffdf8",
        "#6f8f9f",
        "#1d2b38",
        "#e0674a",
    ),
)

# Not for a prompt that says nothing about colours.
SOBER = frozenset({"storm", "ink", "coffee"})


def words_of(prompt: str) -> set[str]:
    """The prompt's words in lower case, each with and without a plural `s`."""
    words = {word.lower() for word in WORD.findall(prompt)}
    return words | {word.removesuffix("s") for word in words if len(word) > 3}


def choose_palette(words: Collection[str], rng: Random) -> Palette:
    """The first palette that shares a word with the prompt, else any."""
    chance = rng.choice([palette for palette in PALETTES if palette.name not in SOBER])
    return next((palette for palette in PALETTES if not set(words).isdisjoint(palette.words)), chance)
