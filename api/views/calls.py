"""The start of every view: who calls, within which limits, with which body."""

from typing import Any, cast

from rest_framework.request import Request

from api.admit import admit
from api.body import check_media_type, parse_max_credits
from api.cookies import read_session_id
from api.middleware import ApiRequest
from gateway.call import Call
from gateway.requests.decoding import decode_object


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
    )
    if not read:
        http.call = call
        call.max_credits = parse_max_credits(request.headers.get("x-arkroute-max-credits"))
    return call


def json_body(request: Request) -> dict[str, Any]:
    """The JSON object that was sent, by the express lane's rules. Raises a `RequestError`."""
    check_media_type(request.headers.get("content-type"))
    return decode_object(request._request.body)
