"""A fake provider that speaks OpenAI's wire format, and fails in every way that real ones do.

    with FakeOpenAI() as upstream:
        upstream.base_url                              # "http://127.0.0.1:<port>/v1"
        upstream.behaviour = Behaviour(die_after=3)    # until set otherwise
        upstream.requests[-1].body["max_tokens"]       # what it was sent

A request's markers are looked for in its prompt: last message, embedding input, image prompt.

It checks what it is sent, as strict servers do, and answers 400 where it is wrong.
"""

import asyncio
import base64
import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gateway.errors import ProviderFault
from tests.upstreams import openai_images, openai_responses
from tests.upstreams.contract import Contract, Failure
from tests.upstreams.openai_behaviour import Behaviour, Refusal
from tests.upstreams.openai_images import PNG
from tests.upstreams.server import FakeServer, Recorded

__all__ = ["PNG", "Behaviour", "FakeOpenAI", "vector_of"]


class FakeOpenAI(FakeServer[Behaviour]):
    """The server: a context manager. `api_key`, if given, is the only one it takes."""

    def __init__(self, *, api_key: str = "") -> None:
        super().__init__(Behaviour())
        self.api_key = api_key

    @property
    def base_url(self) -> str:
        return f"{self.origin}/v1"

    def prompt(self, recorded: Recorded) -> Any:
        messages = recorded.body.get("messages")
        if isinstance(messages, list) and messages:
            return messages[-1]
        if recorded.path.endswith("/responses") and isinstance(recorded.body.get("input"), list):
            return recorded.body["input"][-1]
        return recorded.body.get("input", recorded.body.get("prompt", ""))

    def fault_error(self, behaviour: Behaviour) -> dict[str, Any]:
        error = {
            "message": behaviour.message,
            "type": behaviour.error_type or "fake_error",
            "param": None,
            "code": behaviour.code or None,
        }
        return {"error": error}

    async def route(self, recorded: Recorded, behaviour: Behaviour, writer: asyncio.StreamWriter) -> bool:
        key = recorded.headers.get("authorization", "")
        if self.api_key and key != f"Bearer {self.api_key}":
            message = f"Incorrect API key provided: {key}. See {self.base_url}"
            raise Refusal(message, status=401, code="invalid_api_key")
        body = recorded.body
        answer: dict[str, Any]
        match recorded.path:
            case "/v1/chat/completions":
                _check_chat(body)
                if body.get("stream") and not behaviour.error_in_200:
                    chunks = iter(()) if behaviour.empty else _chunks(behaviour, body)
                    return await self.stream(writer, behaviour, chunks, done=not behaviour.no_done)
                answer = _completion(behaviour, body)
            case "/v1/embeddings":
                answer = _embeddings(behaviour, body)
            case "/v1/images/generations" | "/v1/images/edits":
                asked = openai_images.read(recorded)
                if asked.get("stream") and not behaviour.error_in_200:
                    return await self.stream(writer, behaviour, openai_images.events(behaviour, asked), named=True)
                answer = openai_images.answer(behaviour, asked)
            case "/v1/responses":
                openai_responses.check(body)
                if body.get("stream") and not behaviour.error_in_200:
                    return await self.stream(writer, behaviour, openai_responses.events(behaviour, body), named=True)
                answer = openai_responses.answer(behaviour, body)
            case "/v1/audio/transcriptions":
                _check_transcription(body, recorded)
                if _tells_json_alone(body):
                    behaviour = replace(behaviour, shape="openai", audio_tokens=True)
                if body.get("stream") == "true" and behaviour.shape != "whole" and not behaviour.error_in_200:
                    events = iter(()) if behaviour.empty else _transcript_events(behaviour, body)
                    done = behaviour.shape == "vllm" and not behaviour.no_done
                    return await self.stream(writer, behaviour, events, done=done)
                answer = _transcript(behaviour, body)
            case _:
                raise Refusal("Not Found", status=404, code="unknown_url")
        return await self.answer(writer, behaviour, self.fault_error(behaviour) if behaviour.error_in_200 else answer)


