"""Stored results and the links to them, fetched as a browser would: through Django's ASGI handler."""

import asyncio
import logging
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.asgi import get_asgi_application
from django.core.signing import TimestampSigner
from django.urls import path
from django.utils import timezone

from api.views.media import CHUNK, serve_media
from gateway import media
from gateway.media import (
    BLOCK,
    MediaGone,
    MediaLinkExpired,
    MediaLinkInvalid,
    open_signed,
    purge_expired,
    signed_url,
    store,
    store_stream,
)

urlpatterns = [path("media/<str:token>", serve_media)]
DATA = bytes(range(256)) * 4


@pytest.fixture(autouse=True)
def own_storage(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = []
    return tmp_path / "media"


@pytest.fixture
async def client():
    transport = httpx.ASGITransport(get_asgi_application())
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        yield client


@pytest.fixture
async def link() -> str:
    return signed_url(await store(DATA, "image/png"))


async def test_a_link_is_absolute_and_ends_like_the_file(link):
    assert re.fullmatch(r"http://testserver/media/[0-9a-f]{40}\.[\w.-]+\.png", link)


@pytest.mark.parametrize(("mime", "extension"), [("image/jpeg", "jpg"), ("image/webp", "webp"), ("video/mp4", "mp4")])
async def test_the_type_decides_the_extension_and_comes_back(client, mime, extension):
    name = await store(DATA, mime)

    assert name.endswith(f".{extension}")
    assert (await client.get(signed_url(name))).headers["content-type"] == mime


async def test_a_type_that_we_do_not_keep_is_refused():
    with pytest.raises(ValueError, match="text/html"):
        await store(b"<script>", "text/html")


async def pieces_of(data: bytes, size: int = 1000):
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.mark.parametrize("length", [0, 1, BLOCK - 1, BLOCK, 3 * BLOCK + 17])
async def test_what_comes_in_pieces_is_stored_as_one_file(own_storage, length):
    data = os.urandom(length)
    name = await store_stream(pieces_of(data, 70_000), "image/png")

    assert name.endswith(".png")
    assert (own_storage / name).read_bytes() == data


async def test_what_breaks_off_leaves_nothing_behind(own_storage, settings):
    async def torn():
        yield b"x" * (2 * BLOCK)
        raise OSError("cut off")

    before = set(os.listdir(settings.ARKROUTE_DATA))
    with pytest.raises(OSError, match="cut off"):
        await store_stream(torn(), "image/png")
    with pytest.raises(ValueError, match="text/html"):
        await store_stream(torn(), "text/html")

    assert not own_storage.exists()
    assert set(os.listdir(settings.ARKROUTE_DATA)) == before


async def test_a_stream_whose_reader_is_cancelled_leaves_nothing_behind(own_storage):
    begun = asyncio.Event()

    async def endless():
        while True:
            yield b"x" * BLOCK
            begun.set()
            await asyncio.sleep(0)

    storing = asyncio.create_task(store_stream(endless(), "image/png"))
    await begun.wait()
    storing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await storing
    assert not own_storage.exists()


async def test_a_full_disk_keeps_no_part_of_a_file(own_storage, monkeypatch):
    def torn(self, size=None):
        yield b"x"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("django.core.files.base.File.chunks", torn)
    for storing in (store(DATA, "image/png"), store_stream(pieces_of(DATA), "image/png")):
        with pytest.raises(OSError, match="No space"):
            await storing
    assert [path for path in own_storage.rglob("*") if path.is_file()] == []


async def test_names_are_unguessable_and_sharded(own_storage):
    names = {await store(DATA, "image/png") for _ in range(20)}

    assert len(names) == 20
    for name in names:
        shard, file_name = name.split("/")
        assert file_name.startswith(shard)
        assert len(file_name) == 40 + len(".png")
        assert (own_storage / name).read_bytes() == DATA


async def test_a_file_is_served_whole_with_careful_headers(client, link):
    answer = await client.get(link)

    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["content-length"] == str(len(DATA))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    seconds = re.fullmatch(r"private, max-age=(\d+)", answer.headers["cache-control"])
    assert 24 * 3600 - 5 <= int(seconds[1]) <= 24 * 3600


async def test_head_has_the_headers_alone(client, link):
    answer = await client.head(link)

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(DATA))


async def test_a_large_file_comes_in_chunks(client):
    data = os.urandom(2 * CHUNK + 17)
    link = signed_url(await store(data, "video/mp4"))

    sizes = []
    async with client.stream("GET", link) as answer:
        received = b""
        async for chunk in answer.aiter_raw():
            sizes.append(len(chunk))
            received += chunk
    assert received == data


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=1000-", 1000, 1024),
        ("bytes=1000-99999", 1000, 1024),
        ("bytes=-24", 1000, 1024),
        ("bytes=-99999", 0, 1024),
        ("bytes=0-", 0, 1024),
    ],
)
async def test_a_range_is_served(client, link, asked, start, end):
    answer = await client.get(link, headers={"range": asked})

    assert (answer.status_code, answer.content) == (206, DATA[start:end])
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(DATA)}"
    assert answer.headers["content-length"] == str(end - start)


