"""Whether the vendors still answer: one cheap call for each configured key and each thing that it can do.

    python -m bench.live_smoke                               # a gateway of its own, with the keys of the environment
    python -m bench.live_smoke --base-url URL --key ark-…    # a gateway that runs already, with whatever keys it has

Keys are the variables of `.env.example` (`OPENAI_API_KEY`, …), from the environment or from `--env-file`. The calls are
real and cost the vendors' money, a few cents in all. The cheapest model of each kind answers; stand-ins are off, and an
answer by another provider, as a fallback gives it, counts as a failure. Ends with 1 when a call failed.
"""

import argparse
import base64
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environ
import httpx

from bench.processes import BASE_DIR, GATEWAY_CORE, Process, environment, free_port, python

# By provider: the variable of its keys, and that of its address.
VARIABLES = {
    "openai": ("OPENAI_API_KEY", "OPENAI_BASE_URL"),
    "google": ("GEMINI_API_KEY", "GEMINI_BASE_URL"),
    "bytedance": ("MODELARK_API_KEY", "MODELARK_BASE_URL"),
    "kling": ("KLING_API_KEY", "KLING_BASE_URL"),
    "alibaba": ("DASHSCOPE_API_KEY", "DASHSCOPE_BASE_URL"),
}
# Kling's older keys are pairs.
KLING_PAIR = ("KLING_ACCESS_KEY", "KLING_SECRET_KEY")
ALSO_PASSED_ON = ("FETCH_ALLOWED_PRIVATE_HOSTS", "PROVIDER_TIMEOUT_SECONDS")
KINDS = ("chat", "embedding", "image", "transcription")
RECORDING = BASE_DIR / "tests" / "audio" / "sentence.flac"
# The longest that a vendor's picture takes.
SECONDS = 400


@dataclass
class Row:
    """A line of the table. `note` is what came back, or why nothing did."""

    provider: str
    key: str
    what: str
    model: str = ""
    status: str = "skipped"
    milliseconds: int = 0
    credits: str = ""
    note: str = ""

    @property
    def cells(self) -> list[str]:
        took = f"{self.milliseconds:,}" if self.milliseconds else ""
        return [self.provider, self.key, self.what, self.model, self.status, took, self.credits, self.note]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-url", help="of a gateway that runs already, without /v1")
    parser.add_argument("--key", help="an API key of that gateway")
    data = Path(os.environ.get("ARKROUTE_DATA") or BASE_DIR / "var")
    parser.add_argument("--env-file", type=Path, default=data / ".env", help="more variables (%(default)s)")
    given = parser.parse_args(arguments)
    if bool(given.base_url) != bool(given.key):
        parser.error("--base-url and --key go together")
    if given.base_url:
        with httpx.Client(base_url=given.base_url, headers=bearer(given.key), timeout=SECONDS) as client:
            rows = call_everything(client, dict.fromkeys(VARIABLES, "its own"))
    else:
        rows = call_with_each_key(read_keys(given.env_file))
    print_table(rows)
    return int(any(row.status not in ("ok", "skipped") for row in rows))


def read_keys(env_file: Path) -> dict[str, list[str]]:
    """The keys of each provider."""
    if env_file.is_file():
        environ.Env.read_env(str(env_file), overwrite=False)

    def listed(variable: str) -> list[str]:
        return [one.strip() for one in os.environ.get(variable, "").split(",") if one.strip()]

    keys = {provider: listed(variable) for provider, (variable, _) in VARIABLES.items()}
    access, secret = map(listed, KLING_PAIR)
    keys["kling"] += [f"{first}|{second}" for first, second in zip(access, secret, strict=False)]
    return keys


def call_with_each_key(keys: dict[str, list[str]]) -> list[Row]:
    """One gateway for the first key of every provider, one for the second, and so on."""
    rows = [
        Row(provider, "", "everything", note=f"no key: set {VARIABLES[provider][0]}")
        for provider, found in keys.items()
        if not found
    ]
    for number in range(max(map(len, keys.values()))):
        of_this_turn = {provider: found[number] for provider, found in keys.items() if number < len(found)}
        with own_gateway(of_this_turn) as client:
            rows += call_everything(client, {provider: masked(key) for provider, key in of_this_turn.items()})
    return rows


