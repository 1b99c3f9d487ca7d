"""The documentation: its pages for people and for programs, and that what they say is so."""

import re
from xml.etree import ElementTree

import pytest
from django.core.management import get_commands, load_command_class
from django.test import Client

from api.errors import STATUSES
from dashboard.documentation.feed import ChangelogFeed, read_versions
from dashboard.documentation.markdown import render_markdown
from dashboard.documentation.pages import find_page, list_pages, list_sections, read_page
from tests.settings import BASE_DIR

pytestmark = pytest.mark.django_db

PAGES = list_pages()
LINK = re.compile(r'href="(/docs/[^"]*)"')
COMMAND = re.compile(r"^python manage\.py (\w+)([^#\n]*)", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_complete(page) -> None:
    response = Client().get(page.url)
    assert response.status_code == 200
    html = response.content.decode()
    assert html.count("<h1") == 1
    assert f'aria-current="page">{page.title}<' in html
    assert f'href="{page.markdown_url}"' in html
    assert "[no fact" not in html
    assert "{{" not in html
    assert "{%" not in html
    assert "subscription" not in html.lower()
    identifiers = re.findall(r'\sid="([^"]+)"', html)
    assert len(identifiers) == len(set(identifiers))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_to_their_headings(page) -> None:
    for address in LINK.findall(render_markdown(page.text()).html):
        path, _, anchor = address.partition("#")
        found = find_page(path.removeprefix("/docs/").strip("/"))
        assert found, address
        anchors = {heading.anchor for heading in render_markdown(found.text()).headings}
        assert not anchor or anchor in anchors, address


def test_the_first_page_is_the_quickstart() -> None:
    for address in ("/docs", "/docs/"):
        assert Client().get(address)["location"] == "/docs/quickstart/"
    assert Client().get("/docs/nothing-of-this-kind/").status_code == 404
    assert Client().get("/docs/nothing-of-this-kind.md").status_code == 404


def test_each_section_stands_together() -> None:
    names = [section.name for section in list_sections()]
    assert len(names) == len(set(names))


def test_a_page_is_there_as_markdown() -> None:
    response = Client().get("/docs/images.md")
    assert response["content-type"] == "text/markdown; charset=utf-8"
    text = response.content.decode()
    assert text.startswith("# Images\n")
    assert "curl -X POST http://testserver/v1/images/generations" in text
    asked = Client().get("/docs/images/", headers={"accept": "text/markdown"})
    assert (asked.content, asked["content-type"]) == (response.content, response["content-type"])
    assert "Accept" in asked["vary"]
    browser = Client().get("/docs/images/", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert browser["content-type"].startswith("text/html")


def test_language_models_are_told_of_every_page() -> None:
    index = Client().get("/llms.txt").content.decode()
    whole = Client().get("/llms-full.txt").content.decode()
    assert index.startswith("# ArkRoute\n\n> ")
    for page in PAGES:
        assert f"- [{page.title}](http://testserver/docs/{page.name}.md): " in index
        assert page.markdown() in whole


def test_samples_in_several_languages_are_tabs() -> None:
    article = render_markdown(
        "## Call\n\n```bash\ncurl x\n```\n\n```python\nx()\n```\n\nThen:\n\n```python\ny()\n```\n"
    )
    assert article.html.count('role="tab"') == 2
    assert [heading.anchor for heading in article.headings] == ["call"]
    assert "curl" in re.findall(r'role="tab"[^>]*>([^<]*)<', article.html)


def test_what_stands_in_a_page_is_no_html_of_its_own() -> None:
    article = render_markdown("<script>x</script> `<b>`\n\n```bash\necho '<i>'\n```\n")
    assert "<script>" not in article.html
    assert "<b>" not in article.html
    assert "<i>" not in article.html


def test_the_table_of_errors_is_the_one_that_the_api_answers_by() -> None:
    table = find_page("errors").text().partition("## Every code")[2]
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| `(\w+)` \|", table, re.MULTILINE)
    assert {code: (int(status), kind) for status, kind, code in rows} == STATUSES
    assert len(rows) == len(STATUSES)


def test_limits_are_those_of_the_settings(settings) -> None:
    settings.REQUESTS_PER_MINUTE, settings.CONCURRENT_REQUESTS, settings.CONCURRENT_VIDEOS = 1500, 70, 3
    text = find_page("rate-limits").text()
    assert "| Requests | 1,500 a minute | 150 of them may come at once" in text
    assert "| Requests at the same time | 70 |" in text
    assert "| Videos in the making | 3 |" in text
    assert "| Reads (`GET`) | 7,500 a minute |" in text


def test_models_that_cannot_be_called_are_not_listed(settings) -> None:
    assert "`kling-v2-master`](/models/kling-v2-master/) | Kuaishou | 50 |" in find_page("video").text()
    settings.ARKROUTE_STAND_INS = False
    settings.PROVIDERS = {}
    assert "](/models/kling-v2-master/)" not in find_page("video").text()
    assert "sandbox-chat" not in find_page("models").text()


def test_commands_of_the_documentation_are_there() -> None:
    files = [BASE_DIR / "README.md", *(BASE_DIR / "docs" / "site").glob("*.md")]
    found = [command for file in files for command in COMMAND.findall(file.read_text())]
    assert len(found) >= 5
    for name, options in found:
        parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
        parser.parse_args(options.split())


def test_a_faulty_front_matter_is_named(tmp_path) -> None:
    file = tmp_path / "some-page.md"
    file.write_text("---\ntitle: Some page\ndescription: x\norder: 1\n---\ntext\n")
    with pytest.raises(ValueError, match=r"some-page\.md: its front matter lacks 'section'"):
        read_page(file)


def test_versions_are_told_to_feed_readers(monkeypatch) -> None:
    text = "## [Unreleased]\n\n- soon\n\n## [0.2.0] - 2026-12-01\n\n- `n`\n\n## [0.1.0] - 2026-11-01\n\n- first\n"
    monkeypatch.setattr(ChangelogFeed, "items", lambda self: read_versions(text))
    response = Client().get("/docs/changelog.atom")
    assert response["content-type"].startswith("application/atom+xml")
    feed = ElementTree.fromstring(response.content)
    titles = [entry.text for entry in feed.iterfind("{*}entry/{*}title")]
    assert titles == ["ArkRoute 0.2.0", "ArkRoute 0.1.0"]
    assert "<code>n</code>" in feed.findtext("{*}entry/{*}summary")
    assert feed.findtext("{*}updated") == "2026-12-01T00:00:00+00:00"
    assert read_versions("## [Unreleased]\n\n- soon\n") == []
    assert "/docs/changelog.atom" in Client().get("/docs/changelog/").content.decode()
