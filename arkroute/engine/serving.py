"""uvicorn in front of the engine, ending the way an engine may: at once."""

import os
import signal
import socket
from types import FrameType
from typing import NoReturn

import uvicorn

from arkroute.engine.front import Front
from arkroute.protocol import Protocol

# Longer than the client of the gateway keeps an idle connection, so that it closes first.
KEEP_ALIVE_SECONDS = 75


class Server(uvicorn.Server):
    def __init__(self, front: Front, address: str) -> None:
        config = uvicorn.Config(
            front,
            loop="uvloop",
            http=Protocol,
            ws="none",
            lifespan="off",
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
        )
        super().__init__(config)
        self._ready = f"The engine is ready on {address} ({', '.join(front.models)})"

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(self._ready, flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        end_at_once(sig, frame)


def end_with_signals() -> None:
    """From now on, SIGTERM and SIGINT end the process with exit status 0, while models load, too."""
    signal.signal(signal.SIGTERM, end_at_once)
    signal.signal(signal.SIGINT, end_at_once)


def end_at_once(number: int, frame: FrameType | None) -> NoReturn:
    # Not sys.exit: llama.cpp's destructors would wait for the answers in progress.
    os._exit(0)


def reserve(port: int) -> socket.socket:
    """A socket that holds the port of the loopback, and does not listen yet. Raises `OSError` where it is taken.

    Loading models lets nothing else run: who connects meanwhile is refused, rather than kept waiting.
    """
    listener = socket.socket(socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.close()
        raise
    return listener
