"""What is wrong with a page for those who see, hear or point differently, as far as a program can tell.

axe-core finds faults by WCAG 2.2 AA and by its best practices (https://github.com/dequelabs/axe-core). All of its rules
run at the widest and the narrowest width, since each shows what the other hides. Of all that they check a theme changes
the contrast alone; and no page shows anything between the two narrow widths that it does not show at both.
"""

from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
EVERY_RULE = {"type": "tag", "values": TAGS}
CONTRAST = {"type": "rule", "values": ["color-contrast"]}
SIZES = {"type": "rule", "values": ["target-size", "scrollable-region-focusable"]}
# Pixels.
WIDE, PHONE, NARROW = 1280, 390, 320
HEIGHT = 800
LIGHT, DARK = "light", "dark"
# Where the page is looked at, and for what; from one to the next it is not loaded again.
VIEWS = (
    (WIDE, LIGHT, EVERY_RULE),
    (WIDE, DARK, CONTRAST),
    (PHONE, LIGHT, SIZES),
    (NARROW, LIGHT, EVERY_RULE),
    (NARROW, DARK, CONTRAST),
)

RUN = """async (rules) => {
  // The theme follows with the next frame.
  await new Promise(requestAnimationFrame);
  const { violations } = await axe.run(document, { runOnly: rules, resultTypes: ["violations"], preload: false });
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
}"""
SIDEWAYS = "document.documentElement.scrollWidth - innerWidth"


def find_faults(page: Page) -> list[str]:
    """Each fault of the page as it is now, with the view in which it shows. The page is left wide and light."""
    page.evaluate(AXE)
    found = [
        f"{width} px, {theme}: {fault}" for width, theme, rules in VIEWS for fault in _look(page, width, theme, rules)
    ]
    _show(page, WIDE, LIGHT)
    return found


def _look(page: Page, width: int, theme: str, rules: dict[str, object]) -> Iterator[str]:
    _show(page, width, theme)
    beyond = page.evaluate(SIDEWAYS)
    if beyond > 0:
        yield f"it scrolls sideways by {beyond} px"
    yield from page.evaluate(RUN, rules)


def _show(page: Page, width: int, theme: str) -> None:
    page.set_viewport_size({"width": width, "height": HEIGHT})
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
