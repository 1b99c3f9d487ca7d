"""The painter's films: every scene in motion, at any size."""

import pytest
from PIL import Image, ImageChops

from gateway.providers.painter import SCENES
from gateway.providers.painter.drift import DRIFTS
from gateway.providers.painter.film import Film
from gateway.providers.painter.planes import Planes, levels_of, to_planes

WORDS = [words[0] for _, words in SCENES]
DRIFTING = [min(drift.words) for drift in DRIFTS]


def differs(one: Planes, other: Planes) -> bool:
    return ImageChops.difference(one.light, other.light).getbbox() is not None


@pytest.mark.parametrize("prompt", [*WORDS, *DRIFTING, "", "日本の庭"])
def test_every_scene_moves(prompt: str) -> None:
    film = Film(prompt, (96, 64), 24)
    first, later, last = film.frame(0), film.frame(12), film.frame(23)

    assert (first.light.size, first.blue.size, first.red.size) == ((96, 64), (48, 32), (48, 32))
    assert differs(first, later)
    assert differs(later, last)


@pytest.mark.parametrize("size", [(2, 2), (16, 128), (300, 20)])
def test_a_film_may_have_any_shape(size: tuple[int, int]) -> None:
    assert Film("a forest", size, 1).frame(0).light.size == size


@pytest.mark.parametrize(
    ("colour", "levels"),
    [((0, 0, 0), (16, 128, 128)), ((255, 255, 255), (235, 128, 128)), ((255, 0, 0), (63, 102, 240))],
)
def test_colours_are_those_of_video(colour: tuple[int, int, int], levels: tuple[int, int, int]) -> None:
    planes = to_planes(Image.new("RGB", (4, 4), colour))

    assert levels_of(colour) == levels
    assert (planes.light.getpixel((0, 0)), planes.blue.getpixel((0, 0)), planes.red.getpixel((0, 0))) == levels
