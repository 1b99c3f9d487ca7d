"""The explorer's page, as far as the server makes it, and what it tells of a call that is filled in there."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from accounts.models import User
from billing.models import Hold

pytestmark = pytest.mark.django_db

IMPORTED = re.compile(r'^import .* from "\./(.+)";$', re.MULTILINE)


@pytest.fixture
def page() -> str:
    response = Client().get("/explorer/")
    assert response.status_code == 200
    return response.content.decode()


def describe(model: str, **fields: Any) -> dict[str, Any]:
    body = {"model": model, "fields": fields}
    response = Client().post("/explorer/call/", body, content_type="application/json")
    assert response.status_code == 200, response.content
    return response.json()


def code_of(described: dict[str, Any], language: str) -> str:
    return next(code["text"] for code in described["code"] if code["language"] == language)


# --- The page ---------------------------------------------------------------------------------------------------------


def test_it_is_there_for_everybody(page: str) -> None:
    assert "Sign up for a key" in page
    browser = Client()
    browser.force_login(User.objects.create_user("alice@example.com"))
    assert "Your keys" in browser.get("/explorer/").content.decode()
    assert 'href="/explorer/"' in browser.get("/dashboard/").content.decode()


def test_it_has_a_panel_and_models_for_each_type(page: str) -> None:
    for kind in ("image", "video", "chat", "embedding", "transcription"):
        assert f'data-view="{kind}"' in page
        assert re.search(rf'<optgroup label="[^"]+" data-type="{kind}">\s*<option', page)
    assert re.search(r'<option value="nano-banana-2"[^>]* selected[^>]*>nano-banana-2 · 2 credits</option>', page)


def test_it_begins_with_the_model_that_the_address_names_also_by_an_alias() -> None:
    for name in ("seedance-1.0", "nano-banana-pro"):
        assert f'data-first="{name}"' in Client().get(f"/explorer/?model={name}").content.decode()
    assert 'data-first="nano-banana-2"' in Client().get("/explorer/?model=dall-e-3").content.decode()


def test_receipts_are_linked_for_those_who_are_signed_in(page: str) -> None:
    assert 'data-receipts=""' in page
    browser = Client()
    browser.force_login(User.objects.create_user("alice@example.com"))
    assert 'data-receipts="/usage/requests/ID/"' in browser.get("/explorer/").content.decode()


def test_without_models_it_says_what_to_do(settings: Any) -> None:
    settings.ARKROUTE_STAND_INS, settings.PROVIDERS, settings.ENGINE_IS_IMPLIED = False, {}, True
    page = Client().get("/explorer/").content.decode()
    assert "No models yet" in page
    assert 'id="explorer"' not in page


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


# --- A call that is filled in -----------------------------------------------------------------------------------------


def test_an_estimate_has_its_price_in_credits_and_money_and_how_it_adds_up() -> None:
    assert describe("nano-banana-2", prompt="a boat", n=3)["estimate"] == {
        "credits": 6,
        "ceiling": 6,
        "money": "$0.24",
        "breakdown": [{"item": "picture of 1024x1024", "quantity": 3, "credits": 6}],
    }
    chat = describe("gpt-5.5")["estimate"]
    assert (chat["credits"], chat["ceiling"]) == (5, 7.925)
    assert Hold.objects.count() == 0


def test_what_is_required_and_missing_is_taken_from_an_example() -> None:
    for model in ("nano-banana-2", "wan2.7-i2v", "gpt-5.5", "text-embedding-3-small", "gpt-transcribe"):
        described = describe(model)
        assert described["error"] is None
        assert described["estimate"]["credits"] > 0


def test_a_recording_is_priced_by_its_seconds_which_are_no_part_of_the_code() -> None:
    described = describe("whisper-base", seconds=31, language="en")
    assert described["estimate"]["credits"] == 0.4
    assert "seconds" not in code_of(described, "curl")
    assert "language=en" in code_of(described, "curl")


def test_the_code_is_that_of_the_call_and_holds_no_key() -> None:
    described = describe("nano-banana-2", prompt="</code><script>alert(1)</script>", size="2K")
    assert [code["language"] for code in described["code"]] == ["curl", "python", "javascript"]
    for code in described["code"]:
        assert "2K" in code["text"]
        assert "YOUR_API_KEY" in code["text"]
        assert "<script" not in code["html"]


def test_what_the_api_would_refuse_is_said_as_the_api_says_it() -> None:
    described = describe("sandbox-image", prompt="a boat", size="9x9")
    assert described["estimate"] is None
    assert (described["error"]["code"], described["error"]["param"]) == ("invalid_value", "size")
    assert code_of(described, "curl")


@pytest.mark.parametrize("body", [b"", b"[]", b'{"model": 1}', b'{"model": "no-such-model", "fields": {}}'])
def test_what_is_no_call_is_refused(body: bytes) -> None:
    response = Client().post("/explorer/call/", body, content_type="application/json")
    assert response.status_code == 400
    assert response.json()["error"]["message"]


def test_pictures_are_not_to_be_sent_along() -> None:
    body = {"model": "nano-banana-2", "fields": {"prompt": "a" * 300_000}}
    response = Client().post("/explorer/call/", body, content_type="application/json")
    assert response.json()["error"]["code"] == "request_too_large"


@pytest.mark.parametrize("levels", [25, 400])
def test_what_is_nested_deeply_is_described_or_refused_at_once(levels: int) -> None:
    nested: Any = []
    for _ in range(levels):
        nested = [nested]
    answer = Client().post(
        "/explorer/call/", {"model": "gpt-5.5", "fields": {"x": nested}}, content_type="application/json"
    )
    assert answer.status_code == (200 if levels < 32 else 400)
