"""Every server that speaks OpenAI's API: vLLM, SGLang, llama.cpp, our engine, and OpenAI itself.

Requests pass through as the client sent them but for the fields that are named here; answers as they came. Wire
format: https://platform.openai.com/docs/api-reference
"""

import sys
from array import array
from base64 import b64decode
from collections.abc import AsyncGenerator, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec

from gateway.errors import ProviderError, ProviderFault
from gateway.pricing import estimate_tokens
from gateway.providers.base import Deployment
from gateway.providers.http import Response, pool
from gateway.providers.openai_errors import classify, classify_error
from gateway.providers.sse import EventReader
from gateway.tokens import read_usage
from gateway.types import (
    ChatAnswer,
    ChatRequest,
    EmbeddingAnswer,
    EmbeddingRequest,
    ImageAnswer,
    ImageRequest,
    InputImage,
    Picture,
    Usage,
)

# The gateway's own extension of OpenAI's requests.
_OUR_FIELDS = frozenset({"ark_stateful"})
# Spoken of by the request's own fields, or of no meaning to a model that always answers in base64.
_IMAGE_FIELDS = (
    frozenset({"image", "images", "image_url", "mask", "response_format", "stream", "partial_images"}) | _OUR_FIELDS
)
_MAX_ERROR_BYTES = 256 * 1024
_JSON = b"application/json"


