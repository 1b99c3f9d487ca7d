"""The head of every page, by the keyboard alone: the account's menu and the palette."""

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import Newcomer


def test_the_account_menu_opens_closes_and_signs_out(page: Page, newcomer: Newcomer) -> None:
    page.goto("/models/")
    button = page.get_by_label("Your account", exact=True).first
    settings = page.get_by_role("link", name="Settings")
    button.focus()
    page.keyboard.press("Enter")
    expect(settings).to_be_visible()
    page.keyboard.press("Escape")
    expect(settings).to_be_hidden()
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Get a key").first).to_be_visible()


def test_the_palette_leads_to_what_is_typed(page: Page) -> None:
    page.goto("/docs/errors/")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("option", name="Quickstart")).to_be_visible()
    page.keyboard.type("kling master")
    expect(page.get_by_role("option")).to_have_count(2)
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option").nth(1)).to_have_attribute("aria-selected", "true")
    chosen = page.get_by_role("option").nth(1).locator("span").first.inner_text()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/models/{re.escape(chosen)}/$"))
