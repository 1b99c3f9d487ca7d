"""Usage and the log of requests: what is asked for stands in the address, and a receipt opens beside the table."""

import csv
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.accessibility import find_faults

MODEL = "gpt-5.5"


def download(page: Page, name: str) -> list[dict[str, str]]:
    with page.expect_download() as started:
        page.get_by_role("link", name=name).click()
    return list(csv.DictReader(Path(started.value.path()).open(newline="")))


def test_usage_is_filtered_by_its_address(page: Page, sign_in) -> None:
    sign_in("full")
    page.goto("/usage/")
    page.get_by_role("navigation", name="Period").get_by_role("link", name="30").click()
    page.get_by_label("Model", exact=True).select_option(MODEL)
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("navigation", name="Group by").get_by_role("link", name="Key").click()
    address = page.url
    assert f"model={MODEL}" in address
    table = page.get_by_role("group", name="Totals by key")
    expect(table.get_by_role("row", name="Production")).to_be_visible()
    shown = table.inner_text()

    again = page.context.new_page()
    again.goto(address)
    assert again.get_by_role("group", name="Totals by key").inner_text() == shown
    rows = download(page, "CSV")
    assert rows
    assert {row["key"] for row in rows} <= {"Production", "Nightly batch"}
    page.get_by_role("link", name="Clear filters").click()
    assert "model=" not in page.url


def test_the_log_is_filtered_found_in_and_saved(page: Page, sign_in) -> None:
    sign_in("full")
    page.goto("/usage/requests/")
    page.get_by_label("Model", exact=True).select_option(MODEL)
    page.get_by_role("button", name="Apply").click()
    rows = download(page, "CSV")
    assert {row["model"] for row in rows} == {MODEL}
    page.get_by_label("Request id", exact=True).fill(rows[0]["request_id"])
    page.get_by_role("button", name="Find", exact=True).click()
    expect(page.get_by_role("article").get_by_text(rows[0]["request_id"])).to_be_visible()


def test_a_receipt_opens_beside_the_table_and_gives_the_focus_back(page: Page, sign_in) -> None:
    sign_in("full")
    page.goto("/usage/requests/")
    link = page.get_by_role("group", name="Requests").get_by_role("link", name="sandbox-image").first
    link.focus()
    page.keyboard.press("Enter")
    sheet = page.get_by_role("dialog")
    expect(sheet.get_by_role("heading", name="sandbox-image")).to_be_visible()
    expect(sheet.get_by_text("Charged", exact=True)).to_be_visible()
    sheet.get_by_role("button", name="the call as curl").click()
    assert page.evaluate("navigator.clipboard.readText()").startswith("curl ")
    assert find_faults(page) == []
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    expect(link).to_be_focused()
    assert page.url.endswith("/usage/requests/")


def test_a_receipt_shows_its_picture(page: Page, sign_in) -> None:
    sign_in("full")
    page.goto("/usage/requests/")
    page.get_by_role("link", name="sandbox-image").first.click()
    picture = page.get_by_role("dialog").get_by_role("img", name="Image by sandbox-image")
    expect(picture).to_be_visible()
    page.wait_for_function("(image) => image.complete && image.naturalWidth > 0", arg=picture.element_handle())
