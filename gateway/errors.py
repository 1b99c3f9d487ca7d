"""Everything that can go wrong with a call, as named errors.

    GatewayError
    ├── RequestError                  the caller can mend it
    │   ├── InvalidJSON
    │   ├── MissingParameter
    │   ├── InvalidType
    │   ├── InvalidValue
    │   │   ├── InvalidImage
    │   │   └── InvalidImageURL
    │   ├── RequestTooLarge
    │   ├── UnsupportedMediaType
    │   ├── ModelNotFound
    │   ├── SessionNotFound
    │   ├── SessionBusy               another turn of it is under way
    │   ├── TaskNotFound
    │   ├── TaskNotReady              it has not completed
    │   ├── NotCancellable            its provider is at work on it, and cannot stop
    │   ├── DeliveryNotFound          of a webhook
    │   ├── ReceiptNotFound
    │   ├── IdempotencyInProgress     a call with the same key is under way
    │   ├── IdempotencyKeyReused      the key came with another request before
    │   ├── IdempotencyAnswerLost     the key's call was charged, and its answer cannot be given again
    │   ├── ContextLengthExceeded
    │   └── ContentPolicyViolation    a provider's refusal
    ├── PaymentError
    │   ├── InsufficientCredits
    │   │   └── KeyCreditsSpent       the key's own limit, whatever the balance
    │   └── MaxCreditsExceeded
    ├── KeyNotAllowed                 the key is not for this model
    ├── LimitError
    │   ├── RateLimitExceeded
    │   └── ConcurrencyExceeded
    └── ServiceError                  ours or a provider's; nothing is charged
        ├── ProviderFailed
        ├── ProviderTimeout
        ├── ProviderNotConfigured
        ├── Overloaded
        └── DatabaseUnavailable

    ProviderError                     what an adapter raises; `gateway.routing` turns it into one of the above

`code` is the contract's word for the error. The HTTP status belongs to `api.errors`.
"""

from enum import StrEnum
from typing import ClassVar

from gateway.types import Allowance


class GatewayError(Exception):
    """Base of all. The message is shown to the caller: it says what to do next.

    `param` names the field at fault (`messages[0].role`), `retry_after` is in seconds.
    """

    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, *, param: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after = retry_after


class RequestError(GatewayError):
    code = "invalid_value"


class InvalidJSON(RequestError):
    code = "invalid_json"


class MissingParameter(RequestError):
    code = "missing_required_parameter"


class InvalidType(RequestError):
    code = "invalid_type"


class InvalidValue(RequestError):
    code = "invalid_value"


class InvalidImage(InvalidValue):
    code = "invalid_image"


class InvalidImageURL(InvalidValue):
    code = "invalid_image_url"


class RequestTooLarge(RequestError):
    code = "request_too_large"


class UnsupportedMediaType(RequestError):
    code = "unsupported_media_type"


class ModelNotFound(RequestError):
    code = "model_not_found"


class SessionNotFound(RequestError):
    code = "session_not_found"


class SessionBusy(RequestError):
    code = "session_busy"


class TaskNotFound(RequestError):
    code = "task_not_found"

    def __init__(
        self,
        message: str = "You have no such video task. Check the id; one that was deleted is not shown any more.",
        *,
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, param=param, retry_after=retry_after)


class TaskNotReady(RequestError):
    code = "task_not_ready"


class NotCancellable(RequestError):
    code = "not_cancellable"


class DeliveryNotFound(RequestError):
    code = "delivery_not_found"


class ReceiptNotFound(RequestError):
    code = "receipt_not_found"


class IdempotencyInProgress(RequestError):
    code = "idempotency_in_progress"


class IdempotencyKeyReused(RequestError):
    code = "idempotency_key_reused"


class IdempotencyAnswerLost(RequestError):
    code = "idempotency_answer_lost"


class ContextLengthExceeded(RequestError):
    code = "context_length_exceeded"


class ContentPolicyViolation(RequestError):
    code = "content_policy_violation"


class PaymentError(GatewayError):
    code = "insufficient_credits"


class InsufficientCredits(PaymentError):
    code = "insufficient_credits"


class KeyCreditsSpent(InsufficientCredits):
    pass


