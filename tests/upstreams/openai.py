"""A fake provider that speaks OpenAI's wire format, and fails in every way that real ones do.

    with FakeOpenAI() as upstream:
        upstream.base_url                              # "http://127.0.0.1:<port>/v1"
        upstream.behaviour = Behaviour(die_after=3)    # until set otherwise
        upstream.requests[-1].body["max_tokens"]       # what it was sent

It is a real server in a thread of its own, so it serves tests in the same process and live gateways alike. A request
can ask for a behaviour of its own by markers in its prompt (last message, embedding input, image prompt), which go on
top of `behaviour`: `upstream:die_after=3 upstream:no_usage`. A marker's name is a field of `Behaviour`.

It checks what it is sent, as strict servers do, and answers 400 where it is wrong.
"""

import asyncio
import base64
import json
import re
import struct
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

MARKER = re.compile(r"upstream:(\w+)(?:=([^\s\"]+))?")


@dataclass
class Behaviour:
    """How to answer. The defaults are those of a provider in good health. Times are in seconds."""

    # A chat's answer: `reply` in pieces of one word.
    reply: str = "one two three four five six seven eight nine ten"
    finish_reason: str = "stop"
    tool_call: bool = False  # calls the first tool offered, its arguments in fragments
    usage: bool = True  # in a stream: only if it was asked for
    prompt_tokens: int = 11
    completion_tokens: int = 10
    cached_tokens: int = 0
    bad_usage: bool = False  # counts that cannot be
    # Embeddings: the dimensions of a vector; base64 although floats were asked for; one vector too few.
    dimensions: int = 8
    base64: bool = False
    drop_vector: bool = False
    # Transcriptions: `reply` in segments of two words, a second each. How a stream of them looks: as `engine`,
    # `openai`, `speaches`, `speaches_json`, `speaches_text`, `vllm`, or `whole` where the server knows no streams.
    shape: str = "engine"
    audio_tokens: bool = False  # its usage counts tokens
    # Errors before an answer. `status` 429 with `code` and `retry_after`; `fail_times` limits them to so many requests.
    status: int = 200
    code: str = ""
    error_type: str = ""
    message: str = "the fake provider was told to fail"
    retry_after: str = ""
    fail_times: int = 1_000_000
    html: bool = False  # an HTML page, with `status`
    raw_body: str = ""  # this body, with `status`
    bad_json: bool = False
    error_in_200: bool = False
    garbage: bool = False  # no HTTP at all
    refuse: bool = False  # closes the connection without an answer
    hang: bool = False  # never answers
    delay: float = 0.0  # before the first byte
    # Faults in the middle of a stream, after so many chunks; of a whole answer, after half its bytes.
    die_after: int = -1  # the connection is cut
    stall_after: int = -1  # nothing more comes
    error_after: int = -1  # an error as a chunk
    bad_chunk_after: int = -1  # a chunk that is no JSON
    no_done: bool = False  # ends without [DONE]
    empty: bool = False  # nothing but [DONE]
    no_role: bool = False  # no chunk names it, as with llama.cpp when the first token is a part of a character
    usage_on_chunks: bool = False  # on the last chunk with a choice, too
    # How a stream is written.
    chunk_delay: float = 0.0
    split: int = 0  # in writes of so many bytes
    crlf: bool = False
    comments: bool = False
    # After the answer.
    close_idle: bool = False  # closes the connection without having said so


