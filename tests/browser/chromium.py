"""The distribution's Chromium, driven by Playwright, which would otherwise download a browser of its own."""

import shutil

from playwright.sync_api import Browser, Playwright

# Without its sandbox it runs as root, too, and in containers without /dev/shm.
ARGUMENTS = ("--no-sandbox", "--disable-dev-shm-usage")


class ChromiumMissing(Exception):
    def __init__(self) -> None:
        super().__init__("Tests in a browser need Chromium. On Debian and Ubuntu: apt-get install chromium")


def launch(playwright: Playwright) -> Browser:
    """Raises `ChromiumMissing`, which says how to install it."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise ChromiumMissing
    return playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
