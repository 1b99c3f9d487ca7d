"""Pictures of an answer, written to files."""

from __future__ import annotations

import base64
from pathlib import Path

import httpx
import pytest

from arkroute.types import Image
from tests.gateway import FakeGateway, Threads


def test_a_picture_is_written_from_its_base64(do: Threads, tmp_path: Path) -> None:
    image = Image({"b64_json": base64.b64encode(b"png").decode()})
    gateway = FakeGateway(httpx.Response(500))
    assert do(gateway, lambda client: client.images.download(image, tmp_path / "a.png")) == tmp_path / "a.png"
    assert (tmp_path / "a.png").read_bytes() == b"png"
    assert gateway.requests == []


def test_a_picture_is_written_from_its_link_which_is_sent_no_key(do: Threads, tmp_path: Path) -> None:
    image = Image({"url": "https://storage.test/a.png"})
    moved = httpx.Response(302, headers={"location": "https://cdn.test/a.png"})
    gateway = FakeGateway(moved, httpx.Response(200, content=b"png"))
    do(gateway, lambda client: client.images.download(image, tmp_path / "a.png"), headers={"X-Secret": "s"})
    assert (tmp_path / "a.png").read_bytes() == b"png"
    assert [request.url.host for request in gateway.requests] == ["storage.test", "cdn.test"]
    for request in gateway.requests:
        assert "authorization" not in request.headers
        assert "x-secret" not in request.headers


def test_a_picture_without_either_is_an_error(do: Threads, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="neither"):
        do(FakeGateway(httpx.Response(500)), lambda client: client.images.download(Image({}), tmp_path / "a.png"))
