"""The bodies that every contestant carries, of the sizes that chat traffic has: 1.5 KB in, 1 KB or 19 KB out."""

import json

MODEL = "gpt-5.4-mini"
CHUNKS = 100
USAGE = {"prompt_tokens": 310, "completion_tokens": CHUNKS, "total_tokens": 310 + CHUNKS}

_SENTENCES = (
    "Please compare the two proposals for the harbour and say which of them you would rather build and why that is so.",
    "The first keeps the old quay and moves the cranes; the second fills the basin and gains a square for the market.",
)


def request_body(*, stream: bool) -> bytes:
    """About 1.5 KB of JSON: a conversation of ten messages."""
    messages = [{"role": "system", "content": "You are a careful assistant who answers in plain words and short ones."}]
    messages += [
        {"role": "user" if turn % 2 else "assistant", "content": f"{turn}. {_SENTENCES[turn % 2]}"}
        for turn in range(1, 10)
    ]
    body = {"model": MODEL, "messages": messages, "temperature": 0.2, "max_tokens": 300}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(body).encode()


def reply_body() -> bytes:
    """About 1 KB of JSON: a `chat.completion` with its usage."""
    reply = {
        "id": "chatcmpl-benchmark0000000000000001",
        "object": "chat.completion",
        "created": 1780000000,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": " ".join(_SENTENCES * 3), "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
        "system_fingerprint": "fp_benchmark",
    }
    return json.dumps(reply).encode()


def stream_events() -> list[bytes]:
    """About 19 KB of server-sent events: 100 chunks, the chunk that carries the usage, `[DONE]`."""
    head = {"id": "chatcmpl-benchmark01", "object": "chat.completion.chunk", "created": 1780000000, "model": MODEL}
    chunks = [
        head | {"choices": [{"index": 0, "delta": {"content": f" word{number:03}"}, "finish_reason": None}]}
        for number in range(CHUNKS - 1)
    ]
    chunks.append(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    chunks.append(head | {"choices": [], "usage": USAGE})
    return [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks] + [b"data: [DONE]\n\n"]
