"""Moving pictures: a scene under a slow camera, and what drifts before it. Frame by frame, always labelled."""

from collections.abc import Callable
from hashlib import sha256
from math import cos, pi
from random import Random

from msgspec import Struct
from msgspec.structs import replace
from PIL import Image, ImageChops, ImageOps

from gateway.providers.painter import paint_scene
from gateway.providers.painter.canvas import levels, noise, rgb, shade
from gateway.providers.painter.drift import Drifters
from gateway.providers.painter.label import moving_label
from gateway.providers.painter.palettes import Palette, choose_palette, words_of
from gateway.providers.painter.planes import Planes, to_planes

# The scene is larger than the frame: the camera comes closer by as much without losing sharpness.
MARGIN = 1.16
# Of the film's length, in which a given first picture becomes the scene, or the scene a given last one.
DISSOLVE = 0.42
# How much lighter the veil makes what it passes over, in levels of 219.
VEIL, VEIL_AT_NIGHT = 28, 20
# Frames in which the veil moves by the picture's width.
VEIL_FRAMES = 480


class View(Struct, frozen=True):
    """Where the camera is: how close, and how far to the right and down within what that leaves out, -1 to 1."""

    zoom: float = 1.0
    x: float = 0.0
    y: float = 0.0


WHOLE = View()
# Two ends of a way each; it is gone in either direction.
MOVES = (
    (WHOLE, View(MARGIN, 0.5, 0.35)),
    (WHOLE, View(MARGIN, -0.5, 0.2)),
    (View(MARGIN, -1, 0.3), View(MARGIN, 1, 0.0)),
    (View(MARGIN, 0.4, 1), View(1.04, -0.4, -1)),
)


class Film:
    """`frames` pictures of exactly `size` (even numbers of pixels) that together are a scene of the prompt in motion.

    With a `first` picture (RGB, any size) the film begins as it, and with a `last` one it ends so; the scene between
    them lets it shine through. The same arguments give the same pixels.
    """

    def __init__(
        self,
        prompt: str,
        size: tuple[int, int],
        frames: int,
        first: Image.Image | None = None,
        last: Image.Image | None = None,
    ) -> None:
        rng = Random(sha256(f"film|{prompt}".encode()).digest())  # noqa: S311
        words, large = words_of(prompt), (_even(size[0] * MARGIN), _even(size[1] * MARGIN))
        # The same colours as the scene's, which come first out of its seed.
        palette = choose_palette(words, Random(sha256(prompt.encode()).digest()))  # noqa: S311
        self.size, self.frames = size, frames
        self._scene = to_planes(paint_scene(prompt, *large, base=last if first is None else first))
        self._first = None if first is None else to_planes(_fit(first, large))
        self._last = None if last is None else to_planes(_fit(last, large))
        self._route = _choose_route(rng, first is not None, last is not None)
        self._veil = _Veil(rng, size, palette)
        self._drifters = Drifters(rng, size, words, palette)
        self._foot = _Foot(size, prompt, palette)

    def frame(self, index: int) -> Planes:
        """The picture number `index`, from 0."""
        share = index / max(1, self.frames - 1)
        view = self._route(share)
        picture = _look(self._scene, view, self.size)
        of_first = of_last = 0.0
        if self._first is not None and (of_first := 1 - _ease(share / DISSOLVE)):
            picture = picture.blend(_look(self._first, view, self.size), of_first)
        if self._last is not None and (of_last := _ease((share - 1) / DISSOLVE + 1)):
            picture = picture.blend(_look(self._last, view, self.size), of_last)
        # What drifts belongs to the scene, not to the pictures that were given.
        if presence := 1 - max(of_first, of_last):
            picture = self._veil.over(picture, index, presence)
            self._drifters.draw(picture, index, presence)
        self._foot.draw(picture, (index + 1) / self.frames)
        return picture


def _even(length: float) -> int:
    return max(2, round(length / 2) * 2)


