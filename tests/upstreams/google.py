"""A fake of Google's Gemini API: https://ai.google.dev/api

It checks what it is sent as Google's servers do, which know no field that is not in their schema, and answers in
Google's shapes: `generateContent` (pictures, transcripts), `batchEmbedContents`, chat in OpenAI's, and interactions
(clips, see google_videos.py).
"""

import asyncio
import base64
import binascii
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.errors import ProviderFault
from tests.upstreams import google_videos, server
from tests.upstreams.contract import Contract, Failure, png
from tests.upstreams.server import FakeServer, Faults, Recorded


@dataclass
class Behaviour(Faults, google_videos.VideoBehaviour):
    """How to answer. The defaults are those of a provider in good health."""

    reply: str = "one two three four five six seven eight nine ten"
    usage: bool = True
    # A refusal, by the prompt or by the answer; of a chat, by its answer.
    block_reason: str = ""
    finish_reason: str = "STOP"
    finish_message: str = ""
    withheld_after: int = -1  # chunks of a chat's stream
    tool_call: bool = False  # calls the first tool offered
    thoughts: int = 0  # tokens
    # A picture: drafts that were thought before it; words in its stead; nothing at all. How it is written.
    drafts: int = 0
    words: str = ""
    no_picture: bool = False
    url_safe: bool = False
    snake_case: bool = False
    mime: str = "image/png"
    # A transcript's parts repeat their text, or carry it there alone.
    plain_text: bool = False
    drop_vector: bool = False
    # Of an error: its `status` in words is `code`; an ErrorInfo, a RetryInfo; the shape of OpenAI-like endpoints.
    reason: str = ""
    retry_delay: str = ""
    as_list: bool = False


class Refusal(server.Refusal):
    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        word: str = "INVALID_ARGUMENT",
        reason: str = "",
        as_list: bool = False,
    ) -> None:
        super().__init__(status, error_body(status, word, message, reason=reason, as_list=as_list))


def error_body(
    status: int, word: str, message: str, *, reason: str = "", retry_delay: str = "", as_list: bool = False
) -> Any:
    details: list[dict[str, Any]] = []
    if reason:
        details.append(
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": reason,
                "domain": "googleapis.com",
                "metadata": {"service": "generativelanguage.googleapis.com"},
            }
        )
    if retry_delay:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": retry_delay})
    error: dict[str, Any] = {"code": status, "message": message, "status": word}
    body = {"error": error | ({"details": details} if details else {})}
    return [body] if as_list else body


# --- What the models take ------------------------------------------------------------------------------------------

TEN_RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
RATIOS = (*TEN_RATIOS, "1:4", "4:1", "1:8", "8:1")
# Name -> classes of size, ratios, pictures that it takes.
IMAGE_MODELS: dict[str, tuple[Collection[str], Collection[str], int]] = {
    "gemini-2.5-flash-image": ((), TEN_RATIOS, 3),
    "gemini-3.1-flash-image": (("512", "1K", "2K", "4K"), RATIOS, 14),
    "gemini-nano-banana-2.1": (("1K", "2K", "4K"), RATIOS, 14),
    "gemini-3.1-flash-lite-image": ((), TEN_RATIOS, 3),
    "gemini-3-pro-image": (("1K", "2K", "4K"), TEN_RATIOS, 14),
}
TRANSCRIPTION_MODELS = ("gemini-3.5-transcribe",)
EMBEDDING_MODELS = ("gemini-embedding-2", "gemini-embedding-001")
CHAT_MODELS = ("gemini-3.8-flash", "gemini-3.1-pro-preview")
DIMENSIONS = 3072

IMAGE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/heic", "image/heif")
AUDIO_TYPES = (
    *("audio/wav", "audio/mp3", "audio/mpeg", "audio/aiff", "audio/aac", "audio/ogg", "audio/flac", "audio/m4a"),
    *("audio/mp4", "audio/webm"),
)
CONTENT_FIELDS = ("contents", "generationConfig", "safetySettings", "systemInstruction", "tools", "toolConfig")
CONFIG_FIELDS = (
    *("responseModalities", "imageConfig", "audioTranscriptionConfig", "temperature", "topP", "topK", "candidateCount"),
    *("maxOutputTokens", "stopSequences", "seed", "thinkingConfig", "responseMimeType", "responseSchema"),
)
TRANSCRIPTION_FIELDS = {
    "languageCodes": list,
    "customVocabulary": list,
    "wordTimestamp": bool,
    "diarization": bool,
    "mode": str,
}
EMBED_FIELDS = ("model", "content", "taskType", "title", "outputDimensionality")
CHAT_FIELDS = (
    *("model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n", "temperature"),
    *("top_p", "stop", "tools", "tool_choice", "response_format", "reasoning_effort", "extra_body"),
)


