"""`/docs/changelog.atom`: what changed, for feed readers (RFC 4287)."""

import re
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from django.conf import settings
from django.contrib.syndication.views import Feed
from django.utils.feedgenerator import Atom1Feed
from msgspec import Struct

from dashboard.documentation.markdown import render_markdown

CHANGELOG = "/docs/changelog/"
# As https://keepachangelog.com has it: `## [1.2.0] - 2026-11-25`.
VERSION = re.compile(r"^## \[(?P<name>[^\]]+)\] - (?P<day>\d{4}-\d\d-\d\d)$", re.MULTILINE)


class Version(Struct, frozen=True):
    """A version that is out. `text` is its part of the changelog, in Markdown, with its heading."""

    name: str
    released: datetime
    text: str


def read_versions(changelog: str) -> list[Version]:
    """The newest first, as they stand. What is not released yet is none."""
    found = list(VERSION.finditer(changelog))
    bounds = pairwise([*(one.start() for one in found), len(changelog)])
    return [
        Version(one["name"], datetime.fromisoformat(one["day"]).replace(tzinfo=UTC), changelog[start:end])
        for one, (start, end) in zip(found, bounds, strict=True)
    ]


class ChangelogFeed(Feed):
    """Addresses begin with PUBLIC_URL, however the feed was asked for."""

    feed_type = Atom1Feed
    title = "ArkRoute changelog"
    subtitle = "What changes for people who use or run ArkRoute."

    def link(self) -> str:
        return f"{settings.PUBLIC_URL}{CHANGELOG}"

    def feed_url(self) -> str:
        return f"{settings.PUBLIC_URL}/docs/changelog.atom"

    def items(self) -> list[Version]:
        return read_versions((Path(settings.BASE_DIR) / "CHANGELOG.md").read_text(encoding="utf-8"))

    def item_title(self, item: Version) -> str:
        return f"ArkRoute {item.name}"

    def item_description(self, item: Version) -> str:
        return render_markdown(item.text.partition("\n")[2]).html

    def item_link(self, item: Version) -> str:
        return f"{settings.PUBLIC_URL}{CHANGELOG}#{render_markdown(item.text).headings[0].anchor}"

    def item_pubdate(self, item: Version) -> datetime:
        return item.released

    def item_updateddate(self, item: Version) -> datetime:
        return item.released
