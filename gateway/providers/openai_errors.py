"""What an OpenAI-shaped server means by its errors.

Sources: OpenAI's guide to error codes (https://platform.openai.com/docs/guides/error-codes) and its SDK; llama.cpp
`tools/server`; vLLM and SGLang `entrypoints/openai`; text-embeddings-inference `router/src`.
"""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from gateway.errors import ProviderError, ProviderFault

MAX_MESSAGE_CHARACTERS = 500

# Words of `code` and `type`; they say more than the status.
_FAULT_OF_WORD = {
    **dict.fromkeys(
        (
            "insufficient_quota",
            "credit_balance_exhausted",
            "billing_hard_limit_reached",
            "organization_spend_limit_exceeded",
            "project_spend_limit_exceeded",
            "organization_usage_limit_exceeded",
        ),
        ProviderFault.BALANCE,
    ),
    **dict.fromkeys(
        (
            "content_filter",
            "content_policy_violation",
            "image_content_policy_violation",
            "moderation_blocked",
        ),
        ProviderFault.CONTENT_POLICY,
    ),
    **dict.fromkeys(
        (
            "context_length_exceeded",
            "exceed_context_size_error",  # llama.cpp
        ),
        ProviderFault.CONTEXT_LENGTH,
    ),
    **dict.fromkeys(
        (
            "server_is_overloaded",
            "slow_down",
            "overloaded",  # text-embeddings-inference, with 429
            "overloaded_error",
        ),
        ProviderFault.OVERLOADED,
    ),
    "invalid_api_key": ProviderFault.AUTH,
    "rate_limit_exceeded": ProviderFault.RATE_LIMITED,
}

# vLLM, SGLang, llama.cpp (embeddings) and text-embeddings-inference say it in words alone.
_CONTEXT_LENGTH = re.compile(
    r"maximum context length|maximum model length|longer than the model's context length|available context size"
    r"|too large to process\. increase the physical batch size|must have less than \d+ tokens",
    re.IGNORECASE,
)

# The same for a status. A 404 or 405 is the operator's trouble: the path and the model's name are ours, not the
# caller's; OpenAI's text for it is "does not exist or you do not have access to it", so another key may help.
_FAULT_OF_STATUS = {
    401: ProviderFault.AUTH,
    402: ProviderFault.BALANCE,
    403: ProviderFault.AUTH,
    404: ProviderFault.AUTH,
    405: ProviderFault.AUTH,
    408: ProviderFault.OVERLOADED,
    429: ProviderFault.RATE_LIMITED,
    503: ProviderFault.OVERLOADED,
    529: ProviderFault.OVERLOADED,
}
_BAD_REQUEST = frozenset({400, 413, 415, 422})

_ADDRESS_OR_KEY = re.compile(r"\b(?:https?|wss?)://\S+|\b(?:sk|ark|pk)-[\w*.-]{6,}|\bBearer\s+\S+", re.IGNORECASE)


def classify(status: int, body: bytes, headers: Mapping[bytes, bytes], *, secrets: Sequence[str] = ()) -> ProviderError:
    """The error that an answer with a status other than 2xx stands for.

    Its message is the server's own, without addresses, keys and `secrets`. A body that is no JSON comes from something
    before the server: then only a status that speaks for itself counts, and the rest is BROKEN.
    """
    retry_after = read_retry_after(headers)
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        kind = _FAULT_OF_STATUS.get(status, ProviderFault.BROKEN)
        return ProviderError(kind, f"HTTP {status} without a JSON body", status=status, retry_after=retry_after)
    return classify_error(answer, status, retry_after=retry_after, secrets=secrets)


def classify_error(
    answer: Any, status: int | None = None, *, retry_after: float | None = None, secrets: Sequence[str] = ()
) -> ProviderError:
    """The error that a JSON answer describes; without a `status` (in a stream, in a 200) the one it names itself."""
    message, words, param, named_status = _read(answer)
    if status is None:
        status = named_status
    kind = next((_FAULT_OF_WORD[word] for word in words if word in _FAULT_OF_WORD), None)
    if kind is None and _CONTEXT_LENGTH.search(message):
        kind = ProviderFault.CONTEXT_LENGTH
    if kind is None and status in _BAD_REQUEST:
        kind = ProviderFault.BAD_REQUEST
    if kind is None:
        kind = _FAULT_OF_STATUS.get(status or 500, ProviderFault.BROKEN)
    return ProviderError(kind, _clean(message, secrets), status=status, retry_after=retry_after, param=param)


def read_retry_after(headers: Mapping[bytes, bytes]) -> float | None:
    """Seconds, from `retry-after-ms` (OpenAI) or `retry-after` (seconds or a date); None where it makes no sense."""
    try:
        if milliseconds := headers.get(b"retry-after-ms"):
            return _positive(float(milliseconds) / 1000)
        value = headers.get(b"retry-after", b"").decode("ascii").strip()
        if not value:
            return None
        if value[0].isdigit():
            return _positive(float(value))
        when = parsedate_to_datetime(value)
        return _positive(((when if when.tzinfo else when.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds())
    except ValueError:
        return None


def _positive(seconds: float) -> float | None:
    return seconds if 0 < seconds < math.inf else None


def _read(answer: Any) -> tuple[str, list[str], str | None, int | None]:
    """Message, words (`code`, `type`), param and status of an error in any of the shapes that servers use.

    `{"error": {…}}` (OpenAI, llama.cpp), `{"object": "error", …}` (SGLang, older vLLM), `{"error": "…",
    "error_type": "…"}` (text-embeddings-inference), `{"detail": …}` (FastAPI).
    """
    if not isinstance(answer, dict):
        return "an error of no known shape", [], None, None
    error = answer.get("error")
    if isinstance(error, dict):
        fields = error
    elif isinstance(error, str):
        fields = {"message": error, "type": answer.get("error_type") or answer.get("type")}
    elif "detail" in answer:
        detail = answer["detail"]
        fields = {"message": detail if isinstance(detail, str) else _first_detail(detail)}
    else:
        fields = answer
    message = fields.get("message")
    code, param = fields.get("code"), fields.get("param")
    words = [word.lower() for word in (code, fields.get("type")) if isinstance(word, str)]
    if isinstance(code, str) and code.isdigit():
        code = int(code)
    status = code if isinstance(code, int) and 400 <= code <= 599 else None
    return (
        message if isinstance(message, str) and message else "an error without a message",
        words,
        param if isinstance(param, str) and param else None,
        status,
    )


def _first_detail(detail: Any) -> str:
    first = detail[0] if isinstance(detail, list) and detail else detail
    message = first.get("msg") if isinstance(first, dict) else None
    return message if isinstance(message, str) else ""


def _clean(message: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        if secret:
            message = message.replace(secret, "…")
    message = _ADDRESS_OR_KEY.sub("…", message)
    return message if len(message) <= MAX_MESSAGE_CHARACTERS else message[: MAX_MESSAGE_CHARACTERS - 1] + "…"
