"""The start of every view: who calls, within which limits."""

from typing import cast

from rest_framework.request import Request

from api.admit import admit
from api.body import parse_max_credits
from api.cookies import read_session_id
from api.errors import AnsweredBefore
from api.idempotency import Recording, begin
from api.middleware import ApiRequest
from api.origins import is_from_page
from gateway.call import Call
from gateway.idempotency import Answer


async def begin_call(request: Request, endpoint: str, *, read: bool = False) -> Call:
    """A call by the key in the request's header. The middleware ends it: limits, headers.

    `read` counts it in the larger bucket of requests that only read. Raises what `api.admit.admit` raises; of a call
    that costs something `AnsweredBefore`, and what `api.idempotency.begin` raises.
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
        if (key := request.headers.get("idempotency-key")) is not None:
            begun = await begin(call, key, request.headers.get("content-type"), http.body)
            if isinstance(begun, Answer):
                raise AnsweredBefore(begun)
            http.recording = Recording(begun, call)
            # Another's, where that has begun the call's work and died.
            call.request_id = http.request_id = begun.request_id
    return call
