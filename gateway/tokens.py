"""How many tokens a call used: what its provider reports, within what its model can do."""

from collections.abc import Mapping
from typing import Any, TypeGuard

from msgspec.structs import replace

from gateway.catalog.schema import ChatSpec
from gateway.types import ChatRequest, Usage

# A context is at most a few million tokens: a larger count is the server's mistake.
_MOST_TOKENS = 100_000_000

# The parts of a total, each by its names in OpenAI's `…_details`.
_INPUT_PARTS = {
    "cached_tokens": "cached_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "input_audio_tokens": "audio_tokens",
    "input_image_tokens": "image_tokens",
}
_OUTPUT_PARTS = {
    "reasoning_tokens": "reasoning_tokens",
    "output_audio_tokens": "audio_tokens",
    "output_image_tokens": "image_tokens",
}


def read_usage(usage: Any) -> Usage | None:
    """OpenAI's `usage` object as our type, in the words of chats (`prompt_tokens`) or of its newer APIs
    (`input_tokens`); None where it is missing, or cannot be true.

    Its details overlap (a picture that was read from the cache is in two of them), and servers put more into a detail
    than into its total. Each token is counted once: as cached before anything else, and never beyond the total.
    """
    if not isinstance(usage, dict):
        return None
    prompt = usage.get("prompt_tokens", usage.get("input_tokens"))
    completion = usage.get("completion_tokens", usage.get("output_tokens", 0))
    if not _is_count(prompt) or not _is_count(completion) or prompt + completion == 0:
        return None
    hidden = 0
    if _is_count(total := usage.get("total_tokens")):
        # Gemini's and xAI's compatible endpoints leave thoughts out of the completion, and bill them as a part of it.
        hidden = max(0, total - prompt - completion)
        completion += hidden
    read = _first(usage, "prompt_tokens_details", "input_tokens_details", "input_token_details")
    written = _first(usage, "completion_tokens_details", "output_tokens_details", "output_token_details")
    if not (read or written or hidden):
        return Usage(prompt, completion)
    parts = _within(prompt, {ours: read.get(theirs) for ours, theirs in _INPUT_PARTS.items()})
    told = {ours: written.get(theirs) for ours, theirs in _OUTPUT_PARTS.items()}
    reasoning = told["reasoning_tokens"]
    told["reasoning_tokens"] = max(hidden, reasoning) if _is_count(reasoning) else hidden
    return replace(Usage(prompt, completion), **parts, **_within(completion, told))


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
    read, written = min(usage.input_tokens, most_input), min(usage.output_tokens, most_output)
    return replace(
        usage,
        input_tokens=read,
        output_tokens=written,
        **_within(read, {name: getattr(usage, name) for name in _INPUT_PARTS}),
        **_within(written, {name: getattr(usage, name) for name in _OUTPUT_PARTS}),
    )


def _within(total: int, claims: Mapping[str, Any]) -> dict[str, int]:
    """The parts that are claimed of `total`, each at most what those before it leave."""
    parts = {}
    for name, claimed in claims.items():
        parts[name] = min(claimed, total) if _is_count(claimed) else 0
        total -= parts[name]
    return parts


def _first(usage: dict[str, Any], *names: str) -> dict[str, Any]:
    """The first of these details that is there."""
    return next((details for name in names if isinstance(details := usage.get(name), dict)), {})


def _is_count(value: Any) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= _MOST_TOKENS
