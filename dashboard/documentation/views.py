"""The documentation's addresses: a page for people, the same as Markdown, and what language models look for."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from dashboard.documentation.markdown import render_markdown
from dashboard.documentation.pages import Page, find_page, list_pages, list_sections
from dashboard.documentation.programs import full_text, index_text

MARKDOWN = "text/markdown; charset=utf-8"
PLAIN = "text/plain; charset=utf-8"


@require_safe
def first_page(request: HttpRequest) -> HttpResponse:
    return redirect(list_pages()[0].url)


@require_safe
def page(request: HttpRequest, name: str) -> HttpResponse:
    """A page; as Markdown for those who would rather have that."""
    found = _find(name)
    if request.get_preferred_type(["text/html", "text/markdown"]) == "text/markdown":
        response = HttpResponse(found.markdown(), content_type=MARKDOWN)
    else:
        response = _render(request, found)
    patch_vary_headers(response, ["Accept"])
    return response


@require_safe
def page_markdown(request: HttpRequest, name: str) -> HttpResponse:
    return HttpResponse(_find(name).markdown(), content_type=MARKDOWN)


@require_safe
def llms(request: HttpRequest) -> HttpResponse:
    """https://llmstxt.org: what there is to read, for language models."""
    return HttpResponse(index_text(), content_type=PLAIN)


@require_safe
def llms_full(request: HttpRequest) -> HttpResponse:
    """All of the documentation in one text."""
    return HttpResponse(full_text(), content_type=PLAIN)


def _find(name: str) -> Page:
    found = find_page(name)
    if found is None:
        raise Http404(f"no page of the documentation is called {name}")
    return found


def _render(request: HttpRequest, found: Page) -> HttpResponse:
    pages = list_pages()
    place = pages.index(found)
    article = render_markdown(found.text())
    context = {
        "page": found,
        "sections": list_sections(),
        "article": article.html,
        "headings": article.headings,
        "markdown": found.markdown(),
        "previous": pages[place - 1] if place else None,
        "next": pages[place + 1] if place + 1 < len(pages) else None,
    }
    return render(request, "dashboard/documentation.html", context)
