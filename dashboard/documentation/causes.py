"""What each error means, in the words of the documentation's page on errors."""

import re
from functools import cache

from dashboard.documentation.pages import find_page

# A line of the page's table: status, type, code, and when.
ROW = re.compile(r"^\| \d{3} \| `\w+` \| `(?P<code>\w+)` \| (?P<when>.+) \|$", re.MULTILINE)


def cause_of(code: str) -> str:
    """When the API answers with `code`; empty for one that it does not answer with."""
    return _causes().get(code, "")


@cache
def _causes() -> dict[str, str]:
    page = find_page("errors")
    return {row["code"]: row["when"] for row in ROW.finditer(page.source)} if page else {}
