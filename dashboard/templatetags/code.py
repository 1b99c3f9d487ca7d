"""`{% load code %}`: source text in the colours of `frontend/css/code.css`, and the same call in several languages."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django import template
from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from pygments import highlight as mark
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from dashboard.samples import Sample

register = template.Library()

# Classes and no styles, which our Content-Security-Policy refuses.
_FORMATTER = HtmlFormatter(nowrap=True)


@lru_cache(512)
def highlight(text: str, lexer: str) -> SafeString:
    """`text` as HTML, each word with Pygments' class. `lexer` is Pygments' name of the language; `text` for none."""
    html = mark(text.strip("\n"), get_lexer_by_name(lexer), _FORMATTER)
    return mark_safe(html.rstrip("\n"))  # noqa: S308 - Pygments escapes what it marks


@register.simple_tag
def highlighted(text: str, lexer: str) -> SafeString:
    """What `highlight` makes of it, for a `code` element of the template's own."""
    return highlight(text, lexer)


@register.filter
def inline_code(text: str) -> SafeString:
    """`text` as HTML, with what stands in it between backticks as code."""
    parts = [format_html("<code>{}</code>" if at % 2 else "{}", part) for at, part in enumerate(text.split("`"))]
    return format_html_join("", "{}", ((part,) for part in parts))


@register.simple_tag
def code(text: str, lexer: str = "text", label: str = "", id: str = "") -> SafeString:
    """A block of code that scrolls by itself: `{% code text "bash" label="The call" %}`. `id` is that of the text."""
    return format_html(
        '<div class="code" tabindex="0" role="group" aria-label="{}"><pre><code{}>{}</code></pre></div>',
        label or f"Code: {lexer}",
        format_html(' id="{}"', id) if id else "",
        highlight(text, lexer),
    )


@register.simple_tag
def code_tabs(samples: Sequence[Sample], id: str = "sample", label: str = "The call in your language") -> SafeString:
    """Tabs, one for each sample, with a button to copy. `id` keeps apart several of them on a page."""
    context: dict[str, Any] = {"samples": samples, "id": id, "label": label}
    return mark_safe(render_to_string("parts/code_tabs.html", context))  # noqa: S308 - a template of ours
