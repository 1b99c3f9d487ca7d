"""The load: `python -m bench.load --port P --connections N --seconds S [--stream] [--key K]`, one line of JSON.

Each connection sends its next request when the last is answered. After the seconds are over, what is in flight may end,
so that whoever measures the gateway from idle to idle has paid for whole requests only.
"""

import argparse
import asyncio
import json
import time
from dataclasses import asdict, dataclass, field

import httptools
import uvloop

from bench.wire import CHUNKS, request_body

# What is still unanswered so long after the last second is an error.
DRAIN_SECONDS = 30


@dataclass
class Outcome:
    """What came back. `seconds` runs from the first request to the last answer, latencies are in milliseconds."""

    requests: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    own_cpu: float = 0.0


class Client(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, load: "Load") -> None:
        self.load = load
        self.started = 0.0
        self.pieces: list[bytes] = []

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        self.parser = httptools.HttpResponseParser(self)
        self.send()

    def send(self) -> None:
        self.started = time.perf_counter()
        self.transport.write(self.load.request)

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.abort()

    def on_body(self, body: bytes) -> None:
        self.pieces.append(body)

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        body = b"".join(self.pieces)
        self.pieces.clear()
        self.load.count(self.parser.get_status_code(), body, now - self.started)
        self.started = 0.0
        if now < self.load.end and self.parser.should_keep_alive():
            self.send()
        else:
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if self.started:
            self.load.fail("connection lost")
        self.load.connection_ended()


class Load:
    """A number of connections to one gateway, for a number of seconds."""

    def __init__(self, port: int, *, connections: int, seconds: float, stream: bool, key: str) -> None:
        body = request_body(stream=stream)
        self.request = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        ).encode() + body
        self.port = port
        self.connections = connections
        self.stream = stream
        self.seconds = seconds
        self.latencies: list[float] = []
        self.errors: dict[str, int] = {}
        self.open = 0

    async def run(self) -> Outcome:
        self.loop = asyncio.get_running_loop()
        self.ended = asyncio.Event()
        start, own_cpu = time.perf_counter(), time.process_time()
        self.end = start + self.seconds
        await asyncio.gather(*(self.connect() for _ in range(self.connections)))
        if self.open:
            try:
                await asyncio.wait_for(self.ended.wait(), self.seconds + DRAIN_SECONDS)
            except TimeoutError:
                self.fail("no answer", self.open)
        self.latencies.sort()
        return Outcome(
            requests=len(self.latencies),
            errors=self.errors,
            seconds=time.perf_counter() - start,
            p50=self.latency(0.50),
            p99=self.latency(0.99),
            own_cpu=time.process_time() - own_cpu,
        )

    async def connect(self) -> None:
        self.open += 1
        try:
            await self.loop.create_connection(lambda: Client(self), "127.0.0.1", self.port)
        except OSError as error:
            self.fail(f"connect: {error.strerror}")
            self.open -= 1

    def connection_ended(self) -> None:
        self.open -= 1
        # A server may close what it keeps alive; the count of failed ones bounds how often we come back.
        if time.perf_counter() < self.end and sum(self.errors.values()) < 10 * self.connections:
            self.reconnecting = self.loop.create_task(self.connect())
        elif not self.open:
            self.ended.set()

    def count(self, status: int, body: bytes, seconds: float) -> None:
        if status != 200:
            self.fail(f"status {status}")
        elif self.stream and not body.endswith(b"data: [DONE]\n\n"):
            self.fail("stream without its end")
        elif self.stream and body.count(b"data: {") < CHUNKS:
            self.fail("stream with a gap")
        elif not self.stream and b'"usage"' not in body:
            self.fail("body cut")
        else:
            self.latencies.append(seconds)

    def fail(self, reason: str, times: int = 1) -> None:
        self.errors[reason] = self.errors.get(reason, 0) + times

    def latency(self, share: float) -> float:
        if not self.latencies:
            return 0.0
        return 1000 * self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--key", default="none")
    given = parser.parse_args()
    load = Load(given.port, connections=given.connections, seconds=given.seconds, stream=given.stream, key=given.key)
    print(json.dumps(asdict(uvloop.run(load.run()))))


if __name__ == "__main__":
    main()
