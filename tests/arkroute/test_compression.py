"""What browsers are sent is compressed; results, and what programs are sent, are as they were."""

import gzip
import warnings

import pytest
from django.contrib.staticfiles import finders
from django.core.files.base import ContentFile
from django.test import AsyncClient, Client

from accounts.models import User
from gateway.media import signed_url, store_now

GZIP = {"accept-encoding": "br, gzip"}
SHEET = "/static/app/app.css"


def test_a_page_is_compressed_for_those_who_take_it() -> None:
    page = Client().get("/docs/api/", headers=GZIP)
    assert page["content-encoding"] == "gzip"
    assert "Accept-Encoding" in page["vary"]
    plain = Client().get("/docs/api/")
    assert "content-encoding" not in plain
    assert len(page.content) * 4 < len(plain.content)
    assert gzip.decompress(page.content) == plain.content


def test_a_style_sheet_is_compressed_and_answered_in_one_piece() -> None:
    sheet = Client().get(SHEET, headers=GZIP)
    assert sheet["content-encoding"] == "gzip"
    assert int(sheet["content-length"]) == len(sheet.content) < 40_000
    with open(finders.find("app/app.css"), "rb") as file:
        assert gzip.decompress(sheet.content) == file.read()
    same = Client().get(SHEET, headers={**GZIP, "if-none-match": sheet["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert "content-encoding" not in Client().get("/static/brand/card.png", headers=GZIP)
    part = Client().get(SHEET, headers={**GZIP, "range": "bytes=0-99"})
    assert (part.status_code, len(part.content)) == (206, 100)


async def test_django_does_not_warn_of_files_that_are_read_in_threads() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (await AsyncClient().get(SHEET)).status_code == 200


@pytest.mark.django_db
def test_results_are_not_compressed_a_second_time(settings, tmp_path) -> None:
    settings.MEDIA_ROOT = tmp_path
    name = store_now(ContentFile(b"\x89PNG\r\n\x1a\n" + bytes(2000)), "image/png")
    response = Client().get(signed_url(name).removeprefix(settings.PUBLIC_URL), headers={**GZIP, "range": "bytes=0-9"})
    assert (response.status_code, response["content-length"]) == (206, "10")
    assert "content-encoding" not in response


@pytest.mark.django_db
def test_pages_of_somebody_are_kept_by_no_cache() -> None:
    browser = Client()
    assert "cache-control" not in browser.get("/models/")
    browser.force_login(User.objects.create_user("alice@example.com"))
    for path in ("/", "/models/", "/docs/quickstart/", "/dashboard/", "/keys/", "/accounts/email/"):
        cached = browser.get(path)["cache-control"]
        assert "private" in cached, path
        assert "no-store" in cached, path