def check_fields(value: Any, known: Collection[str], where: str = "", *, as_list: bool = False) -> None:
    at = f" at '{where}'" if where else ""
    if not isinstance(value, dict):
        raise Refusal(f"Invalid value{at} (an object is expected)", as_list=as_list)
    for name in value:
        if name not in known:
            raise Refusal(
                f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.', as_list=as_list
            )


def check_parts(content: Any, where: str, types: Collection[str]) -> list[dict[str, Any]]:
    """The parts of a `Content`, each of which is a text or a blob."""
    check_fields(content, ("role", "parts"), where)
    if content.get("role", "user") not in ("user", "model"):
        raise Refusal("Please use a valid role: user, model.")
    parts = content.get("parts")
    if not isinstance(parts, list) or not parts:
        raise Refusal(f"* GenerateContentRequest.{where}.parts: contents.parts must not be empty.")
    for index, part in enumerate(parts):
        at = f"{where}.parts[{index}]"
        check_fields(part, ("text", "inlineData", "fileData", "thoughtSignature"), at)
        if len({"text", "inlineData", "fileData"} & part.keys()) != 1:
            raise Refusal(
                f"* GenerateContentRequest.{at}.data: required oneof field 'data' must have one initialized field"
            )
        if "text" in part and not isinstance(part["text"], str):
            raise Refusal(f"Invalid value at '{at}.text' (TYPE_STRING)")
        if "inlineData" in part:
            check_blob(part["inlineData"], f"{at}.inline_data", types)
    return parts


def check_blob(blob: Any, where: str, types: Collection[str]) -> None:
    check_fields(blob, ("mimeType", "mime_type", "data"), where)
    mime = blob.get("mimeType", blob.get("mime_type"))
    if mime not in types:
        raise Refusal(f"Unsupported MIME type: {mime}")
    try:
        base64.b64decode(blob.get("data"), validate=True)
    except (TypeError, binascii.Error):
        start = str(blob.get("data"))[:20]
        message = f"Invalid value at '{where}.data' (TYPE_BYTES), Base64 decoding failed for \"{start}\""
        raise Refusal(message) from None


def check_content(body: dict[str, Any], types: Collection[str]) -> list[dict[str, Any]]:
    """All parts of a `generateContent` request."""
    check_fields(body, CONTENT_FIELDS)
    contents = body.get("contents")
    if not isinstance(contents, list) or not contents:
        raise Refusal("* GenerateContentRequest.contents: contents is not specified")
    parts = [part for index, one in enumerate(contents) for part in check_parts(one, f"contents[{index}]", types)]
    check_fields(body.get("generationConfig", {}), CONFIG_FIELDS, "generation_config")
    return parts


def check_picture(model: str, body: dict[str, Any]) -> None:
    sizes, ratios, most = IMAGE_MODELS[model]
    parts = check_content(body, IMAGE_TYPES)
    if sum("inlineData" in part for part in parts) > most:
        raise Refusal(f"The model supports at most {most} input images.")
    if not any(part.get("text") for part in parts):
        raise Refusal("Unable to show the generated image: there is no prompt.")
    config = body.get("generationConfig", {})
    if not set(config.get("responseModalities", [])) <= {"TEXT", "IMAGE"}:
        raise Refusal("The requested combination of response modalities is not supported by the model.")
    if config.get("candidateCount", 1) != 1:
        raise Refusal("Multiple candidates is not enabled for this model")
    asked = config.get("imageConfig", {})
    check_fields(asked, ("aspectRatio", "imageSize"), "generation_config.image_config")
    if asked.get("aspectRatio", "1:1") not in ratios:
        raise Refusal(f"aspect_ratio must be one of {', '.join(ratios)}.")
    if "imageSize" in asked and asked["imageSize"] not in sizes:
        raise Refusal(f"image_size must be one of {', '.join(sizes) or 'none'}.")


