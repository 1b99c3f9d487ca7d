"""Settings, the gallery, and leaving."""

import re
import zipfile

import httpx
from playwright.sync_api import Page, expect

from tests.browser.accessibility import find_faults
from tests.browser.conftest import Newcomer
from tests.browser.gateway import PASSWORD, account_of


def test_settings_are_kept_and_the_data_is_handed_out(page: Page, newcomer: Newcomer) -> None:
    page.goto("/settings/")
    page.get_by_role("button", name="Turn on keeping prompts").click()
    # A reload amid the form's answer would break off.
    expect(page.get_by_role("button", name="Turn off and erase kept prompts")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Turn off and erase kept prompts")).to_be_visible()
    with page.expect_download() as started:
        page.get_by_role("link", name="Download your data").click()
    with zipfile.ZipFile(started.value.path()) as archive:
        assert newcomer.email in "".join(archive.read(name).decode() for name in archive.namelist())


def test_an_account_is_deleted_and_its_owner_signed_out(page: Page, newcomer: Newcomer) -> None:
    key = newcomer.make_key()
    page.goto("/settings/")
    page.get_by_role("link", name="Delete the account").click()
    if page.get_by_label("Password").is_visible():
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Go on").click()
    page.get_by_role("main").get_by_role("textbox").fill(newcomer.email)
    page.get_by_role("button", name="Delete the account").click()
    expect(page.get_by_role("banner").get_by_role("link", name="Sign in")).to_be_visible()
    assert account_of(newcomer.gateway, key) == "invalid_api_key"
    page.goto("/accounts/login/")
    page.get_by_label(re.compile("E-?mail")).fill(newcomer.email)
    page.get_by_label("Password").first.fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text("not correct")).to_be_visible()


def test_a_picture_is_looked_at_saved_and_deleted_in_the_gallery(page: Page, newcomer: Newcomer) -> None:
    body = {"model": "sandbox-image", "prompt": "a red fox", "size": "256x256"}
    headers = {"authorization": f"Bearer {newcomer.make_key()}"}
    httpx.post(f"{newcomer.gateway.url}/v1/images/generations", json=body, headers=headers).raise_for_status()
    page.goto("/gallery/")
    expect(page.get_by_role("img", name="Image by sandbox-image")).to_be_visible()
    page.get_by_role("navigation", name="Kind").get_by_role("link", name="Videos").click()
    expect(page.get_by_role("heading", name="Nothing here yet")).to_be_visible()
    page.go_back()
    with page.expect_download() as started:
        page.get_by_role("link", name="Download sandbox-image").click()
    assert started.value.suggested_filename.startswith("sandbox-image-")
    page.get_by_role("button", name="Copy link").click()
    link = page.evaluate("navigator.clipboard.readText()")
    assert httpx.get(link).headers["content-type"] == "image/png"

    page.get_by_role("button", name="Delete sandbox-image").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="Delete this for good?")).to_be_visible()
    assert find_faults(page) == []
    dialog.get_by_role("button", name="Keep it").click()
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Delete sandbox-image").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Deleted. Links to it lead to nothing")).to_be_visible()
    assert httpx.get(link).status_code == 404
