"""The description of all that programs may call, in OpenAPI. Any page may read it."""

import asyncio
from collections.abc import Callable

from adrf.views import APIView
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response, patch_vary_headers
from rest_framework.request import Request

from api.openapi.document import Rendered, as_json, as_yaml

HEADERS = {"access-control-allow-origin": "*", "cache-control": "public, max-age=300"}


class DescriptionJSON(APIView):
    """`GET /openapi.json`."""

    async def get(self, request: Request) -> HttpResponseBase:
        return await _answer(request._request, as_json, "application/json")


class DescriptionYAML(APIView):
    """`GET /openapi.yaml`."""

    async def get(self, request: Request) -> HttpResponseBase:
        return await _answer(request._request, as_yaml, "application/yaml")


async def _answer(request: HttpRequest, render: Callable[[], Rendered], content_type: str) -> HttpResponseBase:
    # Making it takes a moment, the first time.
    rendered = await asyncio.to_thread(render)
    headers = {**HEADERS, "etag": rendered.etag}
    content = rendered.plain
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["content-encoding"] = "gzip"
        content = rendered.compressed
    response = HttpResponse(content, content_type=content_type, headers=headers)
    response["content-length"] = str(len(content))
    patch_vary_headers(response, ["Accept-Encoding"])
    return get_conditional_response(request, etag=rendered.etag, response=response) or response
