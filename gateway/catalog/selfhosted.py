"""The models of `SELFHOSTED_POOLS`, as the catalogue knows them.

    {"gpus": {"replicas": ["http://gpu-1:8000/v1"], "api_key": "…",
              "models": {"llama-3.1-8b": {"upstream": "meta-llama/Llama-3.1-8B-Instruct", "credits": 1}}}}

A model takes what it says and defaults that refuse nothing; every key of the spec of its type may be given too
(`"context": 131072, "vision": true`, `"dimensions": 1024`).
"""

from datetime import date
from typing import Any

import msgspec

from gateway.catalog.openai_parameters import SERVERS_OWN
from gateway.catalog.schema import ChatSpec, EmbeddingSpec, Model, TranscriptionSpec

# What a model of a pool is unless it says otherwise. Prices of tokens are 0: `credits` covers a whole request.
DEFAULTS: dict[str, dict[str, Any]] = {
    "chat": {
        "context": 131_072,
        "max_output": 131_072,
        "input_usd": 0,
        "output_usd": 0,
        "vision": True,
        # Servers of one's own would fetch them from inside one's own network.
        "image_urls": False,
    },
    "embedding": {"dimensions": 1024},
    "transcription": {"words": True},
}
SPECS = {"chat": ChatSpec, "embedding": EmbeddingSpec, "transcription": TranscriptionSpec}
POOL_KEYS = frozenset({"replicas", "api_key", "models"})


class PoolsError(Exception):
    """SELFHOSTED_POOLS cannot be used. `problems` names pool, model and key of each fault."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def read_models(pools: Any) -> dict[str, Model]:
    """The models of all pools, by id. Raises `PoolsError`."""
    if not isinstance(pools, dict):
        raise PoolsError(["it is no JSON object of pools"])
    problems: list[str] = []
    models: dict[str, Model] = {}
    for name, pool in pools.items():
        problems += _faults_of_pool(name, pool)
        if problems:
            continue
        for model_id, row in pool["models"].items():
            if model_id in models:
                problems.append(f"pool `{name}`: model `{model_id}` is in pool `{models[model_id].provider}` too")
                continue
            try:
                models[model_id] = _model(name, model_id, row)
            except (ValueError, TypeError) as error:
                problems.append(f"pool `{name}`: model `{model_id}`: {error}")
    if problems:
        raise PoolsError(problems)
    return models


def _model(pool: str, model_id: str, row: Any) -> Model:
    if not isinstance(row, dict):
        raise TypeError("it is no JSON object")
    row = {"upstream": model_id, "type": "chat", "credits": 1, **row}
    kind = row["type"]
    if kind not in SPECS:
        raise ValueError(f"`type` is none of {', '.join(SPECS)}")
    fields = set(SPECS[kind].__struct_fields__)
    spec = {**DEFAULTS[kind], **{key: row.pop(key) for key in list(row) if key in fields}}
    if kind == "chat":
        spec["max_output"] = min(spec["max_output"], spec["context"])
        named = spec.get("ignores", ())
        spec["ignores"] = [*named, *(name for name in SERVERS_OWN if name not in named)]
    model = {
        "description": f"{row['upstream']}, on servers of the operator's own.",
        "created": date(2026, 1, 1),
        "timeout_seconds": 120,
        **row,
        "id": model_id,
        "provider": pool,
        "vendor": "Self-hosted",
        "credits": str(row["credits"]),
        kind: spec,
    }
    return msgspec.convert(model, Model)


def _faults_of_pool(name: str, pool: Any) -> list[str]:
    if not isinstance(pool, dict) or not isinstance(pool.get("models"), dict):
        return [f"pool `{name}` lacks `models`, an object of model ids"]
    replicas = pool.get("replicas")
    if not isinstance(replicas, list) or not replicas:
        return [f"pool `{name}` lacks `replicas`, a list of addresses"]
    problems = [f"pool `{name}` has a key `{key}`, which is none" for key in pool.keys() - POOL_KEYS]
    problems += [
        f"pool `{name}`: {url!r} is no address such as http://gpu-1:8000/v1"
        for url in replicas
        if not (isinstance(url, str) and url.startswith(("http://", "https://")))
    ]
    if not isinstance(pool.get("api_key", ""), str):
        problems.append(f"pool `{name}`: `api_key` is no text")
    return problems
