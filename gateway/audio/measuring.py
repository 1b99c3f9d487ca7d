"""Runs `meter.py`, in turns: it may take seconds of a processor, for whoever has a key."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from weakref import WeakKeyDictionary, WeakValueDictionary

from gateway.errors import Overloaded

METER = Path(__file__).with_name("meter.py")
# Of one process. Four hours of Opus in packets of 20 ms, 20 MB, take 2 seconds.
CPU_SECONDS = 2
BYTES_PER_CPU_SECOND = 5 << 20  # beyond those
MEMORY_BYTES = 256 << 20
# Wall-clock seconds: for one's turn, and then for a process on a busy machine.
LONGEST_WAIT = 20
PATIENCE = 60
RETRY_AFTER = 10
# What `meter.py` exits with.
NOTHING_TO_HEAR = 3
CODEC_NOT_TAKEN = 4
PIECE = 256 << 10


class NothingToHear(Exception):
    """There is no sound, or no end to the reading."""


class CodecNotTaken(Exception):
    """The sound is in a codec whose length only decoding would tell."""


class Turns:
    """A process for each processor, and one for each owner: nobody's many recordings keep others waiting."""

    def __init__(self) -> None:
        self.processes = asyncio.Semaphore(os.cpu_count() or 1)
        self._owners: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    def owned_by(self, owner: int) -> asyncio.Lock:
        return self._owners.setdefault(owner, asyncio.Lock())


# Locks belong to an event loop.
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, Turns] = WeakKeyDictionary()


async def measure(data: bytes, demuxer: str, *, at_most: float, owner: int) -> float:
    """Seconds of sound in `data`. Raises `NothingToHear`, `CodecNotTaken`, `Overloaded`."""
    turns = _turns.setdefault(asyncio.get_running_loop(), Turns())
    async with AsyncExitStack() as turn:
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                await turn.enter_async_context(turns.owned_by(owner))
                await turn.enter_async_context(turns.processes)
        except TimeoutError:
            raise _overloaded() from None
        return await _run(data, demuxer, at_most)


async def _run(data: bytes, demuxer: str, at_most: float) -> float:
    cpu_seconds = CPU_SECONDS + -(-len(data) // BYTES_PER_CPU_SECOND)
    command = [sys.executable, "-I", str(METER), demuxer, str(at_most), str(cpu_seconds), str(MEMORY_BYTES)]
    meter = await asyncio.create_subprocess_exec(
        *command,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        start_new_session=True,  # a terminal's Ctrl-C is for the server, which lets its requests end
    )
    try:
        async with asyncio.timeout(PATIENCE):
            said, complained = await _converse(meter, data)
            code = await meter.wait()
    except TimeoutError:
        raise _overloaded() from None
    finally:
        if meter.returncode is None:
            meter.kill()
            await meter.wait()
    if code == 0:
        return float(said)
    if code == CODEC_NOT_TAKEN:
        raise CodecNotTaken
    if code == -signal.SIGKILL:  # the system's, when it has no memory left
        raise _overloaded()
    if code == NOTHING_TO_HEAR or code < 0:  # a signal: it went beyond its limits
        raise NothingToHear
    raise RuntimeError(f"recordings cannot be measured: {complained.decode(errors='replace')[-500:]}")


async def _converse(meter: Process, data: bytes) -> tuple[bytes, bytes]:
    """What it says and complains of when it is told `data`, which is long: `communicate` would copy it."""
    assert meter.stdin is not None
    assert meter.stdout is not None
    assert meter.stderr is not None
    reading = asyncio.gather(meter.stdout.read(), meter.stderr.read())
    try:
        with suppress(BrokenPipeError, ConnectionResetError):  # it ended without having heard all
            for at in range(0, len(data), PIECE):
                meter.stdin.write(data[at : at + PIECE])
                await meter.stdin.drain()
        meter.stdin.close()
        said, complained = await reading
    finally:
        reading.cancel()
    return said, complained


def _overloaded() -> Overloaded:
    return Overloaded(
        "Too many recordings wait to be measured. Nothing was charged; try again.", retry_after=RETRY_AFTER
    )
