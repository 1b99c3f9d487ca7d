"""`client.account`: credits, and the limits of the key that asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arkroute.http.call import read
from arkroute.http.options import RequestOptions
from arkroute.resources.resource import AsyncResource, Resource
from arkroute.types import Account

if TYPE_CHECKING:
    from typing_extensions import Unpack


class AccountResource(Resource):
    def retrieve(self, **options: Unpack[RequestOptions]) -> Account:
        """The account of the key's owner. Costs nothing: a way to try a key."""
        return self._ask(read("/account", options), Account)


class AsyncAccountResource(AsyncResource):
    async def retrieve(self, **options: Unpack[RequestOptions]) -> Account:
        """As `AccountResource.retrieve`."""
        return await self._ask(read("/account", options), Account)
