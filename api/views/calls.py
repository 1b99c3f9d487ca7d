"""The start of every view: who calls, within which limits."""

from typing import cast

from rest_framework.request import Request

from api.admit import admit
from api.body import parse_max_credits
from api.cookies import read_session_id
from api.middleware import ApiRequest
from api.origins import is_from_page
from gateway.call import Call


async def begin_call(request: Request, endpoint: str, *, read: bool = False) -> Call:
    """A call by the key in the request's header. The middleware ends it: limits, headers.

    `read` counts it in the larger bucket of requests that only read. Raises what `api.admit.admit` raises.
    """
    http = cast(ApiRequest, request._request)
    http.admitted = await admit(request.headers.get("authorization"), read=read)
    call = Call(
        caller=http.admitted.caller,
        endpoint=endpoint,
        request_id=http.request_id,
        cookie_session_id=read_session_id(request.headers.get("cookie")),
        from_page=is_from_page(request.headers.get("origin"), request.headers.get("host")),
    )
    if not read:
        http.call = call
        call.max_credits = parse_max_credits(request.headers.get("x-arkroute-max-credits"))
    return call