# --- Chat ----------------------------------------------------------------------------------------------------------

_CHAT_TYPES: dict[str, type | tuple[type, ...]] = {
    "model": str,
    "messages": list,
    "stream": bool,
    "stream_options": dict,
    "max_tokens": int,
    "max_completion_tokens": int,
    "n": int,
    "temperature": (int, float),
    "top_p": (int, float),
    "stop": (str, list),
    "tools": list,
    "tool_choice": (str, dict),
    "parallel_tool_calls": bool,
    "response_format": dict,
    "logprobs": bool,
    "top_logprobs": int,
    "seed": int,
    "user": str,
    "metadata": dict,
    "logit_bias": dict,
    "presence_penalty": (int, float),
    "frequency_penalty": (int, float),
    "reasoning_effort": str,
    "verbosity": str,
    "service_tier": str,
    "store": bool,
    "prompt_cache_key": str,
    "safety_identifier": str,
    "top_k": int,
    "chat_template_kwargs": dict,
}


def _check_chat(body: dict[str, Any]) -> None:
    for name, value in body.items():
        if name not in _CHAT_TYPES:
            raise Refusal(f"Unrecognized request argument supplied: {name}", code="unknown_parameter", param=name)
        if value is not None and not isinstance(value, _CHAT_TYPES[name]):
            raise Refusal(f"Invalid type for '{name}'", code="invalid_type", param=name)
    if not body.get("model") or not body.get("messages"):
        raise Refusal("`model` and `messages` are required", code="missing_required_parameter")
    for index, message in enumerate(body["messages"]):
        if message.get("role") not in {"system", "developer", "user", "assistant", "tool"}:
            raise Refusal("Invalid role", param=f"messages[{index}].role")
    if "max_tokens" in body and "max_completion_tokens" in body:
        raise Refusal("Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported")
    if "stream_options" in body and not body.get("stream"):
        raise Refusal("'stream_options' is only allowed when 'stream' is enabled", param="stream_options")
    model = body["model"]
    if model.endswith("-codex"):
        raise Refusal("This model is only supported in v1/responses and not in v1/chat/completions.", status=404)
    if model.startswith("gpt-5") and "max_tokens" in body:
        message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'."
        raise Refusal(message, code="unsupported_parameter", param="max_tokens")


