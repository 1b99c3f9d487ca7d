"""The bar at a picture's foot: the word SANDBOX and the prompt. Nobody shall take a sandbox picture for a model's."""

from functools import lru_cache
from unicodedata import normalize

from PIL import Image, ImageDraw, ImageFilter, ImageFont

LABEL = "SANDBOX"
Font = ImageFont.FreeTypeFont
# A shorter side than this (pixels) has room for the label alone.
ROOM_FOR_PROMPT = 200
MAX_LINES = 2
# More than two lines of the widest picture hold.
LONGEST_PROMPT = 600
# The bar's own colour.
GLASS = (9, 11, 20)


@lru_cache(maxsize=64)
def _font(size: int) -> Font:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("Pillow was built without FreeType: install its own wheel")
    return font


@lru_cache(maxsize=4096)
def _has_glyph(char: str) -> bool:
    """Whether Pillow's font can draw it; what it cannot looks like a code point that nobody assigned."""
    font = _font(16)
    return char.isspace() or bytes(font.getmask(char)) != bytes(font.getmask("\uffff"))


def _drawable(prompt: str) -> str:
    """The prompt on one line, without characters that the font lacks (accents are taken off, if need be)."""
    letters = []
    for char in prompt[:LONGEST_PROMPT]:
        shown = char if _has_glyph(char) else normalize("NFKD", char)[0]
        letters.append(shown if _has_glyph(shown) else " ")
    return " ".join("".join(letters).split())


def _wrap(text: str, font: Font, width: float) -> list[str]:
    """The text in lines of at most `width` pixels; what does not fit ends in an ellipsis."""
    words, lines = text.split(" "), [""]
    while words:
        word = words.pop(0)
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
        elif lines[-1] and len(lines) < MAX_LINES:
            lines.append("")
            words.insert(0, word)
        else:
            while longer and font.getlength(f"{longer}…") > width:
                longer = longer[:-1]
            lines[-1] = f"{longer.rstrip(' ,.')}…"
            break
    return [line for line in lines if line]


def write_label(image: Image.Image, prompt: str) -> None:
    """Draws the bar into the picture: frosted, as high as its text needs; sizes follow the picture's."""
    width, height = image.size
    ink = _ink(image.size, prompt)
    top = height - ink.height
    blur = ImageFilter.GaussianBlur(_text_size(width, height) * 0.9)
    glass = image.crop((0, top, width, height)).filter(blur)
    image.paste(Image.blend(glass, Image.new("RGB", glass.size, GLASS), 0.58), (0, top))
    image.paste(ink, (0, top), ink)


def moving_label(size: tuple[int, int], prompt: str) -> Image.Image:
    """The bar in RGBA for a moving picture of that size, to lie over each of its frames: tinted, not frosted."""
    ink = _ink(size, prompt)
    bar = Image.new("RGBA", ink.size, (*GLASS, 168))
    bar.alpha_composite(ink)
    return bar


def _text_size(width: int, height: int) -> int:
    size = max(9, round(min(width, height * 1.6) * 0.0225))
    while size > 5 and _font(size).getlength(LABEL) * 1.12 > width * 0.92:
        size -= 1
    return size


def _ink(picture: tuple[int, int], prompt: str) -> Image.Image:
    """What is written on the bar, in RGBA and the bar's size."""
    width, height = picture
    short, size = min(picture), _text_size(width, height)
    small = max(5, round(size * 0.8)) if short >= ROOM_FOR_PROMPT else size
    font, label_font = _font(size), _font(small)
    pad, gap = max(1, round(size * 0.75)), max(1, round(size * 0.3))
    spacing = small * 0.14 if short >= ROOM_FOR_PROMPT else 0
    label_width = sum(label_font.getlength(c) + spacing for c in LABEL) - spacing
    pill = (label_width + 2 * small * 0.7, small * 1.75) if short >= ROOM_FOR_PROMPT else (label_width, small * 1.25)
    text = _drawable(prompt) if short >= ROOM_FOR_PROMPT else ""
    room = width - pill[0] - 3 * pad
    lines = _wrap(text, font, room) if text and room > size * 6 else []
    line_height = round(size * 1.32)
    bar = min(height, round(max(pill[1], line_height * len(lines)) + 2 * (pad * 0.8 if lines else gap)))
    ink = Image.new("RGBA", (width, bar))
    pen = ImageDraw.Draw(ink)
    middle = bar / 2
    left = pad if lines else (width - pill[0]) / 2
    if short >= ROOM_FOR_PROMPT:
        box = (left, middle - pill[1] / 2, left + pill[0], middle + pill[1] / 2)
        pen.rounded_rectangle(
            box, pill[1] / 2, fill=(255, 255, 255, 36), outline=(255, 255, 255, 150), width=max(1, size // 14)
        )
    x = left + (pill[0] - label_width) / 2
    for letter in LABEL:
        pen.text((x, middle), letter, font=label_font, fill=(255, 255, 255, 255), anchor="lm")
        x += label_font.getlength(letter) + spacing
    first = middle - line_height * (len(lines) - 1) / 2
    for index, line in enumerate(lines):
        pen.text(
            (left + pill[0] + pad, first + index * line_height), line, font=font, fill=(244, 245, 250, 240), anchor="lm"
        )
    return ink
