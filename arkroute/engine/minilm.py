"""Turns all-MiniLM-L6-v2, as its maker publishes it, into a gguf file that llama.cpp serves.

The formats: https://github.com/huggingface/safetensors#format and
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; llama.cpp's own converter (`BertModel` in
convert_hf_to_gguf.py) says what it expects of a BERT.
"""

import json
import logging
import math
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

logging.getLogger("gguf").setLevel(logging.WARNING)  # it tells of every file

ARCHITECTURE = gguf.MODEL_ARCH.BERT
# BERT's vocabulary marks what goes on within a word, llama.cpp's what begins one.
CONTINUES, BEGINS = "##", "\u2581"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def convert(source: Path, target: Path) -> None:
    """Writes `target` from `config.json`, `vocab.txt` and `model.safetensors` in the folder `source`.

    The numbers stay as they are, 32 bits wide: half the width is no faster, and saves 45 MB.
    """
    config = json.loads((source / "config.json").read_text())
    layers = config["num_hidden_layers"]

    file = gguf.GGUFWriter(target, gguf.MODEL_ARCH_NAMES[ARCHITECTURE])
    file.add_name("all-MiniLM-L6-v2")
    file.add_license("apache-2.0")
    file.add_source_url("https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2")
    file.add_file_type(gguf.LlamaFileType.ALL_F32)
    file.add_context_length(config["max_position_embeddings"])
    file.add_embedding_length(config["hidden_size"])
    file.add_feed_forward_length(config["intermediate_size"])
    file.add_block_count(layers)
    file.add_head_count(config["num_attention_heads"])
    file.add_layer_norm_eps(config["layer_norm_eps"])
    file.add_causal_attention(False)
    file.add_pooling_type(gguf.PoolingType.MEAN)
    _add_vocabulary(file, (source / "vocab.txt").read_text(encoding="utf-8").split(), config["type_vocab_size"])

    names = gguf.get_tensor_name_map(ARCHITECTURE, layers)
    for name, tensor in _tensors(source / "model.safetensors"):
        # None for the pooler of BERT's pre-training, which sentence embeddings do without, and a list of positions.
        if new_name := names.get_name(name, try_suffixes=(".weight", ".bias")):
            file.add_tensor(new_name, tensor)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


def _add_vocabulary(file: gguf.GGUFWriter, words: list[str], segment_kinds: int) -> None:
    file.add_tokenizer_model("bert")
    file.add_tokenizer_pre("default")
    file.add_token_type_count(segment_kinds)
    file.add_token_list([_piece(word) for word in words])
    file.add_token_types([gguf.TokenType.CONTROL if word in SPECIAL else gguf.TokenType.NORMAL for word in words])
    pad, unknown, start, end, mask = map(words.index, SPECIAL)
    file.add_pad_token_id(pad)
    file.add_unk_token_id(unknown)
    file.add_bos_token_id(start)  # what llama.cpp puts in front of a text
    file.add_sep_token_id(end)
    file.add_mask_token_id(mask)


def _piece(word: str) -> str:
    if word.startswith("[") and word.endswith("]"):
        return word
    return word.removeprefix(CONTINUES) if word.startswith(CONTINUES) else BEGINS + word


def _tensors(path: Path) -> Iterator[tuple[str, NDArray]]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        head = json.loads(file.read(length))
    for name, about in head.items():
        if name != "__metadata__" and about["dtype"] == "F32":
            start, shape = about["data_offsets"][0], about["shape"]
            yield name, np.fromfile(path, "<f4", math.prod(shape), offset=8 + length + start).reshape(shape)
