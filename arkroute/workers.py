"""Several processes behind one listening socket: start them, replace those that crash, end them together."""

import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from types import FrameType

from arkroute import parent

logger = logging.getLogger(__name__)

# A worker tells its supervisor by SIGUSR1 that it serves.
READY = signal.SIGUSR1
WATCHED = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, READY}


def run_workers(count: int, work: Callable[[Callable[[], None]], int], on_ready: Callable[[], None]) -> int:
    """Runs `work` in `count` child processes until a signal ends them. Returns the exit status.

    `work` gets a function to call once it serves, and returns its exit status. `on_ready` is called when the first
    worker serves. One that ends before any did ends them all: the next would fail like it. Later, one that ends is
    replaced.
    """
    # Signals are taken one after the other, never in the middle of something.
    unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    signal.signal(signal.SIGCHLD, _do_nothing)  # where a signal without a handler is dropped even while blocked
    workers = {_start(work, unblocked) for _ in range(count)}
    ready = stopping = False
    status = 0
    while workers:
        number = signal.sigwait(WATCHED)
        if number == READY:
            if not ready:
                ready = True
                on_ready()
        elif number == signal.SIGCHLD:
            for pid, code in _ended_children():
                workers.discard(pid)
                if stopping:
                    status = status or code
                elif ready:
                    logger.error("Worker %d ended with status %d; another takes its place", pid, code)
                    time.sleep(0.5)  # one that crashes at once must not keep a core busy with its successors
                    workers.add(_start(work, unblocked))
                else:
                    stopping, status = True, code or 1
                    _send(signal.SIGTERM, workers)
        else:
            stopping = True
            _send(number, workers)
    return status


def _start(work: Callable[[Callable[[], None]], int], unblocked: set[int | signal.Signals]) -> int:
    supervisor = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    # The child. It must never return into its copy of the supervisor.
    status = 1
    try:
        os.setpgid(0, 0)  # Ctrl-C reaches the supervisor alone, which passes it on; twice would force the end
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
        os.environ[parent.VARIABLE] = str(supervisor)
        parent.end_with_parent()
        status = work(lambda: os.kill(supervisor, READY))
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _ended_children() -> Iterator[tuple[int, int]]:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, os.waitstatus_to_exitcode(status)


def _send(number: int, workers: set[int]) -> None:
    for pid in workers:
        os.kill(pid, number)


def _do_nothing(number: int, frame: FrameType | None) -> None:
    pass
