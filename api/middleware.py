"""The API's lane through Django.

Its paths end here: sessions, CSRF and cookies have no part in an API that knows Bearer keys only, and none of their
cost. What every answer carries (request id, limits, CORS), 404s and preflights included, is added here.
"""

import re
from collections.abc import Awaitable, Callable

from asgiref.sync import markcoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, ResolverMatch, resolve

from api.admit import Admitted
from api.errors import error_answer
from api.headers import EVERYWHERE, FOR_BROWSERS, call_headers, identity_headers, limit_headers, preflight_headers
from api.idempotency import Recording
from gateway.call import Call, new_request_id

GetResponse = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


class ApiRequest(HttpRequest):
    """What the lane adds to a request."""

    request_id: str
    admitted: Admitted | None
    call: Call | None
    recording: Recording | None  # where the answer is kept for an `Idempotency-Key`


class ApiMiddleware:
    async_capable = True
    sync_capable = False

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: ApiRequest) -> HttpResponseBase:
        request.request_id = new_request_id()
        request.admitted = request.call = request.recording = None
        match = _find_view(request.path_info)
        if match is not None and match.app_name != "api":
            return await self._page(request)
        if match is None and not _is_for_programs(request):
            return await self._page(request)
        try:
            response = await _answer(request, match)
            if request.recording is not None and request.call is not None and isinstance(response, HttpResponse):
                await _keep(response, request.recording, request.call)
        finally:
            if request.recording is not None:
                await request.recording.close()
            if request.admitted is not None:
                request.admitted.admission.release()
        for headers in _headers(request):
            for name, value in headers.items():
                response.headers.setdefault(name, value)
        return response

    async def _page(self, request: ApiRequest) -> HttpResponseBase:
        response = await self.get_response(request)
        response["x-request-id"] = request.request_id
        return response


def _find_view(path: str) -> ResolverMatch | None:
    """What is at `path`: the API's concern or a page's."""
    try:
        return resolve(path)
    except Resolver404:
        return None


def _is_for_programs(request: HttpRequest) -> bool:
    """Whether an address where nothing is was meant for the API, so that its 404 must be JSON."""
    path = re.sub("//+", "/", request.path_info).lower()
    return (
        path == "/v1"
        or path.startswith("/v1/")
        or request.method not in ("GET", "HEAD")
        or "authorization" in request.headers
    )


async def _answer(request: ApiRequest, match: ResolverMatch | None) -> HttpResponseBase:
    if match is None:
        unknown = error_answer("unknown_url", f"There is nothing at {request.path[:200]}. Check the address.")
        return HttpResponse(unknown.body, status=unknown.status, content_type="application/json")
    request.resolver_match = match
    if request.method == "OPTIONS":
        asked = request.headers.get("access-control-request-headers")
        return HttpResponse(status=204, headers=preflight_headers(asked, "GET, POST, DELETE, OPTIONS"))
    response = await match.func(request, *match.args, **match.kwargs)
    return response.render() if hasattr(response, "render") else response


async def _keep(response: HttpResponse, recording: Recording, call: Call) -> None:
    own = {name.lower(): value for name, value in response.headers.items()}
    recording.start(response.status_code, own | call_headers(call))
    await recording.add(response.content, more=False)


def _headers(request: ApiRequest) -> list[dict[str, str]]:
    headers = [EVERYWHERE, identity_headers(request.request_id, request.headers.get("x-request-id"))]
    if "origin" in request.headers:
        headers.append(FOR_BROWSERS)
    if request.admitted is not None:
        headers.append(limit_headers(request.admitted.admission))
    if request.call is not None:
        headers.append(call_headers(request.call))
    return headers
