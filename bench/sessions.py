"""`make bench-sessions`: what a session saves on the engine: the second turn of a conversation, with and without it.

    python -m bench.sessions [--rounds N]

A conversation of about 1,000 tokens. Its second turn is sent through the gateway once with the session's cookie and
once without, alone and with another conversation in between. llama.cpp's cache of prompts in host RAM is off, since it
would hide what the loss of a slot costs; every conversation begins with other words, so that none profits from
another. Ends with 1 when a pinned turn does not need at least ten times less prompt evaluation.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx

from bench.processes import BASE_DIR, GATEWAY_CORE, LOAD_CORE, Process, environment, free_port, python
from bench.report import machine

LEAST_RATIO = 10
COOKIE = "ark_session_id"
VOCABULARY = (
    "river stone garden window morning letter market silver engine bridge winter harbour candle orchard village "
    "mirror lantern thunder meadow captain island forest copper journey ribbon shadow teacher weather kitchen feather "
    "planet saddle velvet walnut timber anchor basket curtain dragon falcon guitar hammer"
)


@dataclass(frozen=True)
class Turn:
    """What one second turn took. Times in milliseconds."""

    evaluated: int  # tokens of the prompt
    evaluation: float
    first_token: float
    state: str


class Gateway:
    """The gateway and its engine, as `make run` would start them."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        port, engine_port = free_port(), free_port()
        env = environment(
            DEBUG="on",
            SECRET_KEY="only-for-the-benchmark-0123456789-abcdefghijklmnop",
            ARKROUTE_DATA=str(folder),
            PORT=str(port),
            ENGINE_URL=f"http://127.0.0.1:{engine_port}",
        )
        manage = [sys.executable, "manage.py"]
        subprocess.run([*manage, "migrate", "-v0"], cwd=BASE_DIR, env=env, check=True)
        issue = [*manage, "issue_key", "--email", "bench@example.com", "--credits", "100000"]
        self.key = subprocess.run(
            issue, cwd=BASE_DIR, env=env, check=True, capture_output=True, text=True
        ).stdout.strip()
        # llama.cpp works with as many threads as the process has cores.
        engine = Process(
            python("manage.py", "run_engine", "--prompt-cache-mib", "0"),
            core=GATEWAY_CORE,
            log=folder / "engine.log",
            env=env,
        )
        stack.enter_context(engine).wait_until_it_answers(engine_port, "/health", seconds=120)
        web = Process(python("manage.py", "serve"), core=LOAD_CORE, log=folder / "web.log", env=env)
        stack.enter_context(web).wait_until_it_answers(port, "/healthz")
        self.client = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=300))

    def ask(self, messages: list[dict], cookie: str, *, stream: bool = False) -> tuple[httpx.Response, float]:
        """The answer, and the seconds to its first token (of a stream)."""
        body = {"model": "smollm2-135m-instruct", "messages": messages, "max_tokens": 16, "temperature": 0}
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        headers = {"authorization": f"Bearer {self.key}"} | ({"cookie": f"{COOKIE}={cookie}"} if cookie else {})
        self.client.cookies.clear()
        began, first = time.perf_counter(), 0.0
        with self.client.stream("POST", "/v1/chat/completions", json=body, headers=headers) as response:
            pieces = []
            for piece in response.iter_bytes():
                first = first or time.perf_counter() - began
                pieces.append(piece)
        response._content = b"".join(pieces)
        response.raise_for_status()
        return response, first

    def forget_sessions(self) -> None:
        """Gives all slots free, so that no case has to do with what another left there."""
        headers = {"authorization": f"Bearer {self.key}"}
        for session in self.client.get("/v1/sessions", headers=headers).raise_for_status().json()["data"]:
            self.client.delete(f"/v1/sessions/{session['id']}", headers=headers).raise_for_status()


