"""Every page by the rules of WCAG 2.2 AA, in light and dark, from 320 to 1280 pixels."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from playwright.sync_api import Page

from tests.browser.accessibility import find_faults
from tests.browser.gateway import Gateway
from tests.browser.pages import NO_PAGES, OTHER_NAMESPACES, PAGES, REACHED, Listed
from tests.browser.watch import Watch


@pytest.mark.parametrize("listed", PAGES, ids=lambda listed: listed.title)
def test_a_page_has_no_fault(listed: Listed, visit: Callable[[str, str], tuple[Page, Watch]], gateway: Gateway) -> None:
    path = listed.path.format(**gateway.paths)
    page, watch = visit(path, listed.who)
    # It is this page and no other; a link to reset a password hides its secret.
    assert page.url == gateway.url + path or listed.path == "{reset}"
    assert "\n".join(find_faults(page)) == ""
    assert watch.take() == []


def test_every_page_is_listed() -> None:
    listed = {page.view for page in PAGES} | REACHED
    assert set(view_names(get_resolver().url_patterns)) - NO_PAGES == listed


def view_names(patterns: Iterable[Any]) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield str(pattern.name)
        elif isinstance(pattern, URLResolver) and pattern.namespace not in OTHER_NAMESPACES:
            yield from view_names(pattern.url_patterns)
