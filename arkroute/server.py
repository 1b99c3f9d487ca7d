"""uvicorn, ending the way load balancers need it."""

import gc
import os
import signal
import socket
import threading
from collections.abc import Callable
from time import monotonic
from types import FrameType

import uvicorn

from api.consumers import LARGEST_MESSAGE
from arkroute.protocol import Protocol
from arkroute.runtime import Part, runtime
from gateway import events

# Seconds between telling (/readyz answers 503) and closing: long enough for a balancer that asks every second or is
# told by its own supervisor, short enough for people who wait for a restart.
NOTICE = 1.0
# What a forced end leaves to those that are cut off.
FORCED_SECONDS = 3.0
BACKLOG = 2048
# Longer than the 60 seconds after which common balancers close an idle connection, so that they close first and never
# send a request into a closing one.
KEEP_ALIVE_SECONDS = 75


class Server(uvicorn.Server):
    """SIGTERM gives notice, closes the listeners, lets what is in flight end, and exits with 0.

    Stock uvicorn closes at once, and ends by raising the signal again (exit status 143). SIGINT does without the
    notice; a second signal of either kind forces the end.
    """

    def __init__(self, config: uvicorn.Config, *, jobs: bool, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._jobs = jobs
        self._on_ready = on_ready
        self._closes_at: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        runtime().parts = Part.REQUESTS | Part.JOBS if self._jobs else Part.REQUESTS
        await super().startup(sockets)
        # What lives now lives for ever: the collector need not walk it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # They would stay for as long as their videos take. Websockets uvicorn closes by itself (1012).
        events.interrupt()
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        if self._closes_at is not None and monotonic() >= self._closes_at:
            self.should_exit = True
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if runtime().draining:
            self.should_exit = self.force_exit = True
            # What is cancelled now may still settle; a thread that hangs in a database is not waited for.
            timer = threading.Timer(FORCED_SECONDS, os._exit, (1,))
            timer.daemon = True
            timer.start()
            return
        runtime().draining = True
        self._closes_at = monotonic() + (NOTICE if sig == signal.SIGTERM else 0)


def listen(host: str, port: int) -> socket.socket:
    """The listening socket that all workers share. Raises `OSError` where the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def serve(listener: socket.socket, *, jobs: bool, on_ready: Callable[[], None]) -> int:
    """Answers until a signal ends it. Returns the exit status: 0, or 1 where the end was forced."""
    config = uvicorn.Config(
        "arkroute.asgi:application",
        loop="uvloop",
        http=Protocol,
        ws_max_size=LARGEST_MESSAGE,
        lifespan="on",
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        # The project's own logging; a line for each request would hold what must not be kept.
        log_config=None,
        access_log=False,
        server_header=False,
        # Done in `arkroute.asgi`, for those who need it.
        proxy_headers=False,
    )
    server = Server(config, jobs=jobs, on_ready=on_ready)
    server.run(sockets=[listener])
    return 1 if server.force_exit else 0