@dataclass
class Recorded:
    """A request as it arrived. `body` is the JSON, or a form's fields, those named `…[]` as lists; `files` are a form's
    files, as (name, type, bytes), and `filenames` what they are called."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    connection: int
    files: list[tuple[str, str, bytes]] = field(default_factory=list)
    filenames: list[str] = field(default_factory=list)


class Refusal(Exception):
    """A request that the server answers with an error of its own."""

    def __init__(
        self, message: str, *, status: int = 400, code: str = "invalid_value", param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}


class FakeOpenAI:
    """The server: a context manager. `api_key`, if given, is the only one it takes."""

    def __init__(self, *, api_key: str = "") -> None:
        self.api_key = api_key
        self.behaviour = Behaviour()
        self.requests: list[Recorded] = []
        self.connections = 0  # made so far
        self.open_connections = 0
        self._failures = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fake-openai", daemon=True)
        self.port = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def reset(self) -> None:
        """Back to good health, with nothing recorded."""
        self.behaviour = Behaviour()
        self.requests.clear()
        self._failures = 0

    def __enter__(self) -> "FakeOpenAI":
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        await self._listen()
        self._ready.set()
        await self._stop.wait()
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _listen(self) -> None:
        """At a port of the system's choice at first, at the same one ever after."""
        self._server = await asyncio.start_server(self._on_connection, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._talk(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_connections += 1
        number = self.connections
        early = b""  # the first byte of the next request, if it came while the last was answered
        try:
            while True:
                recorded = await _read_request(reader, early, number)
                self.requests.append(recorded)
                answer = asyncio.ensure_future(self._answer(recorded, writer))
                more = asyncio.ensure_future(reader.read(1))
                try:
                    await asyncio.wait({answer, more}, return_when=asyncio.FIRST_COMPLETED)
                    if more.done() and not more.result():
                        break  # a client that leaves ends the answer, wherever it is
                    if not await answer:
                        break
                finally:
                    answer.cancel()
                    more.cancel()
                    await asyncio.gather(answer, more, return_exceptions=True)
                early = b"" if more.cancelled() else more.result()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open_connections -= 1
            writer.close()

    async def _answer(self, recorded: Recorded, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection is good for another request."""
        behaviour = _with_markers(self.behaviour, recorded.body)
        if behaviour.refuse:
            return False
        if behaviour.hang:
            await asyncio.sleep(3600)
        await asyncio.sleep(behaviour.delay)
        if behaviour.garbage:
            writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")
            return False
        failing = behaviour.status != 200 or behaviour.html or behaviour.raw_body
        if failing and self._failures < behaviour.fail_times:
            self._failures += 1
            _write_error(writer, behaviour)
        else:
            try:
                if self.api_key and recorded.headers.get("authorization") != f"Bearer {self.api_key}":
                    message = (
                        f"Incorrect API key provided: {recorded.headers.get('authorization', '')}. See {self.base_url}"
                    )
                    raise Refusal(message, status=401, code="invalid_api_key")
                if not await self._route(recorded, behaviour, writer):
                    return False
            except Refusal as refusal:
                _write(writer, refusal.status, {"error": refusal.error})
        await writer.drain()
        return not behaviour.close_idle

    async def _route(self, recorded: Recorded, behaviour: Behaviour, writer: asyncio.StreamWriter) -> bool:
        body = recorded.body
        match recorded.path:
            case "/v1/chat/completions":
                _check_chat(body)
                if body.get("stream"):
                    return await _stream(writer, behaviour, _chunks(behaviour, body))
                answer = _completion(behaviour, body)
            case "/v1/embeddings":
                answer = _embeddings(behaviour, body)
            case "/v1/images/generations":
                answer = _images(body, recorded)
            case "/v1/images/edits":
                if not recorded.files:
                    raise Refusal("`image` is missing", param="image")
                answer = _images(body, recorded)
            case "/v1/audio/transcriptions":
                _check_transcription(body, recorded)
                if body.get("stream") == "true" and behaviour.shape != "whole":
                    marked = behaviour if behaviour.shape == "vllm" else replace(behaviour, no_done=True)
                    return await _stream(writer, marked, _transcript_events(behaviour, body))
                answer = _transcript(behaviour, body)
            case _:
                raise Refusal("Not Found", status=404, code="unknown_url")
        if behaviour.error_in_200:
            answer = {
                "error": {"message": behaviour.message, "type": behaviour.error_type, "code": behaviour.code or None}
            }
        content = json.dumps(answer).encode()
        if behaviour.bad_json:
            content = content[:-10]
        if behaviour.die_after >= 0 or behaviour.stall_after >= 0:
            writer.write(_head(200, len(content)) + content[: len(content) // 2])
            await writer.drain()
            if behaviour.stall_after >= 0:
                await asyncio.sleep(3600)
            return False
        writer.write(_head(200, len(content)) + content)
        return True


async def _read_request(reader: asyncio.StreamReader, early: bytes, connection: int) -> Recorded:
    first, *lines = (early + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    content = await reader.readexactly(int(headers.get("content-length", "0")))
    recorded = Recorded(method, path, headers, {}, connection)
    content_type = headers.get("content-type", "")
    if content_type.startswith("multipart/form-data"):
        form = BytesParser(policy=HTTP).parsebytes(f"content-type: {content_type}\r\n\r\n".encode() + content)
        for part in form.iter_parts():
            name, data = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
            if part.get_filename():
                recorded.files.append((name, part.get_content_type(), data))
                recorded.filenames.append(part.get_filename())
            elif name.endswith("[]"):
                recorded.body.setdefault(name, []).append(data.decode())
            else:
                recorded.body[name] = data.decode()
    elif content:
        recorded.body = json.loads(content)
    return recorded


def _with_markers(behaviour: Behaviour, body: dict[str, Any]) -> Behaviour:
    """The behaviour that the prompt asks for."""
    messages = body.get("messages")
    prompt = messages[-1] if isinstance(messages, list) and messages else body.get("input", body.get("prompt", ""))
    wanted: dict[str, Any] = {}
    kinds = {one.name: type(one.default) for one in fields(Behaviour)}
    for name, value in MARKER.findall(json.dumps(prompt)):
        kind = kinds[name]
        if kind is bool:
            wanted[name] = value not in {"0", "off", "false"}
        else:
            wanted[name] = kind(value)
    return replace(behaviour, **wanted)


def _head(status: int, length: int, content_type: str = "application/json", retry_after: str = "") -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", f"content-type: {content_type}", f"content-length: {length}"]
    if retry_after:
        lines.append(f"retry-after: {retry_after}")
    return "\r\n".join([*lines, "x-request-id: req_upstream", "", ""]).encode()


def _write(writer: asyncio.StreamWriter, status: int, answer: dict[str, Any], retry_after: str = "") -> None:
    content = json.dumps(answer).encode()
    writer.write(_head(status, len(content), retry_after=retry_after) + content)


def _write_error(writer: asyncio.StreamWriter, behaviour: Behaviour) -> None:
    if behaviour.html or behaviour.raw_body:
        content = (behaviour.raw_body or "<html><body><h1>502 Bad Gateway</h1></body></html>").encode()
        kind = "text/html" if behaviour.html else "application/json"
        writer.write(_head(behaviour.status, len(content), kind, behaviour.retry_after) + content)
        return
    error = {
        "message": behaviour.message,
        "type": behaviour.error_type or "fake_error",
        "param": None,
        "code": behaviour.code or None,
    }
    _write(writer, behaviour.status, {"error": error}, behaviour.retry_after)


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


def _usage(behaviour: Behaviour) -> dict[str, Any]:
    if behaviour.bad_usage:
        return {"prompt_tokens": -5, "completion_tokens": "many", "total_tokens": None}
    return {
        "prompt_tokens": behaviour.prompt_tokens,
        "completion_tokens": behaviour.completion_tokens,
        "total_tokens": behaviour.prompt_tokens + behaviour.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": behaviour.cached_tokens},
    }


def _tool_call(body: dict[str, Any]) -> dict[str, Any]:
    tools = body.get("tools") or [{"function": {"name": "look_up"}}]
    return {
        "id": "call_fake1",
        "type": "function",
        "function": {"name": tools[0]["function"]["name"], "arguments": '{"city": "Paris"}'},
    }


def _completion(behaviour: Behaviour, body: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": behaviour.reply}
    if behaviour.tool_call:
        message = {"role": "assistant", "content": None, "tool_calls": [_tool_call(body)]}
    reason = "tool_calls" if behaviour.tool_call else behaviour.finish_reason
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
    else:
        words = behaviour.reply.split(" ")
        deltas += [{"content": word if index == 0 else f" {word}"} for index, word in enumerate(words)]
    choices = range(body.get("n") or 1)
    for delta in deltas:
        for index in choices:
            yield chunk([{"index": index, "delta": delta, "logprobs": None, "finish_reason": None}])
    reason = "tool_calls" if behaviour.tool_call else behaviour.finish_reason
    for index in choices:
        last = chunk([{"index": index, "delta": {}, "logprobs": None, "finish_reason": reason}])
        yield last | ({"usage": _usage(behaviour)} if behaviour.usage_on_chunks else {})
    if asked_usage and (behaviour.usage or behaviour.bad_usage):
        yield chunk([], _usage(behaviour))


async def _stream(writer: asyncio.StreamWriter, behaviour: Behaviour, chunks: Iterator[dict[str, Any] | str]) -> bool:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
    if behaviour.error_in_200:
        _write(writer, 200, {"error": {"message": behaviour.message, "type": behaviour.error_type or "fake_error"}})
        return True
    writer.write(head)
    end = b"\r\n\r\n" if behaviour.crlf else b"\n\n"

    async def send(payload: bytes) -> None:
        event = b"data: " + payload + end
        if behaviour.comments:
            event = b": keep-alive" + end + event
        size = behaviour.split or len(event)
        for start in range(0, len(event), size):
            part = event[start : start + size]
            writer.write(b"%x\r\n%b\r\n" % (len(part), part))
            await writer.drain()
            if behaviour.split:
                await asyncio.sleep(0)
        await asyncio.sleep(behaviour.chunk_delay)

    for number, chunk in enumerate([] if behaviour.empty else chunks):
        if number == behaviour.die_after:
            return False
        if number == behaviour.stall_after:
            await asyncio.sleep(3600)
        if number == behaviour.error_after:
            error = {
                "message": behaviour.message,
                "type": behaviour.error_type or "server_error",
                "code": behaviour.code,
            }
            await send(json.dumps({"error": error}).encode())
            return False
        if number == behaviour.bad_chunk_after:
            await send(b'{"choices": [')
        await send((chunk if isinstance(chunk, str) else json.dumps(chunk)).encode())
    if not behaviour.no_done:
        await send(b"[DONE]")
    writer.write(b"0\r\n\r\n")
    return True


# --- Embeddings and images -----------------------------------------------------------------------------------------


def _embeddings(behaviour: Behaviour, body: dict[str, Any]) -> dict[str, Any]:
    inputs = body.get("input")
    if unknown := set(body) - {"model", "input", "encoding_format", "dimensions", "user"}:
        raise Refusal(f"Unrecognized request argument supplied: {min(unknown)}", param=min(unknown))
    if not body.get("model") or not inputs:
        raise Refusal("`model` and `input` are required", code="missing_required_parameter")
    inputs = inputs if isinstance(inputs, list) and not isinstance(inputs[0], int) else [inputs]
    size = body.get("dimensions") or behaviour.dimensions
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


# A picture of one pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
_IMAGE_FIELDS = {
    *("model", "prompt", "n", "size", "quality", "background", "output_format", "output_compression", "moderation"),
    *("safety_identifier", "user", "input_fidelity"),
}


def _images(body: dict[str, Any], recorded: Recorded) -> dict[str, Any]:
    if unknown := set(body) - _IMAGE_FIELDS:
        raise Refusal(f"Unknown parameter: '{min(unknown)}'.", code="unknown_parameter", param=min(unknown))
    if not body.get("model") or not body.get("prompt"):
        raise Refusal("`model` and `prompt` are required", code="missing_required_parameter")
    encoded = base64.b64encode(PNG).decode()
    return {
        "created": 1_790_000_000,
        "output_format": body.get("output_format") or "png",
        "quality": body.get("quality") or "auto",
        "size": body.get("size") or "1024x1024",
        "data": [{"b64_json": encoded} for _ in range(int(body.get("n") or 1))],
        "usage": {"input_tokens": 9, "output_tokens": 196, "total_tokens": 205},
    }


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
        return {"type": "tokens", "input_tokens": 50, "output_tokens": 10, "total_tokens": 60}
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
