"""How pages of the staff write times, tables and links."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.timesince import timesince


def duration_text(milliseconds: float) -> str:
    """`84 ms`, `3.2 s`, `4 min 12 s`."""
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 59_950:  # which would read 60.0 s
        return f"{milliseconds / 1000:.1f} s"
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    return f"{minutes} min {seconds} s"


def away_text(moment: datetime) -> str:
    """`in 12 s`, `3 minutes ago`."""
    seconds = (moment - timezone.now()).total_seconds()
    if abs(seconds) < 60:
        return f"in {seconds:.0f} s" if seconds > 0 else f"{-seconds:.0f} s ago"
    if seconds > 0:
        return f"in {timesince(timezone.now(), moment, depth=1)}"
    return f"{timesince(moment, timezone.now(), depth=1)} ago"


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> SafeString:
    cells = format_html_join("", "<th scope='col'>{}</th>", ((name,) for name in head))
    lines = format_html_join(
        "", "<tr>{}</tr>", ((format_html_join("", "<td>{}</td>", ((cell,) for cell in row)),) for row in rows)
    )
    return format_html('<table class="inner"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>', cells, lines)


def page_link(model: str, key: Any, text: Any) -> SafeString:
    """To the page of a row: `accounts_apikey`, 7."""
    return format_html('<a href="{}">{}</a>', reverse(f"admin:{model}_change", args=[key]), text)


def list_link(model: str, text: Any, **filters: Any) -> SafeString:
    return format_html('<a href="{}?{}">{}</a>', reverse(f"admin:{model}_changelist"), urlencode(filters), text)