def check_recording(body: dict[str, Any]) -> None:
    parts = check_content(body, AUDIO_TYPES)
    if [list(part) for part in parts] != [["inlineData"]]:
        raise Refusal("The model transcribes one audio part and takes no text.")
    config = body.get("generationConfig", {})
    asked = config.get("audioTranscriptionConfig")
    check_fields(asked, TRANSCRIPTION_FIELDS, "generation_config.audio_transcription_config")
    for name, value in asked.items():
        if not isinstance(value, TRANSCRIPTION_FIELDS[name]):
            raise Refusal(f"Invalid value at 'generation_config.audio_transcription_config.{name}'")
    if asked.get("mode", "VERBATIM") not in ("VERBATIM", "SMART"):
        raise Refusal("Invalid value at 'generation_config.audio_transcription_config.mode'")
    if asked.get("customVocabulary") and (asked.get("wordTimestamp") or asked.get("diarization")):
        raise Refusal("custom_vocabulary is incompatible with word_timestamp and diarization.")


def check_embeddings(model: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    check_fields(body, ("requests",))
    requests = body.get("requests")
    if not isinstance(requests, list) or not requests:
        raise Refusal("* BatchEmbedContentsRequest.requests: requests is not specified")
    if len(requests) > 100:
        raise Refusal("* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch")
    for index, one in enumerate(requests):
        where = f"requests[{index}]"
        check_fields(one, EMBED_FIELDS, where)
        if one.get("model") != f"models/{model}":
            raise Refusal(f"* BatchEmbedContentsRequest.{where}.model: must match the model of the request")
        if not all(part.get("text") for part in check_parts(one.get("content"), f"{where}.content", ())):
            raise Refusal("The text content is empty.")
        size = one.get("outputDimensionality", DIMENSIONS)
        if type(size) is not int or not 1 <= size <= DIMENSIONS:
            raise Refusal(f"* BatchEmbedContentsRequest.{where}.output_dimensionality: must be in 1..{DIMENSIONS}")
    return requests


def check_chat(body: dict[str, Any]) -> None:
    check_fields(body, CHAT_FIELDS, as_list=True)
    if body.get("model") not in CHAT_MODELS:
        raise Refusal(f"models/{body.get('model')} is not found", status=404, word="NOT_FOUND", as_list=True)
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refusal("contents is not specified", as_list=True)
    if body.get("reasoning_effort") not in (None, "none", "minimal", "low", "medium", "high"):
        raise Refusal("Invalid reasoning_effort", as_list=True)
    if "max_tokens" in body and "max_completion_tokens" in body:
        raise Refusal("max_tokens and max_completion_tokens are the same", as_list=True)


# --- The server ----------------------------------------------------------------------------------------------------


class FakeGoogle(FakeServer[Behaviour]):
    """The server. `api_key` is the only key that it takes."""

    def __init__(self, *, api_key: str) -> None:
        super().__init__(Behaviour())
        self.api_key = api_key
        self.interactions = google_videos.Interactions()

    @property
    def base_url(self) -> str:
        return f"{self.origin}/v1beta"

    def fault_error(self, behaviour: Behaviour) -> Any:
        # Worse than Google, which repeats neither: none of it may come through.
        message = f"{behaviour.message} ({self.base_url} with {self.api_key})"
        return error_body(
            behaviour.status if behaviour.status != 200 else 500,
            behaviour.code or "INTERNAL",
            message,
            reason=behaviour.reason,
            retry_delay=behaviour.retry_delay,
            as_list=behaviour.as_list,
        )

    async def route(self, recorded: Recorded, behaviour: Behaviour, writer: asyncio.StreamWriter) -> bool:
        body = recorded.body
        if recorded.path == "/v1beta/openai/chat/completions":
            self._check_key(recorded.headers.get("authorization", "").removeprefix("Bearer "), as_list=True)
            check_chat(body)
            if body.get("stream"):
                return await self.stream(writer, behaviour, chunks(behaviour, body), done=True)
            return await self.answer(writer, behaviour, completion(behaviour, body))
        if "authorization" in recorded.headers:
            raise Refusal("Expected OAuth 2 access token", status=401, word="UNAUTHENTICATED")
        self._check_key(recorded.headers.get("x-goog-api-key", ""))
        if recorded.path.startswith(("/v1beta/interactions", "/v1beta/files/")):
            return await self._serve_videos(recorded, behaviour, writer)
        model, _, method = recorded.path.removeprefix("/v1beta/models/").partition(":")
        if model in IMAGE_MODELS and method == "generateContent":
            check_picture(model, body)
            return await self.answer(writer, behaviour, picture(behaviour, model))
        if model in TRANSCRIPTION_MODELS and method == "generateContent":
            check_recording(body)
            return await self.answer(writer, behaviour, transcript(behaviour, model))
        if model in TRANSCRIPTION_MODELS and method == "streamGenerateContent" and recorded.query == {"alt": "sse"}:
            check_recording(body)
            return await self.stream(writer, behaviour, transcript_events(behaviour, model))
        if model in EMBEDDING_MODELS and method == "batchEmbedContents":
            return await self.answer(writer, behaviour, embeddings(behaviour, check_embeddings(model, body)))
        message = f"models/{model} is not found for API version v1beta, or is not supported for {method}."
        raise Refusal(message, status=404, word="NOT_FOUND")

    async def _serve_videos(self, recorded: Recorded, behaviour: Behaviour, writer: asyncio.StreamWriter) -> bool:
        collection, _, name = recorded.path.removeprefix("/v1beta/").partition("/")
        name, _, verb = name.replace(":", "/").partition("/")
        content_type = "application/json"
        answer: Any = None
        try:
            match recorded.method, collection, verb:
                case "POST", "interactions", "" if not name:
                    answer = self.interactions.create(recorded.body)
                case "GET", "interactions", "":
                    answer = self.interactions.look(name, behaviour, self.origin)
                case "POST", "interactions", "cancel":
                    answer = self.interactions.cancel(name)
                case "GET", "files", "":
                    answer = self.interactions.file(name, behaviour)
                case "GET", "files", "download" if recorded.query == {"alt": "media"}:
                    answer, content_type = self.interactions.download(name), "video/mp4"
        except google_videos.Invalid as error:
            raise Refusal(str(error)) from None
        if answer is None:
            raise Refusal("Requested entity was not found.", status=404, word="NOT_FOUND")
        return await self.answer(writer, behaviour, answer, content_type=content_type)

    def _check_key(self, key: str, *, as_list: bool = False) -> None:
        if not key:
            message = "Method doesn't allow unregistered callers. Please use API Key."
            raise Refusal(message, status=403, word="PERMISSION_DENIED", as_list=as_list)
        if key != self.api_key:
            message = f"API key not valid. Please pass a valid API key, not {key}."
            raise Refusal(message, reason="API_KEY_INVALID", as_list=as_list)


# --- Answers -------------------------------------------------------------------------------------------------------


def content_answer(
    behaviour: Behaviour, model: str, parts: list[dict[str, Any]], *, last: bool = True
) -> dict[str, Any]:
    """A `GenerateContentResponse`."""
    answer: dict[str, Any] = {"modelVersion": model, "responseId": "fake-response"}
    if behaviour.usage:
        modalities = [{"modality": "IMAGE", "tokenCount": 10}]
        answer["usageMetadata"] = {
            "promptTokenCount": 11,
            "candidatesTokenCount": 10,
            "thoughtsTokenCount": behaviour.thoughts,
            "totalTokenCount": 21 + behaviour.thoughts,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 11}],
            "candidatesTokensDetails": modalities if model in IMAGE_MODELS else [],
        }
    if behaviour.block_reason:
        return answer | {"promptFeedback": {"blockReason": behaviour.block_reason}}  # and no candidates
    candidate: dict[str, Any] = {"index": 0}
    if behaviour.finish_reason in ("STOP", "MAX_TOKENS"):
        candidate["content"] = {"role": "model", "parts": parts} if parts else {"role": "model"}
    if last:
        candidate["finishReason"] = behaviour.finish_reason
    if behaviour.finish_message:
        candidate["finishMessage"] = behaviour.finish_message
    return answer | {"candidates": [candidate]}


