"""What production shows where development shows its own: the pages of errors."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import find_faults
from tests.browser.gateway import serve_seeded
from tests.browser.watch import Watch


def test_an_address_that_leads_nowhere_has_a_page_that_leads_on(
    page: Page, watch: Watch, seeded: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with serve_seeded(seeded, tmp_path_factory.mktemp("production"), debug=False) as gateway:
        watch.home(gateway.url)
        with watch.expecting("answer: 404"):
            page.goto(f"{gateway.url}/nowhere/at-all/")
        assert find_faults(page) == []
        expect(page.get_by_role("heading", level=1)).to_have_text("There is no page at this address")
        page.get_by_role("main").get_by_role("link", name="Front page").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("One API")
