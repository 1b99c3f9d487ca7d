"""How many tokens a call used: what its provider reports, within what its model can do."""

from typing import Any, TypeGuard

from msgspec.structs import replace

from gateway.catalog.schema import ChatSpec
from gateway.types import ChatRequest, Usage

# A context is at most a few million tokens: a larger count is the server's mistake.
_MOST_TOKENS = 100_000_000


def read_usage(usage: Any) -> Usage | None:
    """OpenAI's `usage` object as our type; None where it is missing, or cannot be true."""
    if not isinstance(usage, dict):
        return None
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens", 0)
    if not _is_count(prompt) or not _is_count(completion) or prompt + completion == 0:
        return None
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    return Usage(prompt, completion, min(cached, prompt) if _is_count(cached) else 0)


def count_choices(reported: Usage, estimated_output: int) -> Usage:
    """`reported` for several answers to one prompt: llama.cpp counts the tokens of one of them.

    Our estimate is a third above what a model counts. Where it is twice the report, the report leaves answers out, and
    three quarters of the estimate take its place.
    """
    if estimated_output <= 2 * reported.output_tokens:
        return reported
    return replace(reported, output_tokens=estimated_output * 3 // 4)


def within_limits(usage: Usage, spec: ChatSpec, request: ChatRequest) -> Usage:
    """`usage`, but no more than a model with these limits can have read and written for `request`.

    Nobody pays for a count that cannot be.
    """
    most_input = max(spec.context, request.input_tokens)
    most_output = spec.max_output * request.n
    if usage.input_tokens <= most_input and usage.output_tokens <= most_output:
        return usage
    return replace(
        usage,
        input_tokens=min(usage.input_tokens, most_input),
        output_tokens=min(usage.output_tokens, most_output),
        cached_tokens=min(usage.cached_tokens, most_input),
    )


def _is_count(value: Any) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= _MOST_TOKENS
