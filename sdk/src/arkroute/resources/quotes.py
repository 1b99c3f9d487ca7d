"""`client.quotes`: what a call would cost, before it is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from arkroute.http.call import Call, read, read_form
from arkroute.http.files import picture_text, read_file
from arkroute.resources.images import several
from arkroute.resources.resource import AsyncResource, Resource
from arkroute.types import Quote

Endpoint = Literal[
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/audio/transcriptions",
    "/v1/images/generations",
    "/v1/images/edits",
    "/v1/video/generations",
    "/v1/videos",
]
PICTURES = ("image", "mask", "last_frame")


class Quotes(Resource):
    def create(self, *, endpoint: Endpoint, model: str, **parameters: Any) -> Quote:
        """The price of a call of `endpoint` with these parameters, which are the call's; honoured for ten minutes.

        Costs nothing. What the call would refuse is refused here, too. A recording may be its `file`, or its `seconds`.
        """
        return self._ask(_call(endpoint, model, parameters), Quote)


class AsyncQuotes(AsyncResource):
    async def create(self, *, endpoint: Endpoint, model: str, **parameters: Any) -> Quote:
        """As `Quotes.create`."""
        return await self._ask(_call(endpoint, model, parameters), Quote)


def _call(endpoint: str, model: str, parameters: dict[str, Any]) -> Call:
    for name in PICTURES:
        if parameters.get(name) is not None:
            texts = [picture_text(picture) for picture in several(parameters[name])]
            parameters[name] = texts[0] if len(texts) == 1 else texts
    file = parameters.pop("file", None)
    fields = {"endpoint": endpoint, "model": model, **parameters}
    if file is None:
        return read("/quote", fields, method="POST")
    upload = read_file(Path(file) if isinstance(file, str) else file, "recording")
    return read_form("/quote", fields, [("file", upload)])
