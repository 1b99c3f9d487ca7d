"""A provider that answers at once: `python -m bench.upstream --port P`.

It speaks OpenAI's chat completions over HTTP/1.1 with keep-alive and does as little as it can, because it shares a core
with the load. After `GET /pace/20` each event of a stream comes 20 ms after the last, until `GET /pace/0`.
"""

import argparse
import asyncio
import os
import re
import signal

import httptools
import uvloop

from bench.wire import reply_body, stream_events

_STREAM = re.compile(rb'"stream":\s*true')
_REPLY = reply_body()
_ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_benchmark\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(_REPLY), _REPLY)
)
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
    b"x-request-id: req_benchmark\r\ntransfer-encoding: chunked\r\n\r\n"
)
_STREAM_EVENTS = [b"%x\r\n%b\r\n" % (len(event), event) for event in stream_events()]
_STREAM_END = b"0\r\n\r\n"


class Answering(asyncio.Protocol):
    """One connection of a gateway."""

    pace = 0.0  # seconds, of all connections

    def __init__(self) -> None:
        self.body = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        self.descriptor = transport.get_extra_info("socket").fileno()
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        if url.startswith(b"/pace/"):
            Answering.pace = int(url.removeprefix(b"/pace/")) / 1000

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        streamed = _STREAM.search(self.body)
        self.body = b""
        if not streamed:
            self.transport.write(_ANSWER)
        elif self.pace:
            self.transport.write(_STREAM_HEAD)
            self.send_paced(0)
        else:
            self.send_at_once()

    def send_at_once(self) -> None:
        """Every event in a segment of its own, as providers send them. The loop would join what one turn writes."""
        pieces = iter([_STREAM_HEAD, *_STREAM_EVENTS, _STREAM_END])
        for piece in pieces:
            try:
                sent = os.write(self.descriptor, piece)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.transport.abort()
                return
            if sent < len(piece):
                self.transport.write(piece[sent:] + b"".join(pieces))

    def send_paced(self, number: int) -> None:
        if self.transport.is_closing():
            return
        if number == len(_STREAM_EVENTS):
            self.transport.write(_STREAM_END)
            return
        self.transport.write(_STREAM_EVENTS[number])
        asyncio.get_running_loop().call_later(self.pace, self.send_paced, number + 1)


async def serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    server = await loop.create_server(Answering, "127.0.0.1", port, backlog=1024)
    await stopped.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
