"""`/llms.txt` and `/llms-full.txt`: the documentation for language models. https://llmstxt.org"""

from django.conf import settings

from dashboard.documentation.pages import list_pages, list_sections

HEAD = """\
# ArkRoute

> One OpenAI-compatible API for image, video, chat, embedding and transcription models of many providers, with prices in
> credits.

The base URL is {base_url}/v1, authentication is `Authorization: Bearer ark-…`. Every page below is Markdown; all of
them in one text are at {base_url}/llms-full.txt, the OpenAPI description is at {base_url}/openapi.json.
"""


def index_text() -> str:
    """The list of pages, with a line about each."""
    parts = [HEAD.format(base_url=settings.PUBLIC_URL)]
    for section in list_sections():
        links = [
            f"- [{page.title}]({settings.PUBLIC_URL}{page.markdown_url}): {page.description}\n"
            for page in section.pages
        ]
        parts += [f"\n## {section.name}\n\n", *links]
    return "".join(parts)


def full_text() -> str:
    """All pages, one after the other."""
    return "\n---\n\n".join(page.markdown() for page in list_pages())
