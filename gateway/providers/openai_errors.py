"""What an OpenAI-shaped server means by its errors, and how a vendor with words of its own says so.

Sources: OpenAI's guide to error codes (https://platform.openai.com/docs/guides/error-codes) and its SDK
(`types/responses/response_error.py`); llama.cpp `tools/server`; vLLM and SGLang `entrypoints/openai`;
text-embeddings-inference `router/src`.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec
from msgspec import Struct

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
            "invalid_prompt",  # a prompt that was flagged, in a response's words
            "bio_policy",
            "misalignment_policy_violation",
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
    # Pictures that a response could not read: it tells so without a status.
    **dict.fromkeys(
        (
            "empty_image_file",
            "failed_to_download_image",
            "image_file_not_found",
            "image_file_too_large",
            "image_parse_error",
            "image_too_large",
            "image_too_small",
            "invalid_base64_image",
            "invalid_image",
            "invalid_image_format",
            "invalid_image_mode",
            "invalid_image_url",
            "unsupported_image_media_type",
        ),
        ProviderFault.BAD_REQUEST,
    ),
    "invalid_api_key": ProviderFault.AUTH,
    "rate_limit_exceeded": ProviderFault.RATE_LIMITED,
    "backend": ProviderFault.BROKEN,  # text-embeddings-inference, with 424
}

# vLLM, SGLang, llama.cpp (embeddings) and text-embeddings-inference say it in words alone.
_CONTEXT_LENGTH = re.compile(
    r"maximum context length|maximum model length|longer than the model's context length|available context size"
    r"|too large to process\. increase the physical batch size|must have less than \d+ tokens",
    re.IGNORECASE,
)

# The same for a status. A 404 or 405 of a server of one's own is the operator's trouble: the path and the model's name
# are ours, not the caller's. What it is of a vendor, `of_vendor` says.
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

# By which a vendor's 403 or 404 says that it is our key or the model that we asked for, and not something that a
# client's request names, such as a file. They are held against the whole `code` or `type`, and against the beginning of
# the message: further on it may repeat what the client wrote.
_OF_OUR_KEY_IN_WORDS = re.compile(
    r"invalid_api_key|model_not_found|model_not_available|model_not_supported|unknown_url|missing_scope"
    r"|insufficient_permissions|access_terminated|account_deactivated|ip_not_authorized"
    r"|unsupported_country_region_territory"
)
_OF_OUR_KEY_IN_MESSAGE = re.compile(
    r"(the|this) (requested )?model\b|this is not a chat model|(your )?(organization|account|project|api key)\b"
    r"|incorrect api key|you have insufficient permissions|you do not have access to (the |this )?model"
    r"|country, region, or territory",
    re.IGNORECASE,
)

_NOT_THERE_OR_NOT_OURS = frozenset({403, 404, 405})
# Whatever was sent: of the key, the account, and how busy the vendor is.
_OF_NO_REQUEST = frozenset({401, 402, 408, 429})

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
    if kind is None:
        others = ProviderFault.BAD_REQUEST if 400 <= (status or 500) < 500 else ProviderFault.BROKEN
        kind = _FAULT_OF_STATUS.get(status or 500, others)
    return ProviderError(kind, clean(message, secrets), status=status, retry_after=retry_after, param=param)


def find_error(answer: Any, *, secrets: Sequence[str] = ()) -> ProviderError | None:
    """The error that came with a 200, whole or as an event of a stream, if `answer` is one."""
    if isinstance(answer, dict) and (answer.get("error") or answer.get("object") == "error"):
        return classify_error(answer, secrets=secrets)
    return None


def classify_of_vendor(
    status: int, body: bytes, headers: Mapping[bytes, bytes], *, secrets: Sequence[str] = ()
) -> ProviderError:
    """`classify`, of a vendor that all clients share."""
    error = classify(status, body, headers, secrets=secrets)
    try:
        return of_vendor(error, msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        # A firewall before the vendor may have disliked this one request.
        error.of_this_request = 400 <= status < 500 and status not in _OF_NO_REQUEST
        return error


def of_vendor(error: ProviderError, answer: Any) -> ProviderError:
    """`error`, of which `answer` tells, where a vendor sent it: a 403 or 404 is the client's unless it says otherwise.

    The path is right and the key is good for others' requests, so that it is mostly something in this request that is
    not there or not ours: a file, an item, a tool.
    """
    if error.kind is ProviderFault.AUTH and error.status in _NOT_THERE_OR_NOT_OURS and not _is_of_our_key(answer):
        error.kind = ProviderFault.BAD_REQUEST
    return error


def _is_of_our_key(answer: Any) -> bool:
    message, words, param, _ = _read(answer)
    if param not in (None, "model"):
        return False
    return any(map(_OF_OUR_KEY_IN_WORDS.fullmatch, words)) or bool(_OF_OUR_KEY_IN_MESSAGE.match(message))


class ErrorReader(Struct, frozen=True):
    """How a server's errors are read. The defaults are those of one's own servers, which speak as OpenAI does.

    `classify(status, body, headers, *, secrets)` is asked about an answer whose status is not 200. `find(answer, *,
    secrets)` is asked about the JSON of every 200, and of an event that is no piece of an answer; None where it is no
    error. Messages go through `clean`: clients see some of them.
    """

    classify: Callable[..., ProviderError] = classify
    find: Callable[..., ProviderError | None] = find_error


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
    except (ValueError, OverflowError):  # the latter of a year that is no number for a machine
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


def clean(message: str, secrets: Sequence[str]) -> str:
    """A provider's message without addresses, keys and `secrets`, and no longer than is sensible."""
    for secret in secrets:
        if secret:
            message = message.replace(secret, "…")
    message = _ADDRESS_OR_KEY.sub("…", message)
    return message if len(message) <= MAX_MESSAGE_CHARACTERS else message[: MAX_MESSAGE_CHARACTERS - 1] + "…"
