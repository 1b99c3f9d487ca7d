"""From the sign-up to a first image and to a call of one's own, as somebody does it who has never been here."""

import re
import subprocess

from playwright.sync_api import Page, expect

from tests.browser.gateway import PASSWORD, SECRET, Gateway

EMAIL = re.compile("E-?mail")


def test_a_newcomer_makes_an_image_and_takes_the_call_along(page: Page, gateway: Gateway) -> None:
    page.goto("/")
    page.get_by_role("link", name="Get a key").first.click()
    page.get_by_label(EMAIL).fill("newcomer@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()

    steps = page.get_by_role("region", name="First steps")
    expect(page.get_by_role("link", name="500 credits available")).to_be_visible()
    expect(steps).to_contain_text("1 of 4")
    steps.get_by_role("link", name="Create a key").click()
    page.get_by_role("main").get_by_role("link", name="Create key").click()
    page.get_by_label("Name").fill("My laptop")
    page.get_by_role("button", name="Create key").click()
    page.get_by_role("button", name="Copy", exact=True).click()
    key = page.evaluate("navigator.clipboard.readText()")
    assert SECRET.fullmatch(key)

    page.get_by_role("link", name="Try it in the Explorer").click()
    expect(page.get_by_label("API key")).to_have_value(key)
    page.get_by_label("Model", exact=True).select_option("sandbox-image")
    page.get_by_label("Prompt").fill("a serene japanese garden at sunset")
    expect(page.get_by_text("~1 credit", exact=True)).to_be_visible()
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("tabpanel", name="Result").get_by_role("img").first).to_be_visible()
    expect(page.get_by_text("499", exact=False).first).to_be_visible()

    page.get_by_role("tab", name="Code").click()
    page.get_by_role("button", name="the curl code").click()
    expect(page.get_by_text("Copied", exact=True)).to_be_visible()
    curl = page.evaluate("navigator.clipboard.readText()")
    assert key in curl
    command = f"{curl} --silent --show-error --output /dev/null --write-out '%{{http_code}}'"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("200", "")

    page.goto("/dashboard/")
    expect(page.get_by_role("heading", name="You are set up")).to_be_visible()
    expect(page.get_by_role("link", name="498 credits available")).to_be_visible()