@pytest.mark.parametrize("asked", ["bytes=1024-", "bytes=5000-6000", "bytes=-0"])
async def test_a_range_beyond_the_end_is_refused(client, link, asked):
    answer = await client.get(link, headers={"range": asked})

    assert (answer.status_code, answer.content) == (416, b"")
    assert answer.headers["content-range"] == f"bytes */{len(DATA)}"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=9-3", "bytes=-", "lines=1-2", "bytes=a-b"])
async def test_a_range_that_makes_no_sense_or_several_are_answered_whole(client, link, asked):
    answer = await client.get(link, headers={"range": asked})

    assert (answer.status_code, answer.content) == (200, DATA)


async def test_a_download_is_resumed_only_on_the_same_file(client, link):
    etag = (await client.head(link)).headers["etag"]

    same = await client.get(link, headers={"range": "bytes=5-", "if-range": etag})
    other = await client.get(link, headers={"range": "bytes=5-", "if-range": '"other"'})

    assert (same.status_code, other.status_code) == (206, 200)
    assert (await client.get(link, headers={"if-none-match": etag})).status_code == 304


async def test_a_page_elsewhere_may_ask_for_ranges(client, link):
    answer = await client.options(link, headers={"origin": "https://example.com"})

    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "range" in answer.headers["access-control-allow-headers"]


async def test_files_are_read_only(client, link):
    answer = await client.delete(link)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


async def test_no_link_gets_into_the_log(client, link, own_storage, caplog):
    caplog.set_level(logging.DEBUG)
    gone = await store(DATA, "image/png")
    gone_link = signed_url(gone)
    (own_storage / gone).unlink()

    answers = [
        await client.get(link, headers={"range": "bytes=5000-"}),
        await client.get(gone_link),
        await client.post(link),
    ]

    assert [answer.status_code for answer in answers] == [416, 404, 405]
    logged = " ".join(record.getMessage() for record in caplog.records if not record.name.startswith("httpx"))
    for secret in (link, gone_link):
        assert secret.rpartition("/")[2] not in logged


async def test_a_form_sent_to_a_link_is_405_in_json_too(link, settings):
    settings.MIDDLEWARE = ["django.middleware.csrf.CsrfViewMiddleware"]
    transport = httpx.ASGITransport(get_asgi_application())
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as browser:
        answer = await browser.post(link, data={"a": "b"})

    assert answer.status_code == 405
    assert answer.json()["error"]["code"] == "method_not_allowed"


def forged(link: str) -> list[str]:
    token = link.rpartition("/")[2]
    stem, since, seal, extension = token.split(".")
    return [
        f"{'0' * 40}.{since}.{seal}.{extension}",
        f"{stem}.{since}0.{seal}.{extension}",
        f"{stem}.{since}.{seal[:-1]}{'A' if seal[-1] != 'A' else 'B'}.{extension}",
        f"{stem}.{since}.{seal}.mp4",
        f"{stem}.{extension}",
        TimestampSigner(sep=".", salt="another").sign(f"{stem}.{extension}"),
        f"{stem}.{since}.{seal}.{extension}%0A",
        "nonsense",
    ]


async def test_a_forged_link_leads_nowhere(client, link):
    for token in forged(link):
        answer = await client.get(f"http://testserver/media/{token}")

        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "unknown_url"
        with pytest.raises(MediaLinkInvalid):
            await open_signed(token)


async def test_an_expired_link_says_so(client, link, settings):
    settings.MEDIA_LINK_SECONDS = -1

    answer = await client.get(link)

    assert answer.status_code == 404
    assert "expired" in answer.json()["error"]["message"]
    assert answer.headers["access-control-allow-origin"] == "*"
    with pytest.raises(MediaLinkExpired):
        await open_signed(link.rpartition("/")[2])


async def test_a_deleted_file_is_gone_though_its_link_is_good(client, own_storage):
    name = await store(DATA, "image/png")
    link = signed_url(name)
    (own_storage / name).unlink()

    assert (await client.get(link)).status_code == 404
    with pytest.raises(MediaGone):
        await open_signed(link.rpartition("/")[2])


async def test_old_files_are_purged_and_young_ones_stay(own_storage, settings):
    old, young = await store(DATA, "image/png"), await store(DATA, "image/png")
    age = timezone.now() - timedelta(days=settings.MEDIA_FILE_DAYS, minutes=1)
    os.utime(own_storage / old, (age.timestamp(), age.timestamp()))

    assert purge_expired() == 1
    assert not (own_storage / old).exists()
    assert (own_storage / young).exists()
    assert purge_expired() == 0


def test_nothing_stored_is_nothing_to_purge():
    assert media.purge_expired() == 0


async def test_the_file_is_closed_with_the_response_even_if_nobody_reads_it(async_client, link):
    answer = await async_client.get(link.removeprefix("http://testserver"))
    part = answer._resource_closers[0].__self__

    answer.close()

    assert part.media.file.closed
