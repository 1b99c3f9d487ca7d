"""`client.receipts`: what calls cost and why."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, Literal

from arkroute.http.call import Call, read
from arkroute.http.options import RequestOptions
from arkroute.resources.resource import AsyncResource, Resource, segment
from arkroute.types import Receipt, ReceiptFields, ReceiptList

if TYPE_CHECKING:
    from typing_extensions import Unpack


class ReceiptFilters(RequestOptions, total=False):
    # How many on a page: 1 to 100.
    limit: int
    # Those that follow the receipt with this id.
    after: str
    # "desc": the newest first.
    order: Literal["asc", "desc"]
    # Of one model, by its id or an alias.
    model: str
    status: Literal["succeeded", "partial", "failed", "late"]
    # Unix seconds; the former is included.
    created_after: int
    created_before: int


class Receipts(Resource):
    def retrieve(self, request_id: str, **options: Unpack[RequestOptions]) -> Receipt:
        """The receipt of the call with this `request_id`. It is written when the call ends, or the video.

        Raises `NotFoundError` until then.
        """
        return self._ask(read(f"/receipts/{segment(request_id)}", options), Receipt)

    def list(self, **filters: Unpack[ReceiptFilters]) -> ReceiptList:
        """A page of the receipts of all your keys, the newest first."""
        return self._ask(_page(dict(filters)), ReceiptList)

    def iterate(self, **filters: Unpack[ReceiptFilters]) -> Iterator[ReceiptFields]:
        """All of them, page by page."""
        while True:
            page = self.list(**filters)
            yield from page.data
            if not page.has_more or page.last_id is None:
                return
            filters["after"] = page.last_id


class AsyncReceipts(AsyncResource):
    async def retrieve(self, request_id: str, **options: Unpack[RequestOptions]) -> Receipt:
        """As `Receipts.retrieve`."""
        return await self._ask(read(f"/receipts/{segment(request_id)}", options), Receipt)

    async def list(self, **filters: Unpack[ReceiptFilters]) -> ReceiptList:
        """As `Receipts.list`."""
        return await self._ask(_page(dict(filters)), ReceiptList)

    async def iterate(self, **filters: Unpack[ReceiptFilters]) -> AsyncIterator[ReceiptFields]:
        """As `Receipts.iterate`, with `async for`."""
        while True:
            page = await self.list(**filters)
            for receipt in page.data:
                yield receipt
            if not page.has_more or page.last_id is None:
                return
            filters["after"] = page.last_id


FILTERS = ("limit", "after", "order", "model", "status", "created_after", "created_before")


def _page(filters: dict[str, Any]) -> Call:
    query = {name: filters.pop(name) for name in FILTERS if filters.get(name) is not None}
    return read("/receipts", {**filters, "extra_query": {**query, **filters.get("extra_query", {})}})
