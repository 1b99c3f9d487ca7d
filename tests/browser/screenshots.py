"""`make screenshots`: the pictures of the README, of a gateway with people in it."""

import io
import tempfile
from contextlib import ExitStack
from pathlib import Path

from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from tests.arkroute.conftest import ROOT
from tests.browser.chromium import launch
from tests.browser.gateway import Gateway, seed, serve_seeded

FOLDER = ROOT / "docs" / "screenshots"
# As in the documentation: it stands in the samples.
PORT = 8000
WIDTH, HEIGHT = 1280, 800
# Bytes and colours of a picture: it is given fewer colours until it is small enough.
LARGEST = 150_000
COLOURS = (256, 128, 64)
PROMPT = "a serene japanese garden at sunset"


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        gateway = stack.enter_context(serve_seeded(seed(folder / "seed"), folder, PORT))
        browser = launch(stack.enter_context(sync_playwright()))
        context = browser.new_context(
            base_url=gateway.url, viewport={"width": WIDTH, "height": HEIGHT}, reduced_motion="reduce"
        )
        page = context.new_page()
        page.goto("/")
        save(page, "landing")
        sign_in(context, gateway)
        page.goto("/dashboard/")
        save(page, "dashboard")
        run_a_call(page, gateway.make_key(gateway.session("full")))
        save(page, "explorer")
        browser.close()


def sign_in(context: BrowserContext, gateway: Gateway) -> None:
    context.add_cookies([{"name": "sessionid", "value": gateway.session("full"), "url": gateway.url}])


def run_a_call(page: Page, key: str) -> None:
    page.goto("/explorer/")
    page.get_by_label("Model", exact=True).select_option("seedream-4.5")
    page.get_by_label("API key").fill(key)
    page.get_by_label("Prompt").fill(PROMPT)
    expect(page.get_by_text("~3 credits", exact=True)).to_be_visible()
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("tabpanel", name="Result").get_by_role("img").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.evaluate("scrollTo(0, 0)")


def save(page: Page, name: str) -> None:
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    for colours in COLOURS:
        file = io.BytesIO()
        picture.quantize(colours, dither=Image.Dither.NONE).save(file, "png", optimize=True)
        if len(file.getvalue()) < LARGEST:
            break
    path = FOLDER / f"{name}.png"
    path.write_bytes(file.getvalue())
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB, {colours} colours")


if __name__ == "__main__":
    main()
