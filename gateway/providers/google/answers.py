"""What an answer of `generateContent` holds. A refusal is one of those, with the status 200.

Source: https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse, and `types.py` of the SDK
(https://github.com/googleapis/python-genai), which lists more reasons than the page.
"""

from typing import Any

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.base import Deployment
from gateway.providers.openai_errors import clean
from gateway.tokens import read_usage
from gateway.types import Usage

_FINE = frozenset({"STOP", "MAX_TOKENS"})
# Of the other reasons to end, these say nothing against the content: the model went wrong.
_WENT_WRONG = frozenset(
    {
        *("FINISH_REASON_UNSPECIFIED", "MALFORMED_RESPONSE", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"),
        *("TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE", "CONTINUATION"),
    }
)
# The account is limited for what it asked for before.
_OUR_ACCOUNT = "PUP_LIMITED_DISABLED"


def read_parts(deployment: Deployment, answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of the answer, without the model's thoughts. Raises `ProviderError` for a refusal."""
    feedback = answer.get("promptFeedback")
    if isinstance(feedback, dict) and (reason := feedback.get("blockReason")):
        raise _refusal(deployment, f"the prompt was blocked ({reason})", feedback.get("blockReasonMessage"))
    candidates = answer.get("candidates")
    if not isinstance(candidates, list) or not candidates or not isinstance(candidates[0], dict):
        raise ProviderError(ProviderFault.BROKEN, "an answer without candidates", status=200, of_this_request=True)
    _check_reason(deployment, candidates[0])
    content = candidates[0].get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    return [part for part in parts or () if isinstance(part, dict) and not part.get("thought")]


def read_tokens(answer: dict[str, Any]) -> Usage:
    """What the answer consumed; nothing, not reported, where it tells nothing. Thoughts are output."""
    usage = answer.get("usageMetadata")
    if not isinstance(usage, dict):
        return Usage(reported=False)

    def total(*names: str) -> int:
        return sum(count for name in names if type(count := usage.get(name)) is int)

    return read_usage(
        {
            "prompt_tokens": total("promptTokenCount", "toolUsePromptTokenCount"),
            "completion_tokens": total("candidatesTokenCount", "thoughtsTokenCount"),
            "prompt_tokens_details": {
                "cached_tokens": total("cachedContentTokenCount"),
                "audio_tokens": _of_modality(usage.get("promptTokensDetails"), "AUDIO"),
                "image_tokens": _of_modality(usage.get("promptTokensDetails"), "IMAGE"),
            },
            "completion_tokens_details": {
                "reasoning_tokens": total("thoughtsTokenCount"),
                "image_tokens": _of_modality(usage.get("candidatesTokensDetails"), "IMAGE"),
            },
        }
    ) or Usage(reported=False)


def _of_modality(details: Any, modality: str) -> int:
    """Of a list such as `[{"modality": "IMAGE", "tokenCount": 1120}]`."""
    rows = [row for row in details if isinstance(row, dict)] if isinstance(details, list) else []
    counts = [row.get("tokenCount") for row in rows if row.get("modality") == modality]
    return sum(count for count in counts if type(count) is int)


def _check_reason(deployment: Deployment, candidate: dict[str, Any]) -> None:
    reason = candidate.get("finishReason") or "STOP"
    if reason in _FINE:
        return
    if reason in _WENT_WRONG:
        raise ProviderError(ProviderFault.BROKEN, f"the model ended with {reason}", status=200, of_this_request=True)
    if reason == _OUR_ACCOUNT:
        raise ProviderError(ProviderFault.AUTH, f"the account is limited ({reason})", status=200)
    raise _refusal(deployment, f"the answer was withheld ({reason})", candidate.get("finishMessage"))


def _refusal(deployment: Deployment, what: str, why: Any) -> ProviderError:
    message = f"{what}: {why}" if isinstance(why, str) and why else f"{what}."
    return ProviderError(ProviderFault.CONTENT_POLICY, clean(message, [deployment.api_key]), status=200)
