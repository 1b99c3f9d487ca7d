"""The pages of the documentation, in their order.

A page is a file of `docs/site`. It begins with its front matter, lines of `name: value` between two of `---`: `title`,
`description`, `section` and `order`. What depends on the settings or the catalogue stands in it as in a template of
Django's, `{{ base_url }}`, and comes from `dashboard.documentation.facts`.
"""

from functools import cache
from itertools import groupby
from pathlib import Path

from django.conf import settings
from django.template import Context, Engine
from msgspec import Struct

from dashboard.documentation.facts import facts

_ENGINE = Engine(
    autoescape=False,
    builtins=["django.contrib.humanize.templatetags.humanize"],
    # A name that no fact has must not vanish: a test looks for this.
    string_if_invalid="[no fact: %s]",
)


class Page(Struct, frozen=True):
    """`source` is the file's text after its front matter."""

    name: str
    title: str
    description: str
    section: str
    order: int
    source: str

    @property
    def url(self) -> str:
        return f"/docs/{self.name}/"

    @property
    def markdown_url(self) -> str:
        return f"/docs/{self.name}.md"

    def text(self) -> str:
        """The page's Markdown with its facts filled in, without a title."""
        return _ENGINE.from_string(self.source).render(Context(facts())).strip() + "\n"

    def markdown(self) -> str:
        """The whole page as Markdown."""
        return f"# {self.title}\n\n{self.description}\n\n{self.text()}"


class Section(Struct, frozen=True):
    name: str
    pages: list[Page]


@cache
def list_pages() -> tuple[Page, ...]:
    """All pages in their order. Raises `ValueError` naming a file whose front matter is faulty."""
    files = (Path(settings.BASE_DIR) / "docs" / "site").glob("*.md")
    return tuple(sorted(map(read_page, files), key=lambda page: page.order))


def list_sections() -> list[Section]:
    """The pages under the names of their sections."""
    return [Section(name, list(pages)) for name, pages in groupby(list_pages(), key=lambda page: page.section)]


def find_page(name: str) -> Page | None:
    return next((page for page in list_pages() if page.name == name), None)


def read_page(file: Path) -> Page:
    """Raises `ValueError` where the front matter is not as it should be."""
    start, _, rest = file.read_text(encoding="utf-8").partition("---\n")
    front, end, source = rest.partition("\n---\n")
    values = dict(line.split(": ", 1) for line in front.splitlines() if ": " in line)
    try:
        if start or not end:
            raise KeyError("---")
        return Page(
            name=file.stem,
            title=values["title"],
            description=values["description"],
            section=values["section"],
            order=int(values["order"]),
            source=source,
        )
    except (KeyError, ValueError) as error:
        raise ValueError(f"{file.name}: its front matter lacks {error}") from error
