"""`docs/site/compatibility.md`: what open-weight models take of OpenAI's parameters, as the catalogue says it.

`manage.py write_compatibility` writes the file, and a test fails where it and the catalogue differ.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from gateway.catalog.openai_parameters import (
    CHAT_BASIC,
    CHAT_OPTIONAL,
    CHAT_PARTS,
    EMBEDDING_BASIC,
    EMBEDDING_OPTIONAL,
    SERVERS_OWN,
    TRANSCRIPTION_BASIC,
    TRANSCRIPTION_OPTIONAL,
)
from gateway.catalog.schema import ChatSpec, EmbeddingSpec, Model, TranscriptionSpec

Spec = TypeVar("Spec")

POOL = "a pool's model"
YES, NO, IGNORED = "yes", "**no**", "ignored"

INTRODUCTION = """\
---
title: OpenAI compatibility
description: What is as at OpenAI, what differs, and what open-weight models take of each endpoint's parameters.
section: Guides
order: 250
---
Point any OpenAI client at our base URL. `/chat/completions`, `/embeddings` and `/audio/transcriptions` take what
OpenAI's take, and so does `/responses`, of which nothing is kept for another request. The tables tell where open-weight
models differ: those of the engine, which run on this machine, and those of a pool, your own servers
([models of your own](own-models.md)).

To a vendor's model parameters are passed on as they came, but for these:

