"""Markdown as the documentation's pages show it.

CommonMark with tables (https://commonmark.org). Besides: headings have anchors; the same call in several languages, one
block right after the other, becomes tabs; wide tables scroll by themselves; a link to another file is one to its page.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from django.template.loader import render_to_string
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from mdit_py_plugins.anchors import anchors_plugin
from msgspec import Struct

from dashboard.samples import Sample
from dashboard.templatetags.code import code_tabs

# What a block holds, by the name after its fence. Of the first three a reader wants one.
LANGUAGES = {"bash": "curl", "python": "Python", "javascript": "JavaScript"}
OTHERS = {"sh": "Shell", "json": "JSON", "toml": "TOML", "http": "HTTP", "nginx": "nginx", "": "Text"}
LABELS = LANGUAGES | OTHERS
# A link to a file beside the page's own.
_FILE = re.compile(r"([a-z-]+)\.md(#.+)?")


class Heading(Struct, frozen=True):
    anchor: str
    text: str
    level: int


class Article(Struct, frozen=True):
    """A page's text as HTML, and its headings of the second and third level."""

    html: str
    headings: list[Heading]


@lru_cache(256)
def render_markdown(text: str) -> Article:
    """`text` comes from our own files: HTML in it is shown as text all the same."""
    tokens = _PARSER.parse(text)
    return Article(html=_PARSER.renderer.render(tokens, _PARSER.options, {}), headings=list(_headings(tokens)))


class _Renderer(RendererHTML):
    """Writes what differs from plain HTML; the names of its methods are those of tokens."""

    def heading_close(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        opened, said = tokens[index - 2], tokens[index - 1]
        anchor = opened.attrGet("id")
        label = f"Link to “{_plain(said)}”"
        return f' <a class="anchor" href="#{anchor}" aria-label="{escapeHtml(label)}">#</a></{opened.tag}>\n'

    def table_open(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        label = escapeHtml(_heading_before(tokens, index) or "Overview")
        return f'<div class="scroller" role="group" tabindex="0" aria-label="{label}"><table>\n'

    def table_close(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        return "</table></div>\n"

    def th_open(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        # A heading without words is none: screen readers would announce it.
        return self.renderToken(tokens, index, options, env) if tokens[index + 1].content else "<td>"

    def th_close(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        return self.renderToken(tokens, index, options, env) if tokens[index - 1].content else "</td>\n"

    def link_open(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        link = tokens[index]
        if found := _FILE.fullmatch(str(link.attrGet("href"))):
            link.attrSet("href", f"/docs/{found[1]}/{found[2] or ''}")
        return self.renderToken(tokens, index, options, env)

    def fence(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        return _block(tokens[index], index)

    def tabs(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        samples = [_sample(fence) for fence in tokens[index].children or []]
        return _framed(code_tabs(samples, id=f"code-{index}"))


def _block(fence: Token, index: int) -> str:
    """A block of code by itself. `index`, the token's place on its page, makes ids that are there once."""
    context = {"sample": _sample(fence), "id": f"code-{index}"}
    return _framed(render_to_string("dashboard/documentation_code.html", context))


def _framed(html: str) -> str:
    return f'<div class="my-4">{html}</div>\n'


def _sample(fence: Token) -> Sample:
    lexer = fence.info or "text"
    label = LABELS[fence.info]
    return Sample(language=label.lower(), label=label, code=fence.content.rstrip("\n"), lexer=lexer)


def _join_languages(state: StateCore) -> None:
    """Makes one token of the blocks that are the same call in several languages."""
    joined: list[Token] = []
    for token in state.tokens:
        before = joined[-1] if joined else None
        if _is_sample(token) and before is not None and before.type == "tabs":
            before.children = [*(before.children or []), token]
        elif _is_sample(token) and before is not None and _is_sample(before) and before.info != token.info:
            joined[-1] = Token("tabs", "", 0, children=[before, token])
        else:
            joined.append(token)
    state.tokens = joined


def _is_sample(token: Token) -> bool:
    return token.type == "fence" and token.info in LANGUAGES


def _headings(tokens: Sequence[Token]) -> list[Heading]:
    return [
        Heading(anchor=str(token.attrGet("id")), text=_plain(tokens[index + 1]), level=int(token.tag[1]))
        for index, token in enumerate(tokens)
        if token.type == "heading_open" and token.tag in ("h2", "h3")
    ]


def _heading_before(tokens: Sequence[Token], index: int) -> str:
    """The heading that the token at `index` stands under; nothing before the first."""
    above = (_plain(tokens[at - 1]) for at in range(index, 0, -1) if tokens[at].type == "heading_close")
    return next(above, "")


def _plain(inline: Token) -> str:
    return "".join(child.content for child in inline.children or [])


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer).enable("table")
    parser.core.ruler.push("join_languages", _join_languages)
    return parser.use(anchors_plugin, min_level=2, max_level=6)


_PARSER = _parser()
