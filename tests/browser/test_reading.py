"""What visitors read: the catalogue, the documentation, and in which colours."""

import re

from playwright.sync_api import Page, expect

from tests.browser.accessibility import find_faults


def test_a_language_is_chosen_with_the_arrows_once_for_all_pages(page: Page) -> None:
    page.goto("/docs/quickstart/")
    tabs = page.get_by_role("tablist").first
    tabs.get_by_role("tab", name="curl").focus()
    page.keyboard.press("ArrowRight")
    python = tabs.get_by_role("tab", name="Python")
    expect(python).to_be_focused()
    expect(python).to_have_attribute("aria-selected", "true")
    page.goto("/models/seedream-4.5/")
    chosen = page.get_by_role("tablist").first.get_by_role("tab", name="Python")
    expect(chosen).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("tabpanel", name="Python").first).to_contain_text("from openai import OpenAI")
    chosen.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("tablist").first.get_by_role("tab", name="curl")).to_be_focused()


def test_a_page_of_the_documentation_is_found_and_copied_as_markdown(page: Page) -> None:
    page.goto("/docs/")
    page.get_by_role("navigation", name="Documentation", exact=True).get_by_role("link", name="Images").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Images")
    page.get_by_text("Copy page").click()
    page.get_by_role("button", name="Copy as Markdown").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == page.request.get("/docs/images.md").text().strip()
    assert copied.startswith("# Images")


def test_the_theme_is_kept(page: Page) -> None:
    page.goto("/")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.get_by_role("button", name="Switch between light and dark").click()
    dark = page.evaluate(background)
    assert dark != light
    page.reload()
    assert page.evaluate(background) == dark
    page.goto("/docs/quickstart/")
    assert page.evaluate(background) == dark


def test_the_catalogue_follows_what_is_asked_for(page: Page) -> None:
    page.goto("/models/")
    page.get_by_role("searchbox").fill("whisper")
    expect(page).to_have_url(re.compile(r"q=whisper"))
    expect(page.get_by_role("link", name="openai-whisper-1")).to_be_visible()
    expect(page.get_by_role("link", name="seedream-4.5", exact=True)).to_have_count(0)
    page.reload()
    expect(page.get_by_role("searchbox")).to_have_value("whisper")


def test_the_menu_of_a_small_screen_has_no_fault_and_closes_with_escape(page: Page) -> None:
    page.set_viewport_size({"width": 320, "height": 700})
    page.goto("/docs/quickstart/")
    menu = page.get_by_role("banner").get_by_label("Menu").first
    menu.click()
    link = page.get_by_role("banner").get_by_role("link", name="Explorer")
    expect(link).to_be_visible()
    page.keyboard.press("Escape")
    expect(link).to_be_hidden()
    expect(menu).to_be_focused()
    menu.click()
    assert find_faults(page) == []