def _fit(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    return ImageOps.fit(picture, size, Image.Resampling.LANCZOS)


def _ease(share: float) -> float:
    """From 0 to 1, slowly at both ends."""
    return 0.5 - 0.5 * cos(pi * min(1.0, max(0.0, share)))


def _choose_route(rng: Random, from_first: bool, to_last: bool) -> Callable[[float], View]:
    """Where the camera is at which share of the film. Pictures that were given are seen as a whole."""
    start, end = rng.choice(MOVES)
    if rng.random() < 0.5:
        start, end = end, start
    closest = View(MARGIN, (start.x + end.x) / 2, (start.y + end.y) / 2)
    if from_first and to_last:
        return lambda share: _between(WHOLE, closest, _ease(share * 2 if share < 0.5 else 2 - share * 2))
    if from_first or to_last:
        start, end = (WHOLE, closest) if from_first else (closest, WHOLE)
    # Mostly even, a little softer where it sets out and arrives.
    return lambda share: _between(start, end, share + (_ease(share) - share) * 0.7)


def _between(start: View, end: View, share: float) -> View:
    return View(*(a + (b - a) * share for a, b in ((start.zoom, end.zoom), (start.x, end.x), (start.y, end.y))))


def _look(picture: Planes, view: View, size: tuple[int, int]) -> Planes:
    """What the camera sees, in pixels of the frame."""
    seen = 1 / view.zoom
    left, top = (1 - seen) * (1 + view.x) / 2, (1 - seen) * (1 + view.y) / 2
    return picture.zoom((left, top, left + seen, top + seen), size)


class _Veil:
    """Mist and light that wander over the land."""

    def __init__(self, rng: Random, size: tuple[int, int], palette: Palette) -> None:
        width, height = self._size = size
        self._step = max(1, round(width / VEIL_FRAMES))
        self._room = width
        rows = bytes(round(255 * min(1.0, max(0.0, (y / height - 0.2) / 0.35))) for y in range(height))
        ramp = Image.frombytes("L", (1, height), rows).resize((2 * width, height), Image.Resampling.NEAREST)
        mist = levels(noise(rng, ramp.size, (8, 5), 4, 0.5), 0.42, 1.0)
        most = (VEIL_AT_NIGHT if palette.dark else VEIL) / 255
        self._mist = ImageChops.multiply(mist, ramp).point([round(v * most) for v in range(256)])

    def over(self, picture: Planes, index: int, presence: float) -> Planes:
        width, height = self._size
        # There and back, where the film is that long: its ends do not meet.
        left = self._room - abs(index * self._step % (2 * self._room) - self._room)
        part = self._mist.crop((left, 0, left + width, height))
        if presence < 1:
            part = part.point([round(v * presence) for v in range(256)])
        return replace(picture, light=ImageChops.add(picture.light, part))


class _Foot:
    """The label, and above it a line that grows with the film."""

    def __init__(self, size: tuple[int, int], prompt: str, palette: Palette) -> None:
        self._width, height = size
        label = moving_label(size, prompt)
        bar = Image.new("RGBA", (self._width, min(height, _even(label.height))), label.getpixel((0, 0)))
        bar.paste(label, (0, 0))
        self._label, self._mask = to_planes(bar.convert("RGB")), bar.getchannel("A")
        self._top = height - bar.height
        self._line = Image.new("L", (self._width, max(2, min(self._top, _even(min(size) * 0.008)))), 255)
        self._rest = self._line.point(lambda _: 90)
        self._colour = shade(rgb(palette.accent), 0.25)

    def draw(self, picture: Planes, share: float) -> None:
        picture.lay(self._label, self._mask, (0, self._top))
        top = max(0, self._top - self._line.height)
        done = round(self._width * share / 2) * 2
        picture.lay((0, 0, 0), self._rest, (0, top))
        if done:
            picture.lay(self._colour, self._line.crop((0, 0, done, self._line.height)), (0, top))
