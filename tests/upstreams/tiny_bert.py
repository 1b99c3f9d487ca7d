"""A BERT of 60 kB with random weights, as its maker would publish it: `config.json`, `vocab.txt`, `model.safetensors`.

The format: https://github.com/huggingface/safetensors#format
"""

import json
import random
import struct
from pathlib import Path

WIDTH, INNER, LAYERS, POSITIONS = 32, 64, 2, 64
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]", "hello", "world", "##ly", "!")


def write_tiny_bert(folder: Path) -> None:
    """Writes the three files into `folder`. Its weights are all named as those of all-MiniLM-L6-v2."""
    config = {
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 2,
        "max_position_embeddings": POSITIONS,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in WORDS))

    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(WORDS), WIDTH),
        "embeddings.position_embeddings.weight": (POSITIONS, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
        **_norm("embeddings.LayerNorm"),
        **_dense("pooler.dense", WIDTH, WIDTH),
    }
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        for part in ("query", "key", "value"):
            shapes |= _dense(f"{name}.attention.self.{part}", WIDTH, WIDTH)
        shapes |= _dense(f"{name}.attention.output.dense", WIDTH, WIDTH) | _norm(f"{name}.attention.output.LayerNorm")
        shapes |= _dense(f"{name}.intermediate.dense", INNER, WIDTH)
        shapes |= _dense(f"{name}.output.dense", WIDTH, INNER) | _norm(f"{name}.output.LayerNorm")

    dice = random.Random(1)
    head: dict[str, object] = {"__metadata__": {"format": "pt"}}
    data = struct.pack("<2q", 0, 1)
    head["embeddings.position_ids"] = {"dtype": "I64", "shape": [1, 2], "data_offsets": [0, len(data)]}
    for name, shape in shapes.items():
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        start = len(data)
        data += struct.pack(f"<{count}f", *(dice.uniform(-0.5, 0.5) for _ in range(count)))
        head[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [start, len(data)]}
    text = json.dumps(head).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)


def _dense(name: str, out: int, into: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def _norm(name: str) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (WIDTH,), f"{name}.bias": (WIDTH,)}
