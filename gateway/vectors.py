"""Embeddings as lists of floats: their length, and how they are written."""

from base64 import b64encode
from math import hypot
from struct import pack


def shorten(vector: list[float], dimensions: int) -> list[float]:
    """The first `dimensions`, made to length one again. Source: https://arxiv.org/abs/2205.13147"""
    first = vector[:dimensions]
    length = hypot(*first) or 1.0
    return [number / length for number in first]


def resize(vector: list[float], dimensions: int) -> list[float]:
    """`vector` in as many dimensions as another model has. Zeros at its end keep every length and every cosine."""
    if len(vector) > dimensions:
        return shorten(vector, dimensions)
    return vector + [0.0] * (dimensions - len(vector))


def to_base64(vector: list[float]) -> str:
    """Little-endian 32-bit floats, as OpenAI's clients read them."""
    return b64encode(pack(f"<{len(vector)}f", *vector)).decode()