FINISHED, DRAFT = png(8, 8), png(4, 4)


def picture(behaviour: Behaviour, model: str) -> dict[str, Any]:
    if behaviour.no_picture or behaviour.words:
        return content_answer(behaviour, model, [{"text": behaviour.words}] if behaviour.words else [])
    parts: list[dict[str, Any]] = [{**blob(DRAFT, behaviour), "thought": True} for _ in range(behaviour.drafts)]
    parts += [{"text": "Here it is."}]
    parts += [blob(DRAFT, behaviour)] if behaviour.drafts else []
    parts += [blob(FINISHED, behaviour), {"thought": True, "text": "It looks good."}]
    return content_answer(behaviour, model, parts)


def blob(data: bytes, behaviour: Behaviour) -> dict[str, Any]:
    encoded = base64.urlsafe_b64encode(data).rstrip(b"=") if behaviour.url_safe else base64.b64encode(data)
    if behaviour.snake_case:
        return {"inline_data": {"mime_type": behaviour.mime, "data": encoded.decode()}}
    return {"inlineData": {"mimeType": behaviour.mime, "data": encoded.decode()}}


def spoken(behaviour: Behaviour) -> list[dict[str, Any]]:
    """The reply in parts of five words, each a turn."""
    words = behaviour.reply.split()
    turns = [" ".join(words[start : start + 5]) for start in range(0, len(words), 5)]
    if behaviour.plain_text:
        return [{"text": turn} for turn in turns]
    return [{"audioTranscription": {"text": turn, "languageCode": "en-US"}} for turn in turns]