class OpenAICompatible:
    """Chat, embeddings and images. All raise `ProviderError`."""

    async def chat(self, deployment: Deployment, request: ChatRequest) -> ChatAnswer:
        body = _chat_body(deployment, request)
        body.pop("stream", None)
        body.pop("stream_options", None)
        answer = _decode(deployment, await _fetch(deployment, "/chat/completions", _JSON, msgspec.json.encode(body)))
        choices = answer.get("choices")
        if not isinstance(choices, list) or not choices:
            raise ProviderError(ProviderFault.BROKEN, "an answer without choices")
        usage = read_usage(answer.get("usage"))
        if usage is None:
            usage = Usage(request.input_tokens, _count_output(choices), reported=False)
        return ChatAnswer(answer, usage)

    async def stream_chat(self, deployment: Deployment, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        body = _chat_body(deployment, request)
        options = body.get("stream_options")
        body["stream"] = True
        body["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
        response = await _send(deployment, "/chat/completions", _JSON, msgspec.json.encode(body))
        try:
            await _expect_stream(deployment, response)
            events = EventReader()
            finished = False
            async for piece in response:
                chunks = events.feed(piece)
                done = b"[DONE]" in chunks
                if done:
                    del chunks[chunks.index(b"[DONE]") :]
                    response.finish()
                if chunks:
                    error = _find_error(deployment, chunks)
                    finished = finished or _has_finish_reason(chunks)
                    if chunks:
                        yield chunks
                    if error is not None:
                        raise error
                if done:
                    return
            # No [DONE]. What matters is whether the model had come to its end.
            chunks = [chunk for chunk in events.end() if chunk != b"[DONE]"]
            error = _find_error(deployment, chunks)
            if chunks:
                yield chunks
            if error is not None:
                raise error
            if not finished and not _has_finish_reason(chunks):
                raise ProviderError(ProviderFault.BROKEN, "the stream ended before the completion did")
        finally:
            response.close()

    async def embed(self, deployment: Deployment, request: EmbeddingRequest) -> EmbeddingAnswer:
        # Floats are what every server can do; the few that answer in base64 all the same are understood.
        body = {name: value for name, value in request.body.items() if name not in _OUR_FIELDS}
        body |= {"model": deployment.upstream, "input": request.inputs, "encoding_format": "float"}
        content = await _fetch(deployment, "/embeddings", _JSON, msgspec.json.encode(body))
        try:
            answer = _decode_embeddings(content)
        except (msgspec.DecodeError, UnicodeDecodeError):
            _decode(deployment, content)  # says more where it is an error or no JSON
            raise ProviderError(ProviderFault.BROKEN, "an answer without embeddings") from None
        rows = answer.data
        if len(rows) != len(request.inputs):
            raise ProviderError(ProviderFault.BROKEN, f"{len(rows)} embeddings for {len(request.inputs)} inputs")
        if sorted(row.index for row in rows) == list(range(len(rows))):
            rows = sorted(rows, key=lambda row: row.index)
        usage = read_usage(answer.usage) or Usage(request.input_tokens, reported=False)
        return EmbeddingAnswer([_vector(row.embedding) for row in rows], usage)

    async def generate_images(self, deployment: Deployment, request: ImageRequest) -> ImageAnswer:
        fields = {name: value for name, value in request.body.items() if name not in _IMAGE_FIELDS}
        fields |= {
            "model": deployment.upstream,
            "prompt": request.prompt,
            "n": request.n,
            "size": request.size,
            "quality": request.quality,
            "output_format": request.output_format,
        }
        if request.inputs:
            content_type, body = _multipart(fields, request.inputs)
            answer = _decode(deployment, await _fetch(deployment, "/images/edits", content_type, body))
        else:
            body = msgspec.json.encode(fields)
            answer = _decode(deployment, await _fetch(deployment, "/images/generations", _JSON, body))
        pictures = _pictures(answer, request.output_format)
        usage = answer.get("usage")
        usage = usage if isinstance(usage, dict) else {}
        counted = read_usage(
            {"prompt_tokens": usage.get("input_tokens"), "completion_tokens": usage.get("output_tokens")}
        )
        counted = counted or Usage(reported=False)
        return ImageAnswer(pictures, msgspec.structs.replace(counted, images=len(pictures)))


def _count_output(choices: list[Any]) -> int:
    """Our own count of what the model wrote."""
    size = 0
    for choice in choices:
        message = choice.get("message") if isinstance(choice, dict) else None
        if isinstance(message, dict):
            written = [message.get(name) for name in ("content", "reasoning_content", "refusal")]
            size += sum(len(text.encode(errors="replace")) for text in written if isinstance(text, str))
            size += len(msgspec.json.encode(message["tool_calls"])) if message.get("tool_calls") else 0
    return estimate_tokens(size)


# --- Requests ------------------------------------------------------------------------------------------------------


def _chat_body(deployment: Deployment, request: ChatRequest) -> dict[str, Any]:
    spec = deployment.model.chat
    assert spec is not None, "a chat is sent to chat models only"
    body = {name: value for name, value in request.body.items() if name not in _OUR_FIELDS}
    body["model"] = deployment.upstream
    body["messages"] = request.messages
    if spec.system_prompt and not any(message.get("role") in {"system", "developer"} for message in request.messages):
        body["messages"] = [{"role": "system", "content": spec.system_prompt}, *request.messages]
    # Servers refuse both spellings together, and OpenAI's newer models the older one.
    body.pop("max_tokens", None)
    body.pop("max_completion_tokens", None)
    if request.max_tokens is not None:
        body[spec.max_tokens_field] = request.max_tokens
    if spec.reasoning_effort and body.get("reasoning_effort") is None:
        body["reasoning_effort"] = spec.reasoning_effort
    return body


def _multipart(fields: dict[str, Any], images: Sequence[InputImage]) -> tuple[bytes, bytes]:
    """Content type and body of a form with `fields` and the pictures as `image[]`."""
    boundary = uuid4().hex.encode()
    part = b'--%b\r\ncontent-disposition: form-data; name="%b"'
    pieces = []
    for name, value in fields.items():
        if value is None or not name.isidentifier():
            continue
        text = value.encode() if isinstance(value, str) else msgspec.json.encode(value)
        pieces += [part % (boundary, name.encode()), b"\r\n\r\n", text, b"\r\n"]
    for number, image in enumerate(images):
        mime = image.mime.encode()
        filename = b'; filename="%d.%b"\r\ncontent-type: %b\r\n\r\n' % (number, mime.rpartition(b"/")[2], mime)
        pieces += [part % (boundary, b"image[]"), filename, image.data, b"\r\n"]
    pieces.append(b"--%b--\r\n" % boundary)
    return b"multipart/form-data; boundary=" + boundary, b"".join(pieces)


@lru_cache(maxsize=64)
def _headers(api_key: str, content_type: bytes) -> tuple[tuple[bytes, bytes], ...]:
    key = ((b"authorization", b"Bearer " + api_key.encode()),) if api_key else ()
    return ((b"content-type", content_type), *key)


def _secrets(deployment: Deployment) -> list[str]:
    return [deployment.api_key, urlsplit(deployment.base_url).netloc]


async def _send(deployment: Deployment, path: str, content_type: bytes, body: bytes) -> Response:
    return await pool().request(
        "POST",
        deployment.base_url + path,
        headers=_headers(deployment.api_key, content_type),
        body=body,
        first_byte_timeout=deployment.timeout,
        idle_timeout=deployment.timeout,
    )


async def _fetch(deployment: Deployment, path: str, content_type: bytes, body: bytes) -> bytes:
    response = await _send(deployment, path, content_type, body)
    if response.status != 200:
        raise await _error(deployment, response)
    return await response.read()


# --- Answers -------------------------------------------------------------------------------------------------------


async def _error(deployment: Deployment, response: Response) -> ProviderError:
    try:
        body = await response.read(_MAX_ERROR_BYTES)
    except ProviderError:
        body = b""  # the status still says something
    return classify(response.status, body, response.headers, secrets=_secrets(deployment))


async def _expect_stream(deployment: Deployment, response: Response) -> None:
    if response.status != 200:
        raise await _error(deployment, response)
    content_type = response.headers.get(b"content-type", b"").lower()
    if content_type.startswith((b"application/json", b"text/html")):
        _decode(deployment, await response.read())
        raise ProviderError(ProviderFault.BROKEN, "a whole answer where a stream was asked for")


def _decode(deployment: Deployment, content: bytes) -> dict[str, Any]:
    """The JSON object of a 200. Some servers put errors into it."""
    try:
        answer = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ProviderError(ProviderFault.BROKEN, "an answer that is no JSON", status=200) from None
    if not isinstance(answer, dict):
        raise ProviderError(ProviderFault.BROKEN, "an answer that is no JSON object", status=200)
    if answer.get("error") or answer.get("object") == "error":
        raise classify_error(answer, secrets=_secrets(deployment))
    return answer


def _find_error(deployment: Deployment, chunks: list[bytes]) -> ProviderError | None:
    """The error that one of the chunks is, or tells of; `chunks` then ends before it."""
    together = b"\n".join([b"", *chunks])
    if b'"error"' not in together and together.count(b"\n{") == len(chunks):
        return None
    for index, chunk in enumerate(chunks):
        if not chunk.startswith(b"{"):
            del chunks[index:]
            return ProviderError(ProviderFault.BROKEN, "a chunk that is no JSON object")
        # Quotes in the model's own words are escaped, so that this is a name or a whole value.
        if b'"error"' in chunk:
            try:
                _decode(deployment, chunk)
            except ProviderError as error:
                del chunks[index:]
                return error
    return None


def _has_finish_reason(chunks: list[bytes]) -> bool:
    return any(b'"finish_reason":"' in chunk or b'"finish_reason": "' in chunk for chunk in reversed(chunks))


class _Row(msgspec.Struct):
    embedding: list[float] | str
    index: int = 0


class _Embeddings(msgspec.Struct):
    data: list[_Row]
    usage: Any = None


_decode_embeddings = msgspec.json.Decoder(_Embeddings).decode


def _vector(embedding: list[float] | str) -> list[float]:
    """Base64 is of little-endian 32-bit floats."""
    if isinstance(embedding, str):
        try:
            numbers = array("f", b64decode(embedding, validate=True))
        except ValueError:
            raise ProviderError(ProviderFault.BROKEN, "an embedding that is no base64") from None
        if sys.byteorder == "big":
            numbers.byteswap()
        embedding = numbers.tolist()
    if not embedding:
        raise ProviderError(ProviderFault.BROKEN, "an empty embedding")
    return embedding


def _pictures(answer: dict[str, Any], asked_format: str) -> list[Picture]:
    name = answer.get("output_format")
    mime = f"image/{name if isinstance(name, str) and name.isalnum() else asked_format}"
    data = answer.get("data")
    pictures = []
    for item in data if isinstance(data, list) else []:
        encoded = item.get("b64_json") if isinstance(item, dict) else None
        prompt = item.get("revised_prompt") if isinstance(item, dict) else None
        try:
            picture = b64decode(encoded, validate=True) if isinstance(encoded, str) else b""
        except ValueError:
            picture = b""
        if not picture:
            raise ProviderError(ProviderFault.BROKEN, "a picture that is no base64")
        pictures.append(Picture(picture, mime, prompt if isinstance(prompt, str) else None))
    if not pictures:
        raise ProviderError(ProviderFault.BROKEN, "an answer without pictures")
    return pictures
