"""The painter: the same picture for the same words, at any size, always labelled."""

from random import Random

import pytest
from PIL import Image, ImageChops, ImageStat

from gateway.providers.painter import SCENES, paint
from gateway.providers.painter.label import write_label
from gateway.providers.painter.palettes import PALETTES, choose_palette, words_of

ONE_WORD_OF_EACH_SCENE = [words[0] for _, words in SCENES]


def test_the_same_prompt_gives_the_same_pixels():
    assert paint("a sailboat at sunset", 160, 120).tobytes() == paint("a sailboat at sunset", 160, 120).tobytes()


def test_another_seed_gives_another_picture_of_the_same_prompt():
    first, second = paint("a forest", 160, 120, "1"), paint("a forest", 160, 120, "2")

    assert ImageChops.difference(first, second).getbbox() is not None


@pytest.mark.parametrize("word", ONE_WORD_OF_EACH_SCENE)
@pytest.mark.parametrize("size", [(64, 64), (96, 240), (1, 1)])
def test_every_scene_has_exactly_the_size_asked_for(word, size):
    assert paint(word, *size).size == size


@pytest.mark.parametrize("size", [(64, 2048), (2500, 64)])
def test_a_picture_may_be_far_longer_than_wide(size):
    assert paint("northern lights over a lake", *size).size == size


@pytest.mark.parametrize(
    "prompt",
    ["", " ", "日本の庭", "😀" * 50, "a" * 2000, "line\nbreak\x00", "café — naïve"],
    ids=["empty", "space", "kanji", "emoji", "one long word", "control characters", "accents"],
)
def test_any_prompt_can_be_painted(prompt):
    assert paint(prompt, 256, 256).size == (256, 256)


@pytest.mark.parametrize("side", [64, 128, 256, 512])
def test_the_label_changes_the_foot_of_the_picture_and_nothing_else(side):
    plain = Image.new("RGB", (side, side), "orange")
    labelled = plain.copy()

    write_label(labelled, "a sailboat at sunset")

    left, top, right, bottom = ImageChops.difference(plain, labelled).getbbox()
    assert (left, right, bottom) == (0, side, side)
    assert top > side * 0.7
    assert labelled.crop((0, top, side, side)).convert("L").getextrema()[1] > 200  # white letters


def test_the_label_shows_the_prompt():
    first, second = Image.new("RGB", (512, 512), "navy"), Image.new("RGB", (512, 512), "navy")

    write_label(first, "one prompt")
    write_label(second, "another prompt")

    assert ImageChops.difference(first, second).getbbox() is not None


def test_the_words_choose_the_colours():
    night, day = (ImageStat.Stat(paint(f"mountains {word}", 96, 96).convert("L")).mean[0] for word in ("night", "snow"))

    assert night + 60 < day


def test_each_palette_is_reached_by_its_first_word():
    for palette in PALETTES:
        assert choose_palette(words_of(palette.words[0]), Random(1)) is palette


def test_a_plural_is_its_word():
    assert {"dune", "dunes"} <= words_of("Endless DUNES")


def test_a_base_picture_shows_through():
    red, blue = (paint("a forest", 128, 128, base=Image.new("RGB", (50, 200), colour)) for colour in ("red", "blue"))

    assert ImageStat.Stat(red).mean[0] > ImageStat.Stat(blue).mean[0] + 60