def transcript(behaviour: Behaviour, model: str) -> dict[str, Any]:
    return content_answer(behaviour, model, spoken(behaviour))


def transcript_events(behaviour: Behaviour, model: str) -> Iterator[dict[str, Any]]:
    parts = spoken(behaviour)
    for number, part in enumerate(parts, 1):
        yield content_answer(behaviour, model, [part], last=number == len(parts))


def vector_of(text: str, size: int) -> list[float]:
    """Exact in 32 bits, and not of length 1."""
    seed = zlib.crc32(text.encode())
    return [((seed >> (index % 24)) & 0xFF) / 256 for index in range(size)]


def embeddings(behaviour: Behaviour, requests: list[dict[str, Any]]) -> dict[str, Any]:
    rows = [
        {"values": vector_of(one["content"]["parts"][0]["text"], one.get("outputDimensionality", DIMENSIONS))}
        for one in requests
    ]
    answer: dict[str, Any] = {"embeddings": rows[:-1] if behaviour.drop_vector else rows}
    if behaviour.usage:
        answer["usageMetadata"] = {"promptTokenCount": 3 * len(rows)}
    return answer


def chat_usage(behaviour: Behaviour) -> dict[str, Any]:
    """Thoughts are in the total alone."""
    return {"prompt_tokens": 11, "completion_tokens": 10, "total_tokens": 21 + behaviour.thoughts}