@contextmanager
def own_gateway(keys: dict[str, str]) -> Iterator[httpx.Client]:
    """A gateway that knows these keys and nothing else, and a client with credits."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="live-smoke-") as folder:
        variables = {VARIABLES[provider][0]: key for provider, key in keys.items()}
        passed_on = (*(address for _, address in VARIABLES.values()), *ALSO_PASSED_ON)
        variables |= {name: os.environ[name] for name in passed_on if name in os.environ}
        env = environment(
            DEBUG="on",
            SECRET_KEY="only-for-the-smoke-test-0123456789-abcdefghijklmnop",
            ARKROUTE_DATA=folder,
            ARKROUTE_STAND_INS="off",
            PORT=str(port),
            ENGINE_URL=f"http://127.0.0.1:{free_port()}",
            **variables,
        )
        subprocess.run(python("manage.py", "migrate", "-v0"), cwd=BASE_DIR, env=env, check=True)
        issue = python("manage.py", "issue_key", "--email", "smoke@example.com", "--credits", "10000")
        key = subprocess.run(issue, cwd=BASE_DIR, env=env, check=True, capture_output=True, text=True).stdout.strip()
        with (
            Process(python("manage.py", "serve"), core=GATEWAY_CORE, log=Path(folder) / "web.log", env=env) as web,
            httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=bearer(key), timeout=SECONDS) as client,
        ):
            web.wait_until_it_answers(port, "/healthz")
            yield client


def call_everything(client: httpx.Client, keys: dict[str, str]) -> list[Row]:
    """A row for each provider of `keys` and each kind of model."""
    models = client.get("/v1/models").raise_for_status().json()["data"]
    rows = []
    for provider, key in keys.items():
        for kind in KINDS:
            fitting = [one for one in models if (one["provider"], one["type"]) == (provider, kind)]
            row = Row(provider, key, kind)
            if fitting:
                call(client, cheapest(fitting), row)
            else:
                row.note = "it has no such model here, or no key"
            rows.append(row)
    return rows


def cheapest(models: list[dict[str, Any]]) -> dict[str, Any]:
    today = time.strftime("%Y-%m-%d", time.gmtime())
    living = [one for one in models if not one["shutdown_date"] or one["shutdown_date"] > today]
    return min(living or models, key=lambda one: (one["pricing"]["credits"], one["id"]))


def call(client: httpx.Client, model: dict[str, Any], row: Row) -> None:
    row.model = model["id"]
    began = time.perf_counter()
    try:
        response = ask(client, model)
    except httpx.HTTPError as error:
        row.status, row.note = "failed", f"{type(error).__name__}: {error}"
        return
    finally:
        row.milliseconds = round((time.perf_counter() - began) * 1000)
    served_by = response.headers.get("x-arkroute-model", "")
    row.credits = response.headers.get("x-arkroute-credits", "")
    if "x-arkroute-stand-in" in response.headers:
        row.note = f"no key: {served_by} stood in"
    elif response.status_code != 200:
        error = response.json()["error"]
        row.status, row.note = f"failed {response.status_code}", f"{error['code']}: {error['message']}"
    elif served_by.partition("/")[0] != row.provider:
        row.status, row.note = "failed", f"{served_by} answered in its place"
    else:
        row.status, row.note = "ok", tell(model["type"], response.json())


def ask(client: httpx.Client, model: dict[str, Any]) -> httpx.Response:
    name = model["id"]
    match model["type"]:
        case "chat":
            # Room enough for a model that thinks first; all of it is covered by the base price.
            messages = [{"role": "user", "content": "Answer with the one word: ready"}]
            body = {"model": name, "messages": messages, "max_completion_tokens": 900}
            return client.post("/v1/chat/completions", json=body)
        case "embedding":
            return client.post("/v1/embeddings", json={"model": name, "input": "A lighthouse in the evening."})
        case "image":
            body = {
                "model": name,
                "prompt": "A red circle on white",
                "size": "1024x1024",
                "response_format": "b64_json",
            }
            qualities = model["parameters"]["properties"].get("quality", {}).get("enum", [])
            return client.post("/v1/images/generations", json=body | ({"quality": "low"} if "low" in qualities else {}))
        case _:
            files = {"file": (RECORDING.name, RECORDING.read_bytes(), "audio/flac")}
            return client.post("/v1/audio/transcriptions", data={"model": name}, files=files)


def tell(kind: str, answer: dict[str, Any]) -> str:
    """What came back, in a few words."""
    match kind:
        case "chat":
            choice = answer["choices"][0]
            return repr(choice["message"]["content"] or choice["finish_reason"])[:60]
        case "embedding":
            return f"{len(answer['data'][0]['embedding']):,} dimensions"
        case "image":
            return f"{answer.get('size', '')}, {len(base64.b64decode(answer['data'][0]['b64_json'])):,} bytes"
        case _:
            return repr(answer["text"])[:60]


def print_table(rows: list[Row]) -> None:
    heads = ["provider", "key", "what", "model", "status", "ms", "credits", "answer"]
    lines = [heads, *(row.cells for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    counts = [sum(row.status == status for row in rows) for status in ("ok", "skipped")]
    print(f"\n{counts[0]} ok, {counts[1]} skipped, {len(rows) - sum(counts)} failed.")


def masked(key: str) -> str:
    return f"…{key[-4:]}" if len(key) >= 12 else "…"


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


if __name__ == "__main__":
    raise SystemExit(main())
