"""The explorer's page, as far as the server makes it."""

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from accounts.models import User

pytestmark = pytest.mark.django_db

IMPORTED = re.compile(r'^import .* from "\./(.+)";$', re.MULTILINE)


@pytest.fixture
def page() -> str:
    response = Client().get("/explorer/")
    assert response.status_code == 200
    return response.content.decode()


def test_it_is_there_for_everybody(page: str) -> None:
    assert "Sign up for a key" in page
    browser = Client()
    browser.force_login(User.objects.create_user("alice@example.com"))
    assert "Your keys" in browser.get("/explorer/").content.decode()
    assert 'href="/explorer/"' in browser.get("/dashboard/").content.decode()


def test_it_loads_files_of_its_own_alone(page: str) -> None:
    loaded = re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="([^"]+)"', page)
    assert "/static/explorer/explorer.js" in loaded
    for address in loaded:
        assert finders.find(address.removeprefix("/static/")), address


def test_every_module_that_another_imports_is_there() -> None:
    found = finders.find("explorer/explorer.js")
    assert found
    folder = Path(found).parent
    imported = {name for module in folder.glob("*.js") for name in IMPORTED.findall(module.read_text())}
    assert imported | {"explorer.js"} == {module.name for module in folder.glob("*.js")}


def test_a_strict_content_security_policy_suits_it(page: str) -> None:
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)
    assert all("src=" in script for script in re.findall(r"<script[^>]*>", page))


def test_nobody_else_puts_it_in_a_frame() -> None:
    assert Client().get("/explorer/")["x-frame-options"] == "DENY"
