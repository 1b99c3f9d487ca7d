"""The headers of our answers: identity, limits, cost, and what browsers may read of them."""

from api.cookies import session_headers
from billing.amounts import credits_text
from gateway.call import Call
from gateway.idempotency import Answer
from gateway.limits import format_duration
from gateway.types import Allowance

EXPOSED = (
    "x-request-id, x-client-request-id, x-arkroute-credits, x-arkroute-model, x-arkroute-overhead-ms, "
    "x-arkroute-stand-in, x-arkroute-capped-tokens, x-arkroute-session-state, x-arkroute-ignored-params, "
    "x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, retry-after, "
    "x-should-retry, openai-poll-after-ms, idempotent-replayed"
)
# On every answer of the API, errors included.
EVERYWHERE = {"x-content-type-options": "nosniff", "cache-control": "no-store"}
# Besides, for a browser: any page may read the answer. Sent where the request names its origin.
FOR_BROWSERS = {"access-control-allow-origin": "*", "access-control-expose-headers": EXPOSED}
_LONGEST_CLIENT_ID = 200


def preflight_headers(asked: str | None, methods: str) -> dict[str, str]:
    """CORS: any page with a key of its own may call, without credentials, with the headers that its browser names."""
    return {
        "access-control-allow-methods": methods,
        "access-control-allow-headers": asked or "authorization, content-type",
        "access-control-max-age": "86400",
        "vary": "access-control-request-headers",
    }


def identity_headers(request_id: str, client_request_id: str | None) -> dict[str, str]:
    """Our id of the request, and the client's own if it sent one that is fit for a header."""
    headers = {"x-request-id": request_id}
    if client_request_id and client_request_id.isascii() and client_request_id.isprintable():
        headers["x-client-request-id"] = client_request_id[:_LONGEST_CLIENT_ID]
    return headers


def limit_headers(allowance: Allowance) -> dict[str, str]:
    return {
        "x-ratelimit-limit-requests": str(allowance.limit),
        "x-ratelimit-remaining-requests": str(allowance.remaining),
        "x-ratelimit-reset-requests": format_duration(allowance.reset),
    }


def call_headers(call: Call) -> dict[str, str]:
    """What a priced call came to, as far as it is known when the headers leave."""
    headers = {"x-arkroute-overhead-ms": f"{call.overhead * 1000:.2f}"}
    if call.served_by:
        headers["x-arkroute-model"] = call.served_by
    if call.stand_in:
        headers["x-arkroute-stand-in"] = "true"
    if call.charged is not None:
        headers["x-arkroute-credits"] = credits_text(call.charged)
    if call.capped_tokens is not None:
        headers["x-arkroute-capped-tokens"] = str(call.capped_tokens)
    if call.ignored_params:
        headers["x-arkroute-ignored-params"] = ", ".join(call.ignored_params)
    if call.session is not None:
        headers |= session_headers(call.session)
    return headers


def replayed_headers(answer: Answer) -> dict[str, str]:
    """Of an answer that was given before to the same `Idempotency-Key`: its own, its media type among them."""
    return answer.headers | {"idempotent-replayed": "true"}
