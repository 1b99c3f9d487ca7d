"""Two vendors of video, ByteDance's tasks and Kling's, at one port: `python -m bench.video_vendor --port P`.

A task's id says when its clip is ready: `task-<number>-<milliseconds since 1970>`; those that are submitted here take
as long as `--seconds` says, half of it more or less. Every look is answered after `--latency` milliseconds.
`GET /looks` tells which were asked for since it was last called, and when: 16 bytes each, number and time as doubles.
"""

import argparse
import array
import asyncio
import itertools
import json
import random
import signal
import time

import httptools
import uvloop

KLING = "/v1/videos/text2video"
BYTEDANCE = "/contents/generations/tasks"
# The numbers of those that are submitted here.
FIRST_NUMBER = 1_000_000
# The beginning of an MP4; nobody decodes the rest.
CLIP = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + bytes(4000)


def task_id(number: int, ready: float) -> str:
    return f"task-{number}-{int(ready * 1000)}"


class Vendor:
    """What it knows: nothing of tasks, but of who has looked."""

    def __init__(self, port: int, seconds: float, latency: float) -> None:
        self.latency = latency
        self._origin = f"http://127.0.0.1:{port}"
        self._seconds = seconds
        self._numbers = itertools.count(FIRST_NUMBER)
        self._looks = array.array("d")

    def answer(self, method: str, path: str) -> bytes:
        path = path.partition("?")[0]
        if path == "/clip.mp4":
            return CLIP
        if path == "/looks":
            looks, self._looks = self._looks, array.array("d")
            return looks.tobytes()
        kling = KLING in path
        if method == "POST":
            ready = time.time() + self._seconds * random.uniform(0.5, 1.5)
            new_id = task_id(next(self._numbers), ready)
            return self._kling(new_id, "submitted") if kling else json.dumps({"id": new_id}).encode()
        asked = path.rpartition("/")[2]
        _, number, milliseconds = asked.split("-")
        now = time.time()
        self._looks.extend((float(number), now))
        is_ready = now * 1000 >= int(milliseconds)
        if kling:
            return self._kling(asked, "succeed" if is_ready else "processing", is_ready)
        task = {
            "id": asked,
            "model": "seedance-1-5-pro-251215",
            "status": "succeeded" if is_ready else "running",
            "content": {"video_url": f"{self._origin}/clip.mp4"} if is_ready else None,
            "created_at": int(now) - 60,
            "updated_at": int(now),
            "resolution": "720p",
            "ratio": "16:9",
            "duration": 5,
            "framespersecond": 24,
        }
        return json.dumps(task).encode()

    def _kling(self, asked: str, status: str, is_ready: bool = False) -> bytes:
        data = {"task_id": asked, "task_status": status, "task_status_msg": "", "created_at": 1, "updated_at": 2}
        if is_ready:
            video = {"id": asked, "url": f"{self._origin}/clip.mp4", "duration": "5.1"}
            data["task_result"] = {"videos": [video]}
        return json.dumps({"code": 0, "message": "SUCCEED", "request_id": "bench", "data": data}).encode()


class Answering(asyncio.Protocol):
    """One connection of a gateway."""

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)
        self._path = ""

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._path += url.decode()

    def on_message_complete(self) -> None:
        path, self._path = self._path, ""
        body = self._vendor.answer(self._parser.get_method().decode(), path)
        latency = self._vendor.latency if path.startswith((KLING, BYTEDANCE)) else 0
        asyncio.get_running_loop().call_later(latency, self._send, body)

    def _send(self, body: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
            )


async def serve(port: int, seconds: float, latency: float) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    vendor = Vendor(port, seconds, latency)
    server = await loop.create_server(lambda: Answering(vendor), "127.0.0.1", port, backlog=2048)
    await stopped.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True, help="that a task takes")
    parser.add_argument("--latency", type=float, default=100, help="milliseconds until a look is answered")
    given = parser.parse_args()
    uvloop.run(serve(given.port, given.seconds, given.latency / 1000))


if __name__ == "__main__":
    main()
