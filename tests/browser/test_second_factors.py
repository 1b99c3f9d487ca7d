"""Second factors: a code at the sign-in, and a passkey from its making to its end."""

import re

from playwright.sync_api import CDPSession, Page, expect

from tests.browser.accessibility import find_faults
from tests.browser.gateway import PASSWORD, Gateway

EMAIL = re.compile("E-?mail")


def sign_in_by_password(page: Page, email: str) -> None:
    page.get_by_label(EMAIL).fill(email)
    page.get_by_label("Password").first.fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_a_code_is_asked_for_after_the_password(page: Page, gateway: Gateway) -> None:
    page.goto("/accounts/login/")
    sign_in_by_password(page, "guarded@example.com")
    assert page.url.endswith("/accounts/2fa/authenticate/")
    assert find_faults(page) == []
    page.get_by_label("Code").fill(gateway.codes.pop())
    page.get_by_role("button", name="Sign in", exact=True).or_(page.get_by_role("button", name="Go on")).click()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()


def add_authenticator(page: Page) -> CDPSession:
    """Gives the browser a device that makes passkeys, with a finger on it."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return devtools


def test_a_passkey_signs_in_is_renamed_and_removed(page: Page, gateway: Gateway) -> None:
    # Passkeys belong to the name of a host, and an address is none.
    site = gateway.url.replace("127.0.0.1", "localhost")
    add_authenticator(page)
    page.goto(f"{site}/accounts/signup/")
    page.get_by_label(EMAIL).fill("passkeys@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    page.goto(f"{site}/accounts/2fa/webauthn/add/")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Make the passkey").click()
    page.goto(f"{site}/accounts/2fa/webauthn/")
    expect(page.get_by_text("Passkey 1").first).to_be_visible()
    assert find_faults(page) == []

    page.get_by_role("link", name="Rename Passkey 1").click()
    assert find_faults(page) == []
    page.get_by_role("textbox", name="Name").fill("Laptop")
    page.get_by_role("button", name="Save the name").click()
    page.goto(f"{site}/settings/")
    page.get_by_role("button", name="Sign out").click()

    page.goto(f"{site}/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    page.goto(f"{site}/accounts/2fa/webauthn/reauthenticate/")
    assert find_faults(page) == []
    page.get_by_role("button", name="Use your passkey").click()
    expect(page.get_by_role("heading", name="Is it you?")).to_be_hidden()
    page.goto(f"{site}/accounts/2fa/webauthn/")
    page.get_by_role("link", name="Remove Laptop").click()
    expect(page.get_by_role("heading", name="Remove “Laptop”?")).to_be_visible()
    assert find_faults(page) == []
    page.get_by_role("button", name="Remove the passkey").click()
    expect(page.get_by_text("No passkeys yet")).to_be_visible()
