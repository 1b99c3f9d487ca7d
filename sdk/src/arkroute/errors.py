"""What can go wrong, as a tree:

ArkRouteError
 ├─ ConfigurationError             no key, or a base URL that is none: nothing was sent
 ├─ APIConnectionError             no answer came: the network, or a stream that was cut
 │   └─ APITimeoutError
 ├─ APIError                       the API said no: `code`, `type`, `param`, `body`, `request_id`
 │   ├─ APIStatusError             by its status: `status_code`, `response`
 │   │   ├─ BadRequestError            400
 │   │   ├─ AuthenticationError        401
 │   │   ├─ InsufficientCreditsError   402
 │   │   ├─ PermissionDeniedError      403
 │   │   ├─ NotFoundError              404
 │   │   ├─ ConflictError              409
 │   │   ├─ UnprocessableEntityError   422
 │   │   ├─ RateLimitError             429
 │   │   └─ InternalServerError        500 and above
 │   ├─ StreamError                in the middle of a stream, after its first byte
 │   └─ UnreadableAnswerError      an answer that is not what the API answers: a proxy's page, say
 ├─ VideoFailedError               a video that was waited for has failed or was cancelled: `task`
 └─ VideoTimeoutError              it goes on, but not as quickly as the caller wanted: `task`
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

    from arkroute.types import VideoTask


class ArkRouteError(Exception):
    """The root of all errors of this package."""


class ConfigurationError(ArkRouteError):
    """There is no API key, or the base URL is none. Nothing was sent."""


class APIConnectionError(ArkRouteError):
    """No answer came, or a stream was cut. Its cause, httpx's own error, is `__cause__`."""


class APITimeoutError(APIConnectionError):
    """No answer came in time."""


class APIError(ArkRouteError):
    """The API answered with an error.

    `code` is for programs and does not change (`insufficient_credits`), `type` is its family, `param` names the field
    at fault; each is None where the answer has none. `body` is the whole answer: a dict where it was JSON, else text.
    """

    def __init__(self, message: str, *, body: object, request_id: str | None) -> None:
        self.message = message
        self.body = body
        self.request_id = request_id
        error = _error_in(body)
        self.code, self.type, self.param = (_text(error.get(name)) for name in ("code", "type", "param"))
        super().__init__(message)

    def __str__(self) -> str:
        known = [part for part in (self.code, self.request_id) if part]
        return f"{self.message} ({', '.join(known)})" if known else self.message


class APIStatusError(APIError):
    """An answer whose status is not 2xx. Statuses without a class of their own, 405 and 413 say, have this one."""

    def __init__(self, message: str, *, body: object, response: httpx.Response) -> None:
        super().__init__(message, body=body, request_id=response.headers.get("x-request-id"))
        self.response = response
        self.status_code = response.status_code


class BadRequestError(APIStatusError):
    """400: the body cannot be read, or the provider refuses what it says."""


class AuthenticationError(APIStatusError):
    """401: the key is missing, mistyped, unknown, revoked or expired."""


class InsufficientCreditsError(APIStatusError):
    """402: the balance, the key's own limit or `max_credits` does not cover the call. Nothing was done."""


class PermissionDeniedError(APIStatusError):
    """403: the key is limited to other models."""


class NotFoundError(APIStatusError):
    """404: there is no such model, video or session."""


class ConflictError(APIStatusError):
    """409: not now, or not any more."""


class UnprocessableEntityError(APIStatusError):
    """422: a parameter is missing or has a value that the model does not take. `param` names it."""


class RateLimitError(APIStatusError):
    """429: the key sends more than it may."""


class InternalServerError(APIStatusError):
    """500 and above: the provider failed, or the gateway. Nothing was charged."""


class StreamError(APIError):
    """The API ended a stream with an error. What had come until then was delivered, and is charged."""


class UnreadableAnswerError(APIError):
    """A good status with a body that the API does not answer. The base URL may lead to something else."""


class VideoFailedError(ArkRouteError):
    """A video ended without a clip, and cost nothing. `task` is its last state, `code` says why."""

    def __init__(self, task: VideoTask) -> None:
        self.task = task
        self.code: str | None = task.error.code if task.error else None
        reason = task.error.message if task.error else f"It is {task.status}."
        super().__init__(f"{task.task_id}: {reason}")


class VideoTimeoutError(ArkRouteError):
    """A video goes on for longer than the caller wanted to wait. `task` is its last state; wait for it again."""

    def __init__(self, task: VideoTask, seconds: float) -> None:
        self.task = task
        super().__init__(f"{task.task_id} goes on after {seconds:g} seconds. It is not cancelled: wait for it again.")


STATUS_ERRORS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: InsufficientCreditsError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}


def _error_in(body: object) -> dict[str, Any]:
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) else {}


def _text(value: object) -> str | None:
    return None if value is None else str(value)
