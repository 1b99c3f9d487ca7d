"""The one map from exceptions to OpenAI's error bodies, used by the express lane and by DRF.

{"error": {"message": str, "type": str, "param": str | null, "code": str | null}}
"""

import logging
import math
from http import HTTPStatus
from typing import Any

import msgspec
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from msgspec import Struct
from rest_framework import exceptions as drf

from accounts.keys import KeyRejected
from api.headers import limit_headers, replayed_headers
from billing.ledger import LedgerUnavailable
from gateway.errors import GatewayError, LimitError
from gateway.idempotency import Answer

logger = logging.getLogger(__name__)

# code -> (status, type). The contract's table of errors.
STATUSES: dict[str, tuple[int, str]] = {
    "invalid_json": (400, "invalid_request_error"),
    "unsupported_media_type": (415, "invalid_request_error"),
    "context_length_exceeded": (400, "invalid_request_error"),
    "content_policy_violation": (400, "invalid_request_error"),
    "missing_api_key": (401, "authentication_error"),
    "invalid_api_key": (401, "authentication_error"),
    "insufficient_credits": (402, "insufficient_quota"),
    "max_credits_exceeded": (402, "insufficient_quota"),
    "key_not_allowed": (403, "permission_error"),
    "model_not_found": (404, "invalid_request_error"),
    "task_not_found": (404, "invalid_request_error"),
    "receipt_not_found": (404, "invalid_request_error"),
    "session_not_found": (404, "invalid_request_error"),
    "delivery_not_found": (404, "invalid_request_error"),
    "unknown_url": (404, "invalid_request_error"),
    "method_not_allowed": (405, "invalid_request_error"),
    "idempotency_in_progress": (409, "invalid_request_error"),
    "idempotency_answer_lost": (409, "invalid_request_error"),
    "task_not_ready": (409, "invalid_request_error"),
    "not_cancellable": (409, "invalid_request_error"),
    "session_busy": (409, "invalid_request_error"),
    "request_too_large": (413, "invalid_request_error"),
    "missing_required_parameter": (422, "invalid_request_error"),
    "invalid_type": (422, "invalid_request_error"),
    "invalid_value": (422, "invalid_request_error"),
    "invalid_image": (422, "invalid_request_error"),
    "invalid_image_url": (422, "invalid_request_error"),
    "idempotency_key_reused": (422, "invalid_request_error"),
    "rate_limit_exceeded": (429, "rate_limit_error"),
    "concurrency_exceeded": (429, "rate_limit_error"),
    "provider_error": (500, "provider_error"),
    "provider_timeout": (500, "provider_error"),
    "internal_error": (500, "server_error"),
    "provider_not_configured": (503, "server_error"),
    "overloaded": (503, "server_error"),
    "database_unavailable": (503, "server_error"),
}
# OpenAI's clients repeat what was a conflict; the same request meets these again.
FINAL_CONFLICTS = frozenset({"task_not_ready", "not_cancellable", "idempotency_answer_lost"})
# Seconds that a client should wait where nobody knows better.
DEFAULT_RETRY_AFTER = {
    "database_unavailable": 2,
    "idempotency_in_progress": 1,
    "overloaded": 5,
    "provider_not_configured": 300,
}


class AnsweredBefore(Exception):
    """A view has nothing to do: the `Idempotency-Key` of its call was answered before, and `answer` is sent again."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.request_id)
        self.answer = answer


class ErrorAnswer(Struct):
    """An error as it goes out. `headers` are lower-case names and values."""

    status: int
    headers: dict[str, str]
    body: bytes


def to_openai(error: BaseException, request_id: str) -> ErrorAnswer:
    """What the client is told about `error`. The unexpected is logged here, once, with the request's id."""
    match error:
        case GatewayError():
            answer = error_answer(error.code, error.message, param=error.param, retry_after=error.retry_after)
            if isinstance(error, LimitError) and error.allowance is not None:
                answer.headers |= limit_headers(error.allowance)
            return answer
        case KeyRejected():
            return error_answer(error.code, error.message)
        case LedgerUnavailable() | OperationalError() | InterfaceError():
            logger.error("%s: the database is unavailable: %s", request_id, error)
            return error_answer(
                "database_unavailable", "The database cannot be reached. Nothing was charged; try again."
            )
        case Http404() | drf.NotFound():
            return error_answer("unknown_url", "There is nothing at this address. Check it.")
        case drf.MethodNotAllowed():
            return error_answer("method_not_allowed", "This method is not for this address; `Allow` says which are.")
    logger.error("%s: unexpected", request_id, exc_info=error)
    return error_answer("internal_error", f"Something went wrong on our side. Tell us the id {request_id}.")


def error_answer(code: str, message: str, *, param: str | None = None, retry_after: float | None = None) -> ErrorAnswer:
    """The answer for one of the contract's codes. `retry_after` is in seconds."""
    status, _ = STATUSES[code]
    headers = {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    if status == HTTPStatus.PAYMENT_REQUIRED or code in FINAL_CONFLICTS:
        headers["x-should-retry"] = "false"
    wait = retry_after if retry_after is not None else DEFAULT_RETRY_AFTER.get(code)
    if wait is not None and status in (409, 429, 503):
        headers["retry-after"] = str(max(1, math.ceil(wait)))
    return ErrorAnswer(status=status, headers=headers, body=error_body(code, message, param=param))


def error_body(code: str, message: str, *, param: str | None = None) -> bytes:
    error = {"message": message, "type": STATUSES[code][1], "param": param, "code": code}
    return msgspec.json.encode({"error": error})


def error_event(body: bytes) -> bytes:
    """The same as an event of a stream whose events have types.

    OpenAI's reference has the fields at the top; its servers send, and its clients raise, what is in `error`.
    """
    error = msgspec.json.decode(body)["error"]
    top = {name: error[name] for name in ("code", "message", "param")}
    return msgspec.json.encode({"type": "error", "sequence_number": 0, **top, "error": error})


def drf_exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """DRF's `EXCEPTION_HANDLER`: the same answers as in the express lane."""
    request = context["request"]._request
    if isinstance(error, AnsweredBefore):
        request.request_id = error.answer.request_id
        return HttpResponse(error.answer.body, status=error.answer.status, headers=replayed_headers(error.answer))
    answer = to_openai(error, request.request_id)
    response = HttpResponse(answer.body, status=answer.status, content_type="application/json", headers=answer.headers)
    if isinstance(error, drf.MethodNotAllowed):
        response["allow"] = ", ".join(context["view"].allowed_methods)
    return response