class Conversation:
    """Its first turn is about 1,000 tokens long, the second adds about 25."""

    def __init__(self, gateway: Gateway, seed: int) -> None:
        story = " ".join(random.Random(seed).choices(VOCABULARY.split(), k=930))
        self._gateway = gateway
        self._messages = [{"role": "user", "content": f"Remember these words. {story}. How many animals are there?"}]
        self.cookie = ""

    def first_turn(self) -> None:
        response, _ = self._gateway.ask(self._messages, "")
        self.cookie = response.cookies[COOKIE]
        answer = response.json()["choices"][0]["message"]["content"]
        self._messages += [
            {"role": "assistant", "content": answer},
            {"role": "user", "content": "Thank you. Now tell me in one short sentence which of them can fly."},
        ]

    def second_turn(self, *, pinned: bool) -> Turn:
        response, first_token = self._gateway.ask(self._messages, self.cookie if pinned else "", stream=True)
        last = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: {")][-1]
        return Turn(
            evaluated=last["timings"]["prompt_n"],
            evaluation=last["timings"]["prompt_ms"],
            first_token=first_token * 1000,
            state=response.headers["x-arkroute-session-state"],
        )


def alone(gateway: Gateway, seed: int, *, pinned: bool) -> Turn:
    conversation = Conversation(gateway, seed)
    conversation.first_turn()
    return conversation.second_turn(pinned=pinned)


def interleaved(gateway: Gateway, seed: int, *, pinned: bool) -> Turn:
    """Two conversations that take turns; the first one's second turn is measured after the other's first."""
    one, other = Conversation(gateway, seed), Conversation(gateway, seed + 500_000)
    one.first_turn()
    other.first_turn()
    return one.second_turn(pinned=pinned)


CASES: dict[str, Callable[[Gateway, int], Turn]] = {
    "with the cookie": lambda gateway, seed: alone(gateway, seed, pinned=True),
    "with the cookie, another session between": lambda gateway, seed: interleaved(gateway, seed, pinned=True),
    "without the cookie": lambda gateway, seed: alone(gateway, seed, pinned=False),
    "without the cookie, another session between": lambda gateway, seed: interleaved(gateway, seed, pinned=False),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="of each case, in turns")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    data = Path(os.environ.get("ARKROUTE_DATA", BASE_DIR / "var")).resolve()
    folder = Path(tempfile.mkdtemp(prefix="sessions-"))
    turns: dict[str, list[Turn]] = {name: [] for name in CASES}
    try:
        (folder / "models").symlink_to(data / "models")
        with ExitStack() as stack:
            gateway = Gateway(stack, folder)
            for number in range(given.rounds):
                for place, (name, measure) in enumerate(CASES.items()):
                    gateway.forget_sessions()
                    turn = measure(gateway, 1000 * number + place)
                    turns[name].append(turn)
                    print(f"round {number + 1} of {given.rounds}: {name}: {turn}", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(report(turns))
    return 0 if ratio(turns) >= LEAST_RATIO else 1


def ratio(turns: dict[str, list[Turn]]) -> float:
    """How much less prompt evaluation the slower of the pinned cases needs than the quicker of the others."""
    pinned = max(evaluation(turns[name]) for name in CASES if name.startswith("with the"))
    cold = min(evaluation(turns[name]) for name in CASES if name.startswith("without"))
    return cold / pinned


def evaluation(turns: list[Turn]) -> float:
    return median(turn.evaluation for turn in turns)


def report(turns: dict[str, list[Turn]]) -> str:
    """A table with bars, in Markdown."""
    longest = max(evaluation(rows) for rows in turns.values())
    lines = [
        "",
        f"{machine()['processor']}, the engine on one of them. Second turn of a conversation; medians.",
        "",
        "| second turn | state | tokens evaluated | prompt evaluation ms | first token ms | |",
        "|---|---|---|---|---|---|",
    ]
    for name, rows in turns.items():
        times = sorted(turn.evaluation for turn in rows)
        bar = "█" * max(1, round(30 * median(times) / longest))
        lines.append(
            f"| {name} | {rows[0].state} | {median(turn.evaluated for turn in rows):.0f} "
            f"| {median(times):,.0f} ({times[0]:,.0f}-{times[-1]:,.0f}) "
            f"| {median(turn.first_token for turn in rows):,.0f} | {bar} |"
        )
    lines += ["", f"Pinned turns need {ratio(turns):.1f} times less prompt evaluation (at least {LEAST_RATIO} wanted)."]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