def tool_call(body: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": body["tools"][0]["function"]["name"], "arguments": '{"city":"Paris"}'}
    return {"id": "function-call-1", "type": "function", "function": function}


def completion(behaviour: Behaviour, body: Mapping[str, Any]) -> dict[str, Any]:
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
    if behaviour.tool_call:
        choice["message"] = {"role": "assistant", "tool_calls": [tool_call(body)]}
        choice["finish_reason"] = "tool_calls"
    elif behaviour.finish_reason == "STOP":
        choice["message"] = {"role": "assistant", "content": behaviour.reply}
    else:
        choice["finish_reason"] = f"content_filter: {behaviour.finish_reason}"
        if behaviour.withheld_after >= 0:
            choice["message"] = {"role": "assistant", "content": "one"}
    answer = {"id": "fake", "object": "chat.completion", "created": 1_790_000_000, "model": body["model"]}
    return answer | {"choices": [choice]} | ({"usage": chat_usage(behaviour)} if behaviour.usage else {})


def chunks(behaviour: Behaviour, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    opening = {"id": "fake", "object": "chat.completion.chunk", "created": 1_790_000_000, "model": body["model"]}
    deltas: list[dict[str, Any]] = [{"content": f"{word} "} for word in behaviour.reply.split()]
    if behaviour.tool_call:
        deltas = [{"tool_calls": [{**tool_call(body), "index": 0}]}]
    withheld = behaviour.finish_reason != "STOP"
    for number, delta in enumerate(deltas):
        if withheld and number >= max(0, behaviour.withheld_after):
            break
        yield {**opening, "choices": [{"index": 0, "delta": {"role": "assistant", **delta}}]}
    end: dict[str, Any] = {"index": 0, "finish_reason": "tool_calls" if behaviour.tool_call else "stop"}
    if withheld:
        end["finish_reason"] = f"content_filter: {behaviour.finish_reason}"
    else:
        end["delta"] = {"role": "assistant"}
    last = {**opening, "choices": [end]}
    if behaviour.usage and (body.get("stream_options") or {}).get("include_usage"):
        last["usage"] = chat_usage(behaviour)
    yield last


# --- What it is tested for -----------------------------------------------------------------------------------------


def _errors(*, as_list: bool) -> tuple[Failure, ...]:
    """https://ai.google.dev/gemini-api/docs/troubleshooting"""
    fault = ProviderFault
    rows: tuple[tuple[ProviderFault, int, str, str, dict[str, Any]], ...] = (
        (fault.BAD_REQUEST, 400, "INVALID_ARGUMENT", "Request contains an invalid argument.", {}),
        (fault.AUTH, 400, "INVALID_ARGUMENT", "API key expired.", {"reason": "API_KEY_INVALID"}),
        (fault.BALANCE, 400, "FAILED_PRECONDITION", "Please enable billing on your project.", {}),
        (fault.AUTH, 400, "FAILED_PRECONDITION", "User location is not supported for the API use.", {}),
        (
            *(fault.CONTEXT_LENGTH, 400, "INVALID_ARGUMENT"),
            "The input token count (1300000) exceeds the maximum number of tokens allowed (1048576).",
            {},
        ),
        (fault.BALANCE, 402, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted.", {}),
        (fault.AUTH, 403, "PERMISSION_DENIED", "Your API key was reported as leaked.", {}),
        (fault.AUTH, 404, "NOT_FOUND", "This model is no longer available.", {}),
        (fault.RATE_LIMITED, 429, "RESOURCE_EXHAUSTED", "You exceeded your quota.", {}),
        (fault.RATE_LIMITED, 429, "RESOURCE_EXHAUSTED", "Please retry in 36.9s.", {"retry_delay": "37s"}),
        (fault.RATE_LIMITED, 429, "RESOURCE_EXHAUSTED", "Slow down.", {"retry_after": "9"}),
        (fault.BROKEN, 499, "CANCELLED", "The operation was cancelled.", {}),
        (fault.OVERLOADED, 500, "INTERNAL", "An internal error has occurred.", {}),
        (fault.OVERLOADED, 503, "UNAVAILABLE", "The model is overloaded.", {}),
        (fault.TIMEOUT, 504, "DEADLINE_EXCEEDED", "Deadline expired.", {}),
    )
    return tuple(
        Failure(
            f"{status} {word} {message.split(' (')[0]}",
            kind,
            {"status": status, "code": word, "message": message, "as_list": as_list, **more},
            retry_after={"37s": 37.0, "9": 9.0}.get(more.get("retry_delay") or more.get("retry_after") or ""),
        )
        for kind, status, word, message, more in rows
    )


BLOCK_REASONS = ("SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY", "MODEL_ARMOR", "JAILBREAK")
WITHHELD_REASONS = (
    *("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT"),
    *("IMAGE_RECITATION", "IMAGE_OTHER", "NO_IMAGE", "MODEL_ARMOR", "LANGUAGE", "OTHER", "ESCALATION"),
)
REFUSALS = (
    *(Failure(f"blocked {one}", ProviderFault.CONTENT_POLICY, {"block_reason": one}) for one in BLOCK_REASONS),
    *(Failure(f"withheld {one}", ProviderFault.CONTENT_POLICY, {"finish_reason": one}) for one in WITHHELD_REASONS),
    Failure("MALFORMED_RESPONSE", ProviderFault.BROKEN, {"finish_reason": "MALFORMED_RESPONSE"}),
    Failure("PUP_LIMITED_DISABLED", ProviderFault.AUTH, {"finish_reason": "PUP_LIMITED_DISABLED"}),
)
IMAGE_FAILURES = (
    Failure("STOP without a picture", ProviderFault.BROKEN, {"no_picture": True}),
    Failure("MAX_TOKENS without a picture", ProviderFault.BROKEN, {"no_picture": True, "finish_reason": "MAX_TOKENS"}),
    Failure("declined in words", ProviderFault.CONTENT_POLICY, {"words": "I can't draw a real person like that."}),
)
CHAT_REFUSALS = tuple(
    Failure(f"withheld {one}", ProviderFault.CONTENT_POLICY, {"finish_reason": one})
    for one in ("SAFETY", "PROHIBITED_CONTENT", "RECITATION")
)
CONTRACTS = (
    Contract("google", "image", "nano-banana-2", FakeGoogle, (*_errors(as_list=False), *REFUSALS, *IMAGE_FAILURES)),
    Contract("google", "chat", "gemini-3.1-pro", FakeGoogle, (*_errors(as_list=True), *CHAT_REFUSALS)),
    Contract(
        *("google", "embedding", "gemini-embedding-2", FakeGoogle),
        (*_errors(as_list=False), Failure("a vector too few", ProviderFault.BROKEN, {"drop_vector": True})),
    ),
    Contract("google", "transcription", "gemini-3.5-transcribe", FakeGoogle, (*_errors(as_list=False), *REFUSALS)),
    Contract("google", "video", "gemini-omni-flash", FakeGoogle, (*_errors(as_list=False), *google_videos.FAILURES)),
)