- What the vendor lacks, and what it bills apart from the tokens or keeps under the operator's account. A search
  (`web_search_options`, Alibaba's `enable_search` and `search_options`) and Google's `extra_body` and `google` are a
  422; `service_tier` and `store` are ignored, and
  `metadata` where it is for what is stored. GET /v1/models describes what each model takes.
- A part of a message that names a file at the vendor's (`file_id`) is a 422 for every model: send the data.
- `/responses` passes on the fields that cost nothing extra, and tools that the client runs itself: `function`,
  `custom`, `namespace`, `apply_patch`, `local_shell`, `tool_search`, and `shell` in a local environment. Searches and
  `image_generation` are ignored, all others (`mcp`, `code_interpreter`, `computer`) a 422. `service_tier`,
  `reasoning.mode`, `background_options` and `access_programs` are ignored.

## Names of models

Libraries that know OpenAI's names alone work by aliases. The answer's `model` is the name asked for.

"""

ALIASES_END = """
The setting `MODEL_ALIASES` adds to them or overrides them: `MODEL_ALIASES={"gpt-4o": "llama-3.1-8b"}`.

## Parameters

| | |
|---|---|
| yes | honoured |
| **no** | a 422 that names the parameter: without it the answer would mean something else |
| ignored | harmless: left out, and named in the answer's header `x-arkroute-ignored-params` |

A value that says what the parameter's absence says (`null`, `[]`, `"n": 1`, `"response_format": {"type": "text"}`) is
always taken. A pool's model has the column of its own unless its entry in `SELFHOSTED_POOLS` says otherwise:
`"tools": false`, `"vision": false`, `"max_n": 1`, `"refuses": ["logit_bias"]`, `"ignores": ["user"]`. What is a yes
there is passed on, and its server's to honour.

"""

STAND_INS = """
While stand-ins are on (development), a vendor's model without credentials is answered by an open-weight one, with the
header `x-arkroute-stand-in: true`. A request that this one cannot serve, such as a chat with tools, goes to the sandbox
instead. Embeddings then come in the dimensions of the model asked for, so that tables and indexes made for it take
them: zeros are added at the end, which changes no cosine, or the first dimensions are kept and renormalised.
"""

EXTENSIONS = """\
## Extensions

- `ark_stateful` in the body of `/chat/completions`: `true`, or a UUID that the client makes. The gateway keeps the
  conversation, and the client sends only what is new. On a vendor's model it is a 422.
- The cookie `ark_session_id` of an answer, sent back, brings the next request to the replica that holds the model's
  state; `x-arkroute-session-state` says `new`, `hit`, `moved` or `expired`. See [sessions](sessions.md).
- `/embeddings` and `/audio/transcriptions` have no parameters of ours.
- Answers carry `x-request-id`, `x-arkroute-credits`, `x-arkroute-model` (who served), `x-arkroute-overhead-ms`, and
  where they apply `x-arkroute-stand-in`, `x-arkroute-capped-tokens`, `x-arkroute-ignored-params`. The last chunk of a
  stream with `stream_options: {"include_usage": true}` has `usage.credits`.
- Requests may carry `X-ArkRoute-Max-Credits`: a call that could cost more is refused with 402.
"""

CHAT_NOTES = {
    "model": "An id of GET /v1/models, or an alias.",
    "messages": "All roles; content as text or as parts.",
    "max_tokens": "As `max_completion_tokens`. Never more than the balance pays for.",
    "stream_options": "`include_usage`",
    "logit_bias": "Of the model's own token ids, not of OpenAI's.",
    "response_format": "`text`, `json_object`, `json_schema`: the engine holds the answer to it while it writes.",
    "seed": "The same seed gives the same answer, while nothing else changes.",
    "temperature": "0 always takes the likeliest token.",
    "stop": "Up to four texts.",
    "top_logprobs": "With `logprobs`.",
    "tools": "By force: with `tool_choice` `required` or a function's name, and functions alone. Also `none`.",
    "image_url": "A part of a message. A pool's server is given data URIs alone, unless the model's entry says "
    "`image_urls`: it would fetch an address from inside the operator's network.",
    "input_audio": "A part of a message.",
    "file": "A part of a message.",
    "refusal": "A part of a message.",
}
CHAT_NOTES |= dict.fromkeys(SERVERS_OWN, "Of a server's own: the gateway decides it.")
EMBEDDING_NOTES = {
    "input": "Arrays of tokens count in OpenAI's vocabularies. LangChain sends texts with "
    "`check_embedding_ctx_length=False`.",
    "encoding_format": "`float`, `base64`",
    "dimensions": "A pool's entry says how many, and whether fewer can be had (`shortens`): the gateway cuts and "
    "renormalises.",
}
TRANSCRIPTION_NOTES = {
    "timestamp_granularities": "With `response_format` `verbose_json`.",
    "stream": "`transcript.text.delta` and `transcript.text.done`.",
    "languages": "Hints; `language` is taken.",
    "keywords": "Hints; `prompt` is taken.",
}


def compatibility(models: Iterable[Model], pool_models: Iterable[Model], aliases: Mapping[str, str]) -> str:
    """The page, as Markdown. `pool_models` are one of each type with nothing but defaults; `aliases` lead to ids."""
    models = [*models, *pool_models]
    page = [
        INTRODUCTION,
        *_table(["alias", "model"], [[f"`{name}`", f"`{aliases[name]}`"] for name in sorted(aliases)]),
    ]
    page += [ALIASES_END, "### /chat/completions\n\n"]
    chats = {_heading(model): model.chat for model in models if model.chat}
    page += _parameters((*CHAT_BASIC, *CHAT_OPTIONAL, *CHAT_PARTS, *SERVERS_OWN), chats, _chat, CHAT_NOTES)
    page += ["\n### /embeddings\n\n"]
    embeddings = {_heading(model): model.embedding for model in models if model.embedding}
    page += _parameters((*EMBEDDING_BASIC, *EMBEDDING_OPTIONAL), embeddings, _embedding, EMBEDDING_NOTES)
    page += [STAND_INS, "\n### /audio/transcriptions\n\n"]
    speech = {_heading(model): model.transcription for model in models if model.transcription}
    page += _parameters((*TRANSCRIPTION_BASIC, *TRANSCRIPTION_OPTIONAL), speech, _transcription, TRANSCRIPTION_NOTES)
    return "".join([*page, "\n", EXTENSIONS])


def _heading(model: Model) -> str:
    return f"`{model.id}`" if model.license else POOL


def _parameters(
    names: Iterable[str], specs: Mapping[str, Spec], cell: Callable[[Spec, str], str], notes: Mapping[str, str]
) -> list[str]:
    rows = [[f"`{name}`", *(cell(spec, name) for spec in specs.values()), notes.get(name, "")] for name in names]
    return _table(["parameter", *specs, ""], rows)


def _table(heads: list[str], rows: list[list[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return [f"| {' | '.join(cells)} |\n".replace("|  |", "| |") for cells in lines]


def _chat(spec: ChatSpec, name: str) -> str:
    if name == "n":
        return f"up to {spec.max_n}"
    if name == "image_url" and not spec.vision:
        return NO
    if name in ("tools", "tool_choice") and not spec.tools:
        return "forced" if spec.forced_tools else NO
    return _listed(spec, name)


def _embedding(spec: EmbeddingSpec, name: str) -> str:
    if name == "input":
        return f"{'texts, tokens' if spec.token_arrays else 'texts'}, up to {spec.max_inputs:,}"
    if name == "dimensions":
        return f"1 to {spec.dimensions:,}" if spec.shortens else f"{spec.dimensions:,} only"
    return _listed(spec, name)


def _transcription(spec: TranscriptionSpec, name: str) -> str:
    if name == "file":
        return f"{spec.max_megabytes} MB, {spec.max_seconds // 60:,} minutes"
    if name == "response_format":
        return ", ".join(f"`{one}`" for one in spec.formats)
    if name == "timestamp_granularities":
        return "`segment`, `word`" if spec.words else "`segment`"
    return _listed(spec, name)


def _listed(spec: ChatSpec | EmbeddingSpec | TranscriptionSpec, name: str) -> str:
    if name in spec.refuses:
        return NO
    return IGNORED if name in spec.ignores else YES
