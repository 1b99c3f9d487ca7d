"""How much memory 50 pictures of 12 MB at once take: `python -m bench.image_memory [--pictures N] [--megabytes M]`.

A fake vendor waits until all have been asked for and then answers all at once: with the addresses of files, or with
the files in base64. Clients ask for links, or for base64. Each of the four cases has a gateway of its own, whose peak
of resident memory is read from the system (VmHWM), and every answer is checked. Ends with 1 where one is wrong.
"""

import argparse
import asyncio
import base64
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.processes import BASE_DIR, GATEWAY_CORE, LOAD_CORE, Process, environment, free_port, python, tree
from bench.report import machine

# How long the vendor waits for the last of them. Seconds.
PATIENCE = 30.0


@dataclass(frozen=True)
class Case:
    """`model` is of a vendor that answers with addresses, or of one that answers in base64."""

    name: str
    model: str
    response_format: str


CASES = (
    Case("vendor's address, our link", "seedream-4.5", "url"),
    Case("vendor's address, base64", "seedream-4.5", "b64_json"),
    Case("vendor's base64, our link", "gpt-image-2", "url"),
    Case("vendor's base64, base64", "gpt-image-2", "b64_json"),
)


@dataclass(frozen=True)
class Reading:
    """Megabytes, and seconds until the last client had its answer."""

    idle: float
    peak: float
    seconds: float


# --- The vendor ----------------------------------------------------------------------------------------------------


class Vendor:
    """Both vendors' endpoints, and the files."""

    def __init__(self, port: int, pictures: int, size: int) -> None:
        self._origin = f"http://127.0.0.1:{port}"
        # The beginning of a JPEG; nobody decodes the rest.
        self._file = b"\xff\xd8\xff\xe0" + os.urandom(size - 4)
        self._encoded = base64.b64encode(self._file)
        self._barrier = asyncio.Barrier(pictures)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r")[0] or 0))
                pieces = await self._answer(head.split(b" ")[1])
                length = sum(map(len, pieces))
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: image/jpeg\r\ncontent-length: %d\r\n\r\n" % length)
                for piece in pieces:
                    writer.write(piece)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def _answer(self, path: bytes) -> list[bytes]:
        if not path.endswith(b"/images/generations"):
            return [self._file]
        async with asyncio.timeout(PATIENCE):
            await self._barrier.wait()
        if path.startswith(b"/addresses"):
            return [b'{"data": [{"url": "%b/file.jpeg"}]}' % self._origin.encode()]
        return [b'{"output_format": "jpeg", "data": [{"b64_json": "', self._encoded, b'"}]}']


async def serve_vendor(port: int, pictures: int, size: int) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    server = await asyncio.start_server(Vendor(port, pictures, size).talk, "127.0.0.1", port, backlog=256)
    await stopped.wait()
    server.close()


# --- The gateway and its clients -----------------------------------------------------------------------------------


def measure(case: Case, vendor_port: int, folder: Path, pictures: int, size: int) -> Reading:
    """All from the start of a gateway to its end. Raises AssertionError where an answer is wrong."""
    port = free_port()
    vendor = f"http://127.0.0.1:{vendor_port}"
    env = environment(
        DEBUG="on",
        SECRET_KEY="only-for-the-benchmark-0123456789-abcdefghijklmnop",
        ARKROUTE_DATA=str(folder),
        PORT=str(port),
        OPENAI_API_KEY="sk-bench",
        OPENAI_BASE_URL=f"{vendor}/inline",
        MODELARK_API_KEY="ark-bench",
        MODELARK_BASE_URL=f"{vendor}/addresses",
        FETCH_ALLOWED_PRIVATE_HOSTS=f"127.0.0.1:{vendor_port}",
        CONCURRENT_REQUESTS=str(pictures),
        REQUESTS_PER_MINUTE=str(20 * pictures),
    )
    manage = [sys.executable, "manage.py"]
    subprocess.run([*manage, "migrate", "-v0"], cwd=BASE_DIR, env=env, check=True)
    issue = [*manage, "issue_key", "--email", "bench@example.com", "--credits", "1000000"]
    key = subprocess.run(issue, cwd=BASE_DIR, env=env, check=True, capture_output=True, text=True).stdout.strip()
    with Process([*manage, "serve"], core=GATEWAY_CORE, log=folder / "web.log", env=env) as web:
        web.wait_until_it_answers(port, "/healthz")
        # What a first request loads is no picture's.
        httpx.get(f"http://127.0.0.1:{port}/v1/account", headers={"authorization": f"Bearer {key}"}).raise_for_status()
        idle = memory(web.pid, "VmRSS")
        began = time.perf_counter()
        asyncio.run(ask_all(case, f"http://127.0.0.1:{port}", key, pictures, size))
        return Reading(idle, memory(web.pid, "VmHWM"), time.perf_counter() - began)


async def ask_all(case: Case, url: str, key: str, pictures: int, size: int) -> None:
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=120, limits=httpx.Limits()) as http:
        lengths = await asyncio.gather(*(ask(http, case) for _ in range(pictures)))
        expected = size * 4 // 3 if case.response_format == "b64_json" else 0
        assert all(expected < length < expected + 2_000 for length in lengths), lengths


async def ask(http: httpx.AsyncClient, case: Case) -> int:
    """The length of the answer, which is thrown away as it comes."""
    body = {"model": case.model, "prompt": "a cat", "size": "4K", "response_format": case.response_format}
    if case.model == "gpt-image-2":
        body["output_format"] = "jpeg"
    length = 0
    async with http.stream("POST", "/v1/images/generations", json=body) as response:
        async for piece in response.aiter_raw():
            length += len(piece)
        assert response.status_code == 200, response.status_code
    return length


def memory(root: int, name: str) -> float:
    """Megabytes of the largest process of a tree."""
    found = 0
    for pid in tree(root):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                found = max(found, int(line.split()[1]))
    return found / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=50)
    parser.add_argument("--megabytes", type=int, default=12, help="of each picture's file")
    parser.add_argument("--vendor", type=int, help=argparse.SUPPRESS)  # the port: this process is the vendor
    given = parser.parse_args()
    size = given.megabytes << 20
    if given.vendor:
        asyncio.run(serve_vendor(given.vendor, given.pictures, size))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="image-memory-"))
    readings = {}
    try:
        with ExitStack() as stack:
            port = free_port()
            sizes = ("--pictures", str(given.pictures), "--megabytes", str(given.megabytes))
            command = python("-m", "bench.image_memory", "--vendor", str(port), *sizes)
            vendor = stack.enter_context(Process(command, core=LOAD_CORE, log=folder / "vendor.log"))
            vendor.wait_until_it_answers(port, "/file.jpeg")
            for number, case in enumerate(CASES):
                own = folder / str(number)
                own.mkdir()
                readings[case] = measure(case, port, own, given.pictures, size)
                shutil.rmtree(own)
                print(f"{case.name}: {readings[case]}", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(report(readings, given.pictures, given.megabytes))
    return 0


def report(readings: dict[Case, Reading], pictures: int, megabytes: int) -> str:
    """A table in Markdown."""
    lines = [
        "",
        f"{machine()['processor']}. {pictures} pictures of {megabytes} MB at once, {pictures * megabytes} MB in all.",
        "",
        "| | idle MB | peak MB | above idle, per picture MB | seconds |",
        "|---|---|---|---|---|",
    ]
    for case, one in readings.items():
        above = (one.peak - one.idle) / pictures
        lines.append(f"| {case.name} | {one.idle:,.0f} | {one.peak:,.0f} | {above:.1f} | {one.seconds:.1f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