class MaxCreditsExceeded(PaymentError):
    code = "max_credits_exceeded"


class KeyNotAllowed(GatewayError):
    code = "key_not_allowed"


class LimitError(GatewayError):
    """Too much at once. `allowance` holds the numbers for the `x-ratelimit-*` headers, where a key's limit refused."""

    code = "rate_limit_exceeded"
    allowance: Allowance | None = None


class RateLimitExceeded(LimitError):
    code = "rate_limit_exceeded"


class ConcurrencyExceeded(LimitError):
    code = "concurrency_exceeded"


class ServiceError(GatewayError):
    code = "internal_error"


class ProviderFailed(ServiceError):
    code = "provider_error"


class ProviderTimeout(ServiceError):
    code = "provider_timeout"


class ProviderNotConfigured(ServiceError):
    code = "provider_not_configured"


class Overloaded(ServiceError):
    code = "overloaded"


class DatabaseUnavailable(ServiceError):
    code = "database_unavailable"


class ProviderFault(StrEnum):
    """What went wrong at a provider, in the words that routing decides by."""

    AUTH = "auth"  # its key is refused: the operator's trouble
    BALANCE = "balance"  # its account is empty: the operator's trouble
    CONTENT_POLICY = "content_policy"
    CONTEXT_LENGTH = "context_length"
    BAD_REQUEST = "bad_request"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"  # no connection: the request never arrived
    BROKEN = "broken"  # an answer that is no answer: HTML, bad JSON, a stream cut in the middle


# What a fault means to a client. An account of ours that is refused or empty is a provider that failed.
CLIENT_ERRORS: dict[ProviderFault, type[GatewayError]] = {
    ProviderFault.AUTH: ProviderFailed,
    ProviderFault.BALANCE: ProviderFailed,
    ProviderFault.CONTENT_POLICY: ContentPolicyViolation,
    ProviderFault.CONTEXT_LENGTH: ContextLengthExceeded,
    ProviderFault.BAD_REQUEST: InvalidValue,
    ProviderFault.RATE_LIMITED: Overloaded,
    ProviderFault.OVERLOADED: Overloaded,
    ProviderFault.TIMEOUT: ProviderTimeout,
    ProviderFault.UNREACHABLE: ProviderFailed,
    ProviderFault.BROKEN: ProviderFailed,
}


class ProviderError(Exception):
    """An adapter's report of a failed call.

    `message` is the provider's own text, for our log; only for content policy, context length and bad requests is it
    shown to the caller. `retry_after` is the provider's wish, in seconds. `status` is its HTTP status, if it sent one.
    `accepted`: the provider had taken the work on (a task has its id, say), whatever failed after that.
    `of_this_request`: what was sent may be the reason, so that nothing is concluded from it about the provider, its
    model or our key: others' requests go there as before.
    """

    def __init__(
        self,
        kind: ProviderFault,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        param: str | None = None,
        accepted: bool = False,
        of_this_request: bool = False,
    ) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message
        self.status = status
        self.retry_after = retry_after
        self.param = param
        self.accepted = accepted
        self.of_this_request = of_this_request

    @property
    def code(self) -> str:
        """The contract's word for it."""
        return CLIENT_ERRORS[self.kind].code

    @property
    def may_have_begun(self) -> bool:
        """Whether the provider may have begun the work, and charge for it: a second try could be paid twice."""
        if self.accepted or self.kind is ProviderFault.TIMEOUT or self.status in _PROXY_TIMEOUTS:
            return True
        # Without a status, or in a 200, the answer was lost. An error's status says that there will be none.
        return self.kind is ProviderFault.BROKEN and (self.status is None or self.status < 300)

    @property
    def is_of_model(self) -> bool:
        """Of a refused key: whether it may well be good for other models than the one that was asked.

        401 is about the key. 403 and 404 are also what vendors answer where an account may not use a model, or where it
        is gone.
        """
        return self.kind is ProviderFault.AUTH and self.status in (403, 404, 405)


# Of a server or a proxy that lost patience: 504, and Cloudflare's own,
# https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/
_PROXY_TIMEOUTS = frozenset({504, 522, 524})
