"""Which part of a list is asked for, as OpenAI's lists are."""

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct

from gateway.errors import InvalidValue
from gateway.requests.decoding import convert

# Until the end of the year 9999: later seconds have no date.
Moment = Annotated[int, Meta(ge=0, le=253_402_300_799)]


class Page(Struct):
    """At most `limit` of them, those that follow the one whose id is `after`; empty: from the beginning."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    after: str = ""


class ReceiptPage(Page):
    """Which receipts: of a model (its id or an alias), with a status, that ended from one Unix second to another."""

    order: Literal["asc", "desc"] = "desc"
    model: Annotated[str, Meta(max_length=200)] = ""
    status: Literal["succeeded", "partial", "failed", "late"] | None = None
    created_after: Moment | None = None
    created_before: Moment | None = None


def read_page(query: Mapping[str, str]) -> Page:
    """The page that a query asks for. Raises `InvalidType` or `InvalidValue` naming the parameter."""
    return convert(dict(query), Page, strict=False)


def read_receipt_page(query: Mapping[str, str]) -> ReceiptPage:
    """The receipts that a query asks for. Raises `InvalidType` or `InvalidValue` naming the parameter."""
    page = convert(dict(query), ReceiptPage, strict=False)
    if not page.model.isprintable():  # Postgres fails at a NUL
        raise InvalidValue("`model` is a model's id or alias.", param="model")
    return page
