"""`client.models`: what can be called, what it takes and what it costs. Open to all: no key is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arkroute.http.call import Call, read
from arkroute.http.options import RequestOptions
from arkroute.resources.resource import AsyncResource, Resource, segment
from arkroute.types import Model, ModelList

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Models(Resource):
    def list(self, **options: Unpack[RequestOptions]) -> ModelList:
        """All models, in `data`."""
        return self._ask(_call("/models", options), ModelList)

    def retrieve(self, model: str, **options: Unpack[RequestOptions]) -> Model:
        """One, by its id or an alias."""
        return self._ask(_call(f"/models/{segment(model)}", options), Model)


class AsyncModels(AsyncResource):
    async def list(self, **options: Unpack[RequestOptions]) -> ModelList:
        """As `Models.list`."""
        return await self._ask(_call("/models", options), ModelList)

    async def retrieve(self, model: str, **options: Unpack[RequestOptions]) -> Model:
        """As `Models.retrieve`."""
        return await self._ask(_call(f"/models/{segment(model)}", options), Model)


def _call(path: str, options: Any) -> Call:
    return read(path, options, needs_key=False)
