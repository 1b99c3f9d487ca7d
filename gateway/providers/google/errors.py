"""What Google means by its errors: `{"error": {"code": 429, "message": …, "status": "RESOURCE_EXHAUSTED", "details"}}`.

The endpoints in OpenAI's shape send the same as the only item of a list. Refusals come with a 200: see `answers` and
`chat`. Sources: https://ai.google.dev/gemini-api/docs/troubleshooting, https://cloud.google.com/apis/design/errors and
`google/rpc/error_details.proto` in https://github.com/googleapis/googleapis.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.openai_errors import ErrorReader, classify_of_vendor, clean, read_retry_after

_FAULT_OF_STATUS = {
    401: ProviderFault.AUTH,
    402: ProviderFault.BALANCE,  # what was paid in advance is used up
    429: ProviderFault.RATE_LIMITED,
    499: ProviderFault.BROKEN,  # cancelled, and not by us
    500: ProviderFault.OVERLOADED,
    503: ProviderFault.OVERLOADED,
    504: ProviderFault.TIMEOUT,  # DEADLINE_EXCEEDED: it had begun
}
# Said with a 400, of the account: no billing where the free tier is not offered, or no service in our region.
_PRECONDITION = "FAILED_PRECONDITION"
_BILLING = re.compile(r"billing", re.IGNORECASE)
_REGION = re.compile(r"location|country|region", re.IGNORECASE)
# With which a 403 or 404 says that it is the key, its project or the model: unknown, retired, or not for this key.
# Others are of what the request names, such as a cached content. The beginning alone is no client's words.
_OF_OUR_KEY = re.compile(
    r"(publisher )?models?/|(the|this) model\b|((your|the) )?(api key|(consumer )?project)\b"
    r"|permission denied: consumer\b|method doesn't allow unregistered callers|(generative language|gemini) api\b"
    r"|requests? (to|from) this\b",
    re.IGNORECASE,
)
_REASONS_OF_OUR_KEY = frozenset(
    {"SERVICE_DISABLED", "BILLING_DISABLED", "CONSUMER_INVALID", "CONSUMER_SUSPENDED", "USER_PROJECT_DENIED"}
)
_CONTEXT_LENGTH = re.compile(r"token count.{0,40} exceeds the maximum number of tokens", re.IGNORECASE)
# A wrong key is a 400, too. `ErrorInfo.reason`: API_KEY_INVALID, API_KEY_SERVICE_BLOCKED, …
_KEY_REASON = "API_KEY_"
_SECONDS = re.compile(r"\d{1,6}(?:\.\d{1,9})?s", re.ASCII)


def classify(status: int, body: bytes, headers: Mapping[bytes, bytes], *, secrets: Sequence[str] = ()) -> ProviderError:
    """The error that an answer with a status other than 200 stands for."""
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return classify_of_vendor(status, body, headers, secrets=secrets)  # of something before Google
    return _read(_fields(answer) or {}, status, secrets, read_retry_after(headers))


def find(answer: Any, *, secrets: Sequence[str] = ()) -> ProviderError | None:
    """The error that came with a 200, whole or as an event of a stream, if `answer` is one."""
    fields = _fields(answer)
    return _read(fields, None, secrets, None) if fields else None


ERRORS = ErrorReader(classify=classify, find=find)


def _fields(answer: Any) -> dict[str, Any] | None:
    if isinstance(answer, list) and answer:
        answer = answer[0]
    error = answer.get("error") if isinstance(answer, dict) else None
    return error if isinstance(error, dict) else None


def _read(
    error: dict[str, Any], status: int | None, secrets: Sequence[str], retry_after: float | None
) -> ProviderError:
    code = error.get("code")
    if status is None and isinstance(code, int) and 400 <= code <= 599:
        status = code
    text = error.get("message")
    text = text if isinstance(text, str) and text else "an error without a message"
    details = error.get("details")
    details = [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []
    return ProviderError(
        _kind(status, error.get("status"), text, details),
        clean(text, secrets),
        status=status,
        retry_after=retry_after or _retry_delay(details),
    )


def _kind(status: int | None, word: Any, text: str, details: list[dict[str, Any]]) -> ProviderFault:
    reasons = [str(one.get("reason")) for one in details]
    if any(reason.startswith(_KEY_REASON) for reason in reasons):
        return ProviderFault.AUTH
    if word == _PRECONDITION and _BILLING.search(text):
        return ProviderFault.BALANCE
    if word == _PRECONDITION and _REGION.search(text):
        return ProviderFault.AUTH
    if status in (403, 404) and (_OF_OUR_KEY.match(text) or not _REASONS_OF_OUR_KEY.isdisjoint(reasons)):
        return ProviderFault.AUTH
    if status == 400 and _CONTEXT_LENGTH.search(text):
        return ProviderFault.CONTEXT_LENGTH
    if status is None:
        return ProviderFault.BROKEN
    return _FAULT_OF_STATUS.get(status, ProviderFault.BAD_REQUEST if 400 <= status < 500 else ProviderFault.BROKEN)


def _retry_delay(details: list[dict[str, Any]]) -> float | None:
    """Seconds, from a `RetryInfo`: `{"retryDelay": "37s"}`."""
    for one in details:
        delay = one.get("retryDelay")
        if isinstance(delay, str) and _SECONDS.fullmatch(delay):
            return float(delay[:-1]) or None
    return None