def _usage(behaviour: Behaviour) -> dict[str, Any]:
    if behaviour.bad_usage:
        return {"prompt_tokens": -5, "completion_tokens": "many", "total_tokens": None}
    return {
        "prompt_tokens": behaviour.prompt_tokens,
        "completion_tokens": behaviour.completion_tokens,
        "total_tokens": behaviour.prompt_tokens + behaviour.completion_tokens,
        "prompt_tokens_details": {
            "cached_tokens": behaviour.cached_tokens,
            "cache_write_tokens": behaviour.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": behaviour.reasoning_tokens},
    }


def _tool_call(body: dict[str, Any]) -> dict[str, Any]:
    tools = body.get("tools") or [{"function": {"name": "look_up"}}]
    return {
        "id": "call_fake1",
        "type": "function",
        "function": {"name": tools[0]["function"]["name"], "arguments": '{"city": "Paris"}'},
    }


def _finish_reason(behaviour: Behaviour) -> str:
    if behaviour.filtered:
        return "content_filter"
    return "tool_calls" if behaviour.tool_call else behaviour.finish_reason


def _completion(behaviour: Behaviour, body: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": behaviour.reply}
    if behaviour.tool_call:
        message = {"role": "assistant", "content": None, "tool_calls": [_tool_call(body)]}
    if behaviour.filtered:
        message = {"role": "assistant", "content": None}
    reason = _finish_reason(behaviour)
    answer: dict[str, Any] = {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": body["model"],
        "choices": [
            {"index": index, "message": message, "logprobs": None, "finish_reason": reason}
            for index in range(body.get("n") or 1)
        ],
    }
    if behaviour.usage or behaviour.bad_usage:
        answer["usage"] = _usage(behaviour)
    return answer


def _chunks(behaviour: Behaviour, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    asked_usage = bool((body.get("stream_options") or {}).get("include_usage"))

    def chunk(choices: list[dict[str, Any]], usage: dict[str, Any] | None = None) -> dict[str, Any]:
        one: dict[str, Any] = {
            "id": "chatcmpl-fake",
            "object": "chat.completion.chunk",
            "created": 1_790_000_000,
            "model": body["model"],
            "choices": choices,
        }
        if asked_usage and behaviour.usage:
            one["usage"] = usage
        return one

    deltas: list[dict[str, Any]] = [] if behaviour.no_role else [{"role": "assistant", "content": ""}]
    if behaviour.tool_call:
        call = _tool_call(body)
        arguments = call["function"]["arguments"]
        opening = {**call, "index": 0, "function": {**call["function"], "arguments": ""}}
        deltas.append({"tool_calls": [opening]})
        for start in range(0, len(arguments), 5):
            part = {"index": 0, "function": {"arguments": arguments[start : start + 5]}}
            deltas.append({"tool_calls": [part]})
    elif not behaviour.filtered:
        words = behaviour.reply.split(" ")
        deltas += [{"content": word if index == 0 else f" {word}"} for index, word in enumerate(words)]
    choices = range(body.get("n") or 1)
    for delta in deltas:
        for index in choices:
            yield chunk([{"index": index, "delta": delta, "logprobs": None, "finish_reason": None}])
    reason = _finish_reason(behaviour)
    for index in choices:
        last = chunk([{"index": index, "delta": {}, "logprobs": None, "finish_reason": reason}])
        yield last | ({"usage": _usage(behaviour)} if behaviour.usage_on_chunks else {})
    if asked_usage and (behaviour.usage or behaviour.bad_usage):
        yield chunk([], _usage(behaviour))


# --- Embeddings ---------------------------------------------------------------------------------------------------


_DIMENSIONS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072}


def _embeddings(behaviour: Behaviour, body: dict[str, Any]) -> dict[str, Any]:
    inputs = body.get("input")
    if unknown := set(body) - {"model", "input", "encoding_format", "dimensions", "user"}:
        raise Refusal(f"Unrecognized request argument supplied: {min(unknown)}", param=min(unknown))
    if not body.get("model") or not inputs:
        raise Refusal("`model` and `input` are required", code="missing_required_parameter")
    inputs = inputs if isinstance(inputs, list) and not isinstance(inputs[0], int) else [inputs]
    most = _DIMENSIONS.get(body["model"])
    if len(inputs) > 2048:
        raise Refusal("'input' is too long", code="array_above_max_length", param="input")
    if (asked := body.get("dimensions")) is not None and most is not None and not 1 <= asked <= most:
        raise Refusal(f"Invalid value for 'dimensions' = {asked}. Must be at most {most}.", param="dimensions")
    size = asked or behaviour.dimensions
    data = []
    for index, one in enumerate(inputs[:-1] if behaviour.drop_vector else inputs):
        vector = vector_of(one, size)
        as_base64 = behaviour.base64 or body.get("encoding_format") == "base64"
        embedding = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode() if as_base64 else vector
        data.append({"object": "embedding", "index": index, "embedding": embedding})
    # Order is the index's to tell.
    answer: dict[str, Any] = {"object": "list", "data": data[::-1], "model": body["model"]}
    if behaviour.usage:
        answer["usage"] = {"prompt_tokens": behaviour.prompt_tokens, "total_tokens": behaviour.prompt_tokens}
    return answer


def vector_of(text: str | list[int], size: int) -> list[float]:
    """The embedding of a text: exact in 32 bits, so that both encodings tell the same."""
    seed = zlib.crc32(json.dumps(text).encode())
    return [((seed >> (index % 24)) & 0xFF) / 256 for index in range(size)]


# --- Transcriptions ------------------------------------------------------------------------------------------------

_TRANSCRIPTION_FIELDS = {
    *("model", "language", "prompt", "response_format", "temperature", "timestamp_granularities[]", "stream"),
    *("include[]", "chunking_strategy", "known_speaker_names[]", "known_speaker_references[]"),
}


def _check_transcription(body: dict[str, Any], recorded: Recorded) -> None:
    if unknown := set(body) - _TRANSCRIPTION_FIELDS:
        raise Refusal(f"Unknown parameter: '{min(unknown)}'.", code="unknown_parameter", param=min(unknown))
    if not body.get("model") or [name for name, _, _ in recorded.files] != ["file"]:
        raise Refusal("`model` and `file` are required", code="missing_required_parameter")
    if body.get("response_format", "json") not in {"json", "text", "srt", "verbose_json", "vtt"}:
        raise Refusal("Invalid response_format", param="response_format")
    granularities = body.get("timestamp_granularities[]", [])
    if not set(granularities) <= {"word", "segment"} or (granularities and body["response_format"] != "verbose_json"):
        raise Refusal("Invalid timestamp_granularities", param="timestamp_granularities[]")
    if not 0 <= float(body.get("temperature", 0)) <= 1:
        raise Refusal("Invalid temperature", param="temperature")
    if _tells_json_alone(body) and body.get("response_format", "json") != "json":
        message = f"response_format '{body['response_format']}' is not compatible with model '{body['model']}'."
        raise Refusal(message, code="unsupported_value", param="response_format")


def _tells_json_alone(body: dict[str, Any]) -> bool:
    """OpenAI's models since Whisper."""
    return body["model"].endswith("-transcribe")


def _segments(behaviour: Behaviour, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Two words a second, as Whisper tells them: with the space before the first."""
    words = behaviour.reply.split(" ")
    segments = []
    for second in range(-(-len(words) // 2)):
        pair = words[2 * second : 2 * second + 2]
        segment = {
            **{"id": second, "seek": 0, "start": float(second), "end": second + 1.0, "text": f" {' '.join(pair)}"},
            **{"tokens": [50364, second], "temperature": 0.0, "avg_logprob": -0.25},
            **{"compression_ratio": 1.5, "no_speech_prob": 0.01},
        }
        if "word" in body.get("timestamp_granularities[]", []):
            segment["words"] = [
                {"word": word, "start": second + place / 2, "end": second + place / 2 + 0.5}
                for place, word in enumerate(pair)
            ]
        segments.append(segment)
    return segments


def _transcript(behaviour: Behaviour, body: dict[str, Any]) -> dict[str, Any]:
    segments = _segments(behaviour, body)
    answer: dict[str, Any] = {"text": behaviour.reply}
    if body.get("response_format") == "verbose_json":
        words = [word for segment in segments for word in segment.pop("words", [])]
        answer |= {"task": "transcribe", "language": "english", "duration": segments[-1]["end"], "segments": segments}
        answer |= {"words": words} if words else {}
    if behaviour.usage:
        answer["usage"] = _transcript_usage(behaviour, segments)
    return answer


def _transcript_usage(behaviour: Behaviour, segments: list[dict[str, Any]]) -> dict[str, Any]:
    if behaviour.audio_tokens:
        details = {"audio_tokens": 45, "text_tokens": 5}
        return {
            **{"type": "tokens", "input_tokens": 50, "input_token_details": details},
            **{"output_tokens": 10, "total_tokens": 60},
        }
    return {"type": "duration", "seconds": segments[-1]["end"]}


def _transcript_events(behaviour: Behaviour, body: dict[str, Any]) -> Iterator[dict[str, Any] | str]:
    segments = _segments(behaviour, body)
    for number, segment in enumerate(segments):
        delta = segment["text"] if number else segment["text"].lstrip()
        verbose = {"task": "transcribe", "language": "en", "duration": "10.0", "text": delta, "segments": [segment]}
        match behaviour.shape:
            case "engine":
                yield {"type": "transcript.text.segment", **segment}
                yield {"type": "transcript.text.delta", "delta": delta}
            case "openai":
                yield {"type": "transcript.text.delta", "delta": delta}
            case "speaches":
                yield verbose
            case "speaches_json":
                yield {"text": delta.strip()}
            case "speaches_text":
                yield delta.strip()
            case "vllm":
                yield {"object": "transcription.chunk", "choices": [{"delta": {"content": delta}}]}
    if behaviour.shape in ("engine", "openai"):
        times = {"language": "english", "duration": segments[-1]["end"]} if behaviour.shape == "engine" else {}
        usage = {"usage": _transcript_usage(behaviour, segments)} if behaviour.usage else {}
        yield {"type": "transcript.text.done", "text": behaviour.reply, **times, **usage}
    if behaviour.shape == "vllm":
        yield {"object": "transcription.chunk", "choices": [{"delta": {"content": ""}, "finish_reason": "stop"}]}


# --- What all vendors' tests ask ------------------------------------------------------------------------------------


def _error(kind: ProviderFault, status: int, code: str = "", **behaviour: Any) -> Failure:
    """A row of OpenAI's guide: https://platform.openai.com/docs/guides/error-codes"""
    retry_after = float(behaviour["retry_after"]) if "retry_after" in behaviour else None
    return Failure(f"{status} {code}".strip(), kind, {"status": status, "code": code, **behaviour}, retry_after)


_ERRORS = (
    _error(ProviderFault.AUTH, 401, "invalid_api_key"),
    _error(ProviderFault.AUTH, 403, "unsupported_country_region_territory"),
    _error(ProviderFault.AUTH, 404, "model_not_found"),
    _error(ProviderFault.BAD_REQUEST, 400, "invalid_value"),
    _error(ProviderFault.RATE_LIMITED, 429, "rate_limit_exceeded", retry_after="7"),
    _error(ProviderFault.BALANCE, 429, "insufficient_quota", error_type="insufficient_quota"),
    _error(ProviderFault.BALANCE, 429, "credit_balance_exhausted", error_type="insufficient_quota"),
    _error(ProviderFault.BALANCE, 400, "billing_hard_limit_reached"),
    _error(ProviderFault.OVERLOADED, 500, "server_error", error_type="server_error"),
    _error(ProviderFault.OVERLOADED, 503, "server_is_overloaded"),
    _error(ProviderFault.OVERLOADED, 503, "slow_down"),
)
_CHAT_ERRORS = (
    *_ERRORS,
    _error(ProviderFault.CONTEXT_LENGTH, 400, "context_length_exceeded"),
    _error(ProviderFault.CONTENT_POLICY, 400, "content_policy_violation"),
    Failure("200 filtered away", ProviderFault.CONTENT_POLICY, {"filtered": True}),
)
CONTRACTS = (
    Contract("openai", "chat", "gpt-5.4", FakeOpenAI, _CHAT_ERRORS),
    Contract("openai", "embedding", "text-embedding-3-small", FakeOpenAI, _ERRORS),
    Contract(
        *("openai", "image", "gpt-image-2", FakeOpenAI),
        (
            *_ERRORS,
            _error(ProviderFault.CONTENT_POLICY, 400, "moderation_blocked", error_type="image_generation_user_error"),
            Failure("200 without a picture", ProviderFault.BROKEN, {"most_images": 0}),
        ),
    ),
    Contract("openai", "transcription", "gpt-transcribe", FakeOpenAI, _ERRORS),
)
