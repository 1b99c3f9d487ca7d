"""Keys, by the keyboard alone."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.accessibility import find_faults
from tests.browser.conftest import Newcomer
from tests.browser.gateway import SECRET, account_of

# More keystrokes than any page needs.
FAR = 80


def go_to(page: Page, target: Locator) -> None:
    """Presses Tab until the target has the focus."""
    expect(target).to_be_visible()
    for _ in range(FAR):
        if target.evaluate("(element) => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{target} cannot be reached by the keyboard")


def press(page: Page, target: Locator) -> None:
    go_to(page, target)
    page.keyboard.press("Enter")


def copy_secret(page: Page) -> str:
    """The secret of the key that was made just now."""
    expect(page.get_by_role("heading", name="Save your key")).to_be_visible()
    press(page, page.get_by_role("button", name="Copy", exact=True))
    expect(page.get_by_text("Copied")).to_be_visible()
    secret: str = page.evaluate("navigator.clipboard.readText()")
    assert SECRET.fullmatch(secret)
    return secret


def test_a_key_is_made_rolled_and_revoked_without_a_mouse(page: Page, newcomer: Newcomer) -> None:
    page.goto("/keys/")
    press(page, page.get_by_role("link", name="Create key"))
    go_to(page, page.get_by_label("Name"))
    page.keyboard.type("Kitchen")
    go_to(page, page.get_by_label("Spending limit, in credits"))
    page.keyboard.type("20")
    go_to(page, page.get_by_label("Period of the spending limit"))
    page.keyboard.type("a day")
    go_to(page, page.get_by_label("Expires"))
    page.keyboard.type("In 30 days")
    press(page, page.get_by_role("button", name="Create key"))

    first = copy_secret(page)
    assert find_faults(page) == []
    account = account_of(newcomer.gateway, first)
    assert account["key"]["credit_limit"]["credits"] == 20
    assert account["key"]["credit_limit"]["period"] == "day"
    assert account["key"]["expires_at"]
    press(page, page.get_by_role("link", name="I saved it"))
    expect(page.get_by_role("rowheader", name="Kitchen")).to_be_visible()
    assert first not in page.content()

    press(page, page.get_by_role("link", name="Roll Kitchen"))
    go_to(page, page.get_by_role("dialog").get_by_label("The old key ends"))
    page.keyboard.type("At once")
    press(page, page.get_by_role("dialog").get_by_role("button", name="Roll key"))
    second = copy_secret(page)
    assert second != first
    assert account_of(newcomer.gateway, first) == "invalid_api_key"
    assert account_of(newcomer.gateway, second)["key"]["credit_limit"]["credits"] == 20
    press(page, page.get_by_role("link", name="I saved it"))

    press(page, page.get_by_role("link", name="Revoke Kitchen"))
    expect(page.get_by_role("dialog").get_by_label("to confirm")).to_be_focused()
    page.keyboard.type("Kitchen")
    press(page, page.get_by_role("dialog").get_by_role("button", name="Revoke key"))
    expect(page.get_by_text("“Kitchen” is revoked")).to_be_visible()
    assert account_of(newcomer.gateway, second) == "invalid_api_key"
    press(page, page.get_by_text("Revoked and expired (2)"))
    expect(page.get_by_role("rowheader", name="Kitchen")).to_have_count(2)


def test_dialogs_of_keys_have_no_fault_and_give_the_focus_back(page: Page, newcomer: Newcomer) -> None:
    newcomer.make_key()
    page.goto("/keys/")
    for opener in ("Create key", "Edit Test", "Roll Test", "Revoke Test"):
        link = page.get_by_role("link", name=opener)
        link.click()
        heading = page.get_by_role("dialog").get_by_role("heading")
        expect(heading).to_be_visible()
        assert find_faults(page) == []
        page.keyboard.press("Escape")
        expect(heading).to_be_hidden()
        expect(link).to_be_focused()


def test_what_is_wrong_in_a_form_is_said_beside_it(page: Page, newcomer: Newcomer) -> None:
    page.goto("/keys/new/")
    page.get_by_label("Name").fill("Kitchen")
    page.get_by_label("Expires").select_option("On a date")
    page.get_by_label("Last day").fill("2020-01-01")
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was saved")
    expect(page.get_by_label("Last day")).to_have_accessible_description(re.compile("This day is over"))
    assert find_faults(page) == []
