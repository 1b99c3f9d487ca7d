"""Tests against a gateway that runs: `try_live.sh` starts one, and says where by the environment."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from arkroute import ArkRoute

NEEDED = ("ARKROUTE_BASE_URL", "ARKROUTE_API_KEY", "ARKROUTE_POOR_KEY")


def pytest_configure(config: pytest.Config) -> None:
    if missing := [name for name in NEEDED if not os.environ.get(name)]:
        raise pytest.UsageError(f"{', '.join(missing)}: not set. Run these tests by try_live.sh.")


@pytest.fixture
def client() -> Iterator[ArkRoute]:
    with ArkRoute() as client:
        yield client


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A PNG of 64 by 64 pixels."""
    rows = b"".join(b"\0" + b"".join(bytes((x * 4, y * 4, 128)) for x in range(64)) for y in range(64))
    path = tmp_path / "photo.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0))
        + _chunk(b"IDAT", zlib.compress(rows))
        + _chunk(b"IEND", b"")
    )
    return path


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two seconds of silence, as WAV."""
    samples = b"\0\0" * 32_000
    path = tmp_path / "speech.wav"
    header = struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
    path.write_bytes(
        b"RIFF"
        + struct.pack("<I", 36 + len(samples))
        + b"WAVEfmt "
        + header
        + b"data"
        + struct.pack("<I", len(samples))
        + samples
    )
    return path


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
