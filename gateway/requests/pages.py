"""Which part of a list is asked for, as OpenAI's lists are."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

from gateway.requests.decoding import convert


class Page(Struct):
    """At most `limit` of them, those that follow the one whose id is `after`; empty: from the beginning."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    after: str = ""


def read_page(query: Mapping[str, str]) -> Page:
    """The page that a query asks for. Raises `InvalidType` or `InvalidValue` naming the parameter."""
    return convert(dict(query), Page, strict=False)
