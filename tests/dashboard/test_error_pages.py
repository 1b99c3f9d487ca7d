"""Pages for what went wrong: what it was, that nothing was charged, what to do next, and the request's id."""

import pytest
from django.core.exceptions import PermissionDenied
from django.test import AsyncClient

from dashboard import landing


async def page_of(path: str, status: int, **options: object) -> str:
    browser = AsyncClient(raise_request_exception=False, **options)
    response = await browser.get(path) if "enforce_csrf_checks" not in options else await browser.post(path)
    assert response.status_code == status
    page = response.content.decode()
    assert page.count("<h1") == 1
    assert f">{response['x-request-id']}<" in page
    return page


async def test_a_host_that_is_not_ours(settings) -> None:
    settings.ALLOWED_HOSTS = ["api.example.com"]
    page = await page_of("/", 400)
    assert "nothing charged" in page


async def test_an_address_where_nothing_is() -> None:
    assert "/nothing-here/" in await page_of("/nothing-here/", 404)


async def test_a_form_that_is_out_of_date() -> None:
    page = await page_of("/accounts/login/", 403, enforce_csrf_checks=True)
    assert 'href="/accounts/login/"' in page
    assert "Nothing was changed" in page


async def test_a_page_that_somebody_may_not_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landing, "list_offers", raising(PermissionDenied))
    assert "Sign in" in await page_of("/", 403)


async def test_what_broke_on_our_side_is_logged_with_its_id(monkeypatch, caplog) -> None:
    monkeypatch.setattr(landing, "list_offers", raising(RuntimeError))
    page = await page_of("/", 500)
    assert "Nothing was charged" in page
    told = next(record.getMessage() for record in caplog.records if record.name == "dashboard.errors")
    assert told.split()[1] in page


def raising(error: type[Exception]):
    def fail():
        raise error

    return fail
