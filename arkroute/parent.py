"""Ends a process together with the one that started it, however that one ended.

A supervisor that is killed cannot tell its processes, and they would hold their ports for ever. It leaves its id in
`ARKROUTE_PARENT_PID`; whoever finds that looks once a second. (Linux could send a signal, PR_SET_PDEATHSIG, but honcho
has a process of its own in between, and macOS has no such call.)
"""

import os
import signal
import threading
import time

VARIABLE = "ARKROUTE_PARENT_PID"


def end_with_parent() -> None:
    """Sends this process a SIGTERM once the supervisor or the direct parent is gone. Does nothing without one."""
    supervisor = int(os.environ.get(VARIABLE, "0"))
    if supervisor:
        threading.Thread(target=_watch, args=(supervisor, os.getppid()), name="parent", daemon=True).start()


def _watch(supervisor: int, parent: int) -> None:
    while os.getppid() == parent and _is_alive(supervisor):
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
