"""`make bench`: CPU time per request of the gateway, of nginx and of a plain DRF version, in turns, and their ratios.

    python -m bench.run [--seconds S] [--quick] [--full] [--svg FILE]

The gateway has a core of its own; load, upstream and Postgres share another. Rounds are interleaved, each reading goes
from idle to idle, so that it holds whole requests and nobody else's backlog. Ends with 1 when the gateway does not
start or its books do not agree with the answers that the load counted. The figures are also written to
`<ARKROUTE_DATA>/bench/`.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

from bench.contestants import CONTESTANTS, ArkRoute, Contestant, upstream_command
from bench.load import DRAIN_SECONDS
from bench.processes import (
    BASE_DIR,
    LOAD_CORE,
    NotStarted,
    Process,
    cpu_seconds,
    environment,
    free_port,
    python,
    wait_until_idle,
)
from bench.report import Case, Reading, Report, machine

QUICK_CASES = (Case(stream=False, connections=64), Case(stream=True, connections=64))
CASES = (*QUICK_CASES, Case(stream=True, connections=64, pace=20))
FULL_CASES = (*CASES, Case(stream=False, connections=1), Case(stream=False, connections=256))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="of load per reading")
    parser.add_argument("--quick", action="store_true", help="one round of one second: under a minute in all")
    parser.add_argument("--full", action="store_true", help="also 1 and 256 connections: half as long again")
    parser.add_argument("--svg", type=Path, help="draw the figures into this file")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.sched_setaffinity(0, {LOAD_CORE})

    data = Path(os.environ.get("ARKROUTE_DATA", BASE_DIR / "var")).resolve() / "bench"
    data.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=data))
    report = Report(machine())
    try:
        with ExitStack() as stack:
            contestants = start_all(stack, folder, report)
            if given.quick:
                take_readings(contestants, report, QUICK_CASES, rounds=1, seconds=1.0)
            else:
                take_readings(contestants, report, FULL_CASES if given.full else CASES, 3, given.seconds)
            check_books(contestants, report)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(report.text())
    results = data / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    results.write_text(json.dumps(report.as_dict(), indent=1) + "\n")
    say(f"written to {results}")
    if given.svg:
        given.svg.write_text(report.svg())
        say(f"drawn into {given.svg}")
    return 1 if report.wrong else 0


def start_all(stack: ExitStack, folder: Path, report: Report) -> list[Contestant]:
    """Those that could be started and answer; the others are left out, with the reason in the report."""
    port = free_port()
    upstream = stack.enter_context(Process(upstream_command(port), core=LOAD_CORE, log=folder / "upstream.log"))
    upstream.wait_until_it_answers(port, "/")
    contestants = []
    for kind in CONTESTANTS:
        contestant = kind(folder, port)
        say(f"starting {contestant.name}")
        try:
            contestant.start(stack)
            for case in QUICK_CASES:
                warm_up(contestant, case)
        except NotStarted as failure:
            say(f"  left out: {failure}")
            if isinstance(contestant, ArkRoute):
                report.wrong.append(f"{contestant.name} was left out: {failure}")
            else:
                report.left_out[contestant.name] = str(failure)
            continue
        contestants.append(contestant)
    return contestants


def warm_up(contestant: Contestant, case: Case) -> None:
    """Half a second of load that is not measured. Raises NotStarted when nothing of it succeeds."""
    outcome = send_load(contestant, case, 0.5)
    if not outcome["requests"]:
        raise NotStarted(f"no request succeeded: {outcome['errors']}: {contestant.process.last_words()}")


def take_readings(
    contestants: list[Contestant], report: Report, cases: tuple[Case, ...], rounds: int, seconds: float
) -> None:
    for number in range(1, rounds + 1):
        for case in cases:
            for contestant in contestants:
                reading = measure(contestant, case, seconds)
                report.add(reading)
                say(f"round {number} of {rounds}: {reading}")


def measure(contestant: Contestant, case: Case, seconds: float) -> Reading:
    """From idle, through the load, to idle again."""
    trees = [pid for pid in (contestant.pid, contestant.database_pid) if pid]
    set_pace(contestant, case.pace)
    wait_until_idle(*trees)
    before = [cpu_seconds(pid) for pid in trees]
    outcome = send_load(contestant, case, seconds)
    wait_until_idle(*trees)
    used = [cpu_seconds(pid) - start for pid, start in zip(trees, before, strict=True)]
    set_pace(contestant, 0)
    requests = max(outcome["requests"], 1)
    return Reading(
        contestant=contestant.name,
        case=case,
        requests=outcome["requests"],
        errors=outcome["errors"],
        cpu=1e6 * used[0] / requests,
        database_cpu=1e6 * used[1] / requests if len(used) > 1 else None,
        rate=outcome["requests"] / outcome["seconds"],
        busy=used[0] / outcome["seconds"],
        load_busy=outcome["own_cpu"] / outcome["seconds"],
        p50=outcome["p50"],
        p99=outcome["p99"],
    )


def send_load(contestant: Contestant, case: Case, seconds: float) -> dict:
    """What the load counted (bench.load.Outcome); every success is remembered for the books."""
    command = python(
        *("-m", "bench.load", "--port", str(contestant.port), "--key", contestant.key),
        *("--connections", str(case.connections), "--seconds", str(seconds)),
        *(["--stream"] if case.stream else []),
    )
    limit = seconds + DRAIN_SECONDS + 20
    done = subprocess.run(command, cwd=BASE_DIR, env=environment(), capture_output=True, timeout=limit, check=True)
    outcome = json.loads(done.stdout)
    contestant.succeeded += outcome["requests"]
    return outcome


def set_pace(contestant: Contestant, milliseconds: int) -> None:
    urllib.request.urlopen(f"http://127.0.0.1:{contestant.upstream_port}/pace/{milliseconds}", timeout=5).close()


def check_books(contestants: list[Contestant], report: Report) -> None:
    for contestant in contestants:
        if not contestant.keeps_books:
            continue
        complaint = contestant.wrong_in_the_books()
        say(f"books of {contestant.name}: {complaint or f'right, {contestant.succeeded} receipts'}")
        if complaint:
            report.wrong.append(f"{contestant.name}: {complaint}")


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
