"""A language model of 70 kB with random weights, so that the real engine can be tested without downloading one.

It writes nonsense, byte by byte. The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (version 3).
"""

import random
import struct
from collections.abc import Sequence
from pathlib import Path

WIDTH = 32
ALIGNMENT = 32
# The ids of value types in the file.
UINT32, INT32, FLOAT32, STRING, ARRAY = 4, 5, 6, 8, 9
# A vocabulary of three control tokens and the 256 bytes; kinds of tokens as llama.cpp numbers them.
UNKNOWN, CONTROL, BYTE = 2, 3, 6
TOKENS = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]


def write_tiny_gguf(path: Path, chat_template: str = "{% for m in messages %}{{ m.content }} {% endfor %}") -> None:
    facts = {
        "general.architecture": _string("llama"),
        "llama.context_length": _value(UINT32, "I", 4096),
        "llama.embedding_length": _value(UINT32, "I", WIDTH),
        "llama.block_count": _value(UINT32, "I", 1),
        "llama.feed_forward_length": _value(UINT32, "I", WIDTH),
        "llama.attention.head_count": _value(UINT32, "I", 2),
        "llama.attention.layer_norm_rms_epsilon": _value(FLOAT32, "f", 1e-5),
        "tokenizer.ggml.model": _string("llama"),
        "tokenizer.ggml.tokens": _array(STRING, [_text(token) for token in TOKENS]),
        "tokenizer.ggml.scores": _array(FLOAT32, [struct.pack("<f", 0.0)] * len(TOKENS)),
        "tokenizer.ggml.token_type": _array(
            INT32, [struct.pack("<i", kind) for kind in (UNKNOWN, CONTROL, CONTROL, *[BYTE] * 256)]
        ),
        "tokenizer.chat_template": _string(chat_template),
    }
    square = (WIDTH, WIDTH)
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (WIDTH, len(TOKENS)),
        "output_norm.weight": (WIDTH,),
        "blk.0.attn_norm.weight": (WIDTH,),
        "blk.0.ffn_norm.weight": (WIDTH,),
    }
    shapes |= {f"blk.0.{name}.weight": square for name in ("attn_q", "attn_k", "attn_v", "attn_output")}
    shapes |= {f"blk.0.{name}.weight": square for name in ("ffn_gate", "ffn_up", "ffn_down")}

    dice = random.Random(1)
    infos, data = b"", b""
    for name, shape in shapes.items():
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        infos += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(data))
        data += struct.pack(f"<{count}f", *(dice.uniform(-0.5, 0.5) for _ in range(count)))
        data += bytes(-len(data) % ALIGNMENT)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(facts))
    head += b"".join(_text(name) + value for name, value in facts.items()) + infos
    path.write_bytes(head + bytes(-len(head) % ALIGNMENT) + data)


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _string(text: str) -> bytes:
    return struct.pack("<I", STRING) + _text(text)


def _value(kind: int, code: str, value: float) -> bytes:
    return struct.pack(f"<I{code}", kind, value)


def _array(kind: int, values: Sequence[bytes]) -> bytes:
    return struct.pack("<IIQ", ARRAY, kind, len(values)) + b"".join(values)
