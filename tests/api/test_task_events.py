"""A video's events as they happen: as server-sent events, and over a websocket."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import msgspec
import pytest
from asgiref.sync import sync_to_async
from channels.layers import InMemoryChannelLayer, channel_layers
from channels_redis.core import RedisChannelLayer
from django.utils import timezone
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from accounts.keys import revoke_key
from accounts.models import ApiKey
from api import consumers
from gateway import events, hints
from gateway.models import TaskEvent, VideoTask
from tests.services import redis_url

ROOT = Path(__file__).resolve().parents[2]
ENDED = {"video.completed": "completed", "video.failed": "failed", "video.cancelled": "cancelled"}


class Log:
    """A task and what happens to it. `bodies` are its events as they were stored."""

    _numbers = count(1)

    def __init__(self, owner: Any, loop: asyncio.AbstractEventLoop | None = None) -> None:
        now = timezone.now()
        number = next(self._numbers)
        self.loop = loop
        self.bodies: list[str] = []
        self.task = VideoTask.objects.create(
            id=f"video_{number}",
            request_id=f"req_{number}",
            account_id=owner.user.pk,
            api_key_id=1,
            endpoint="/v1/video/generations",
            model="kling-v3",
            model_id="kling-v3",
            seconds=5,
            resolution="720p",
            cost=1000,
            next_at=now,
            deadline=now + timedelta(hours=1),
            created_at=now,
        )

    def write(self, *types: str) -> "Log":
        for kind in types:
            number = self.task.last_event = self.task.last_event + 1
            body = {"id": number, "type": kind, "created_at": 1, "task": {"id": self.task.pk, "prompt": "中 \n é"}}
            self.bodies.append(msgspec.json.encode(body).decode())
            TaskEvent.objects.create(task=self.task, number=number, type=kind, body=self.bodies[-1])
            if kind in ENDED:
                self.task.state, self.task.ended_at = ENDED[kind], timezone.now()
                self.task.progress = 100 if kind == "video.completed" else 0
            self.task.save()
        return self

    def tell(self, *types: str) -> None:
        """Writes events, and tells their followers."""
        self.write(*types)
        assert self.loop is not None
        asyncio.run_coroutine_threadsafe(events.publish([self.task.pk]), self.loop).result(10)


@pytest.fixture
def bob(make_person: Callable[..., Any]) -> Any:
    return make_person("bob@example.com")


@pytest.fixture
def log(alice: Any, gateway_loop: asyncio.AbstractEventLoop) -> Log:
    return Log(alice, gateway_loop).write("video.queued", "video.in_progress")


class Stream:
    """A client of server-sent events."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.lines = response.iter_lines()

    def read(self, number: int) -> list[tuple[int, str, str]]:
        """So many events: id, type and data."""
        return [event for _, event in zip(range(number), self, strict=False)]

    def __iter__(self) -> Iterator[tuple[int, str, str]]:
        fields: dict[str, str] = {}
        for line in self.lines:
            name, _, value = line.partition(": ")
            if line and name:
                fields[name] = value
            elif "data" in fields:
                yield int(fields.get("id", 0)), fields.get("event", ""), fields["data"]
                fields = {}


@contextmanager
def listen(http: httpx.Client, log: Log, person: Any, after: str | None = None, path: str = "/v1") -> Iterator[Stream]:
    headers = person.headers if after is None else {**person.headers, "last-event-id": after}
    with http.stream("GET", f"{path}/video/status/{log.task.pk}/events", headers=headers) as response:
        yield Stream(response)


@contextmanager
def open_socket(gateway_url: str, task_id: str, opening: Any = None, **options: Any) -> Iterator[ClientConnection]:
    address = f"{gateway_url.replace('http', 'ws', 1)}/ws/video/{task_id}/"
    with connect(address, proxy=None, **options) as socket:
        if opening is not None:
            socket.send(opening if isinstance(opening, str | bytes) else json.dumps(opening))
        yield socket


def auth(person: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "auth", "key": person.key, **fields}


def told(socket: ClientConnection, number: int = 1000) -> list[str]:
    """So many messages, or those until the end."""
    messages = []
    try:
        while len(messages) < number:
            messages.append(socket.recv(timeout=10))
    except ConnectionClosed:
        return messages
    return messages


def close_code(socket: ClientConnection) -> int | None:
    assert told(socket) == []
    return socket.close_code


def as_told(log: Log, after: int = 0) -> list[str]:
    return ['{"type":"event","event":' + body + "}" for body in log.bodies[after:]]


def as_sent(log: Log, after: int = 0) -> list[tuple[int, str, str]]:
    return [(event["id"], event["type"], body) for body in log.bodies[after:] if (event := json.loads(body))]


def wait_until(condition: Callable[[], bool]) -> None:
    until = monotonic() + 10
    while not condition():
        assert monotonic() < until, "it did not happen"
        sleep(0.02)


# --- Server-sent events ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["/v1", ""])
def test_a_stream_tells_the_log_and_goes_on_as_things_happen(http, alice, log, prefix) -> None:
    with listen(http, log, alice, path=prefix) as stream:
        assert stream.response.status_code == 200
        assert stream.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.response.headers["cache-control"] == "no-store"
        assert stream.response.headers["x-request-id"].startswith("req_")
        assert "x-ratelimit-limit-requests" in stream.response.headers
        assert stream.read(2) == as_sent(log)
        log.tell("video.progress")
        assert stream.read(1) == as_sent(log, 2)
        log.tell("video.progress", "video.completed")
        assert list(stream) == as_sent(log, 3)


def test_a_client_that_comes_back_misses_nothing_and_gets_nothing_twice(http, alice, log) -> None:
    got = []
    for _ in range(3):
        with listen(http, log, alice, str(len(got))) as stream:
            log.tell("video.progress")
            got += stream.read(1)
    log.tell("video.failed")
    with listen(http, log, alice, str(len(got))) as stream:
        got += list(stream)
    assert got == as_sent(log)


@pytest.mark.parametrize("number", ["", "-1", "video_1", "²", "1.0", "9" * 30])
def test_what_is_no_number_of_an_event_starts_the_log_anew(http, alice, log, number) -> None:
    log.write("video.cancelled")
    headers = {**alice.headers, "last-event-id": number.encode("latin-1")}
    response = http.get(f"/video/status/{log.task.pk}/events/", headers=headers)
    assert list(Stream(response)) == as_sent(log)


def test_who_has_it_all_is_told_not_to_come_back(http, alice, log) -> None:
    log.write("video.completed")
    for number in ("3", "4"):
        with listen(http, log, alice, number) as stream:
            assert (stream.response.status_code, stream.response.read()) == (204, b"")


def test_a_long_log_comes_whole(http, alice, log, monkeypatch) -> None:
    monkeypatch.setattr(events, "MOST_AT_ONCE", 2)
    log.write("video.progress", "video.progress", "video.completed")
    with listen(http, log, alice) as stream:
        assert list(stream) == as_sent(log)


def test_others_tasks_are_as_unknown_as_none(http, alice, bob, log) -> None:
    foreign = http.get(f"/v1/video/status/{log.task.pk}/events", headers=bob.headers)
    unknown = http.get("/v1/video/status/video_none/events", headers=bob.headers)
    strange = http.get("/v1/video/status/video_%00/events", headers=bob.headers)
    VideoTask.objects.update(forgotten=True)
    forgotten = http.get(f"/v1/video/status/{log.task.pk}/events", headers=alice.headers)
    assert {answer.status_code for answer in (foreign, unknown, strange, forgotten)} == {404}
    assert len({answer.content for answer in (foreign, unknown, strange, forgotten)}) == 1
    assert foreign.json()["error"]["code"] == "task_not_found"


def test_a_stream_needs_a_key_and_the_right_method(http, log) -> None:
    path = f"/v1/video/status/{log.task.pk}/events"
    assert http.get(path).json()["error"]["code"] == "missing_api_key"
    refused = http.post(path)
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, OPTIONS")
    preflight = http.options(path, headers={"origin": "https://page.example", "access-control-request-method": "GET"})
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "last-event-id" in preflight.headers["access-control-allow-headers"]


def test_silence_is_filled_with_comments(http, alice, log, monkeypatch) -> None:
    monkeypatch.setattr("api.sse.KEEP_ALIVE", 0.02)
    with listen(http, log, alice, "2") as stream:
        assert [line for _, line in zip(range(4), stream.lines, strict=False)] == [": keep-alive", ""] * 2


# --- Websockets ------------------------------------------------------------------------------------------------------


def test_a_socket_tells_the_log_and_goes_on_as_things_happen(gateway_url, alice, log) -> None:
    with open_socket(gateway_url, log.task.pk, auth(alice, after=0)) as socket:
        assert told(socket, 2) == as_told(log)
        log.tell("video.progress")
        assert told(socket, 1) == as_told(log, 2)
        log.tell("video.progress", "video.completed")
        assert told(socket) == as_told(log, 3)
        assert socket.close_code == 1000


def test_a_socket_goes_on_after_the_event_that_the_client_knows(gateway_url, alice, log) -> None:
    log.write("video.progress", "video.failed")
    for after in (3, 4, 10**12):
        with open_socket(gateway_url, log.task.pk, auth(alice, after=after)) as socket:
            assert (told(socket), socket.close_code) == (as_told(log, after), 1000)
    with open_socket(gateway_url, log.task.pk, auth(alice)) as socket:
        assert told(socket) == as_told(log)


@pytest.mark.parametrize(
    ("opening", "code"),
    [
        ("not JSON", 4401),
        (b'{"type": "auth"}', 4401),
        ({"type": "auth"}, 4401),
        ({"type": "auth", "key": " "}, 4401),
        ({"type": "auth", "key": "ark-nonsense"}, 4401),
        ({"type": "hello", "key": "ark-nonsense"}, 4401),
        ("[]", 4401),
        ("x" * (64 * 1024 + 1), 4413),
    ],
)
def test_a_socket_is_for_those_who_show_a_key(gateway_url, log, opening, code) -> None:
    with open_socket(gateway_url, log.task.pk, opening) as socket:
        assert close_code(socket) == code
        assert socket.close_reason


@pytest.mark.parametrize("after", [-1, "2", 1.5, True])
def test_where_to_go_on_is_a_number(gateway_url, alice, log, after) -> None:
    with open_socket(gateway_url, log.task.pk, auth(alice, after=after)) as socket:
        assert close_code(socket) == 4422


def test_who_says_nothing_is_not_waited_for(gateway_url, log, monkeypatch) -> None:
    monkeypatch.setattr(consumers, "AUTH_SECONDS", 0.05)
    with open_socket(gateway_url, log.task.pk) as socket:
        assert close_code(socket) == 4401


def test_who_says_too_much_is_sent_away(gateway_url, alice, log) -> None:
    with open_socket(gateway_url, log.task.pk, auth(alice, after=2)) as socket:
        for _ in range(3):
            socket.send("{}")
        log.tell("video.progress")
        assert told(socket, 1) == as_told(log, 2)
        with suppress(ConnectionClosed):
            while True:
                socket.send("{}")
        assert close_code(socket) == 4429


def test_others_tasks_are_as_unknown_to_a_socket(gateway_url, alice, bob, log) -> None:
    reasons = set()
    for task_id in (log.task.pk, "video_none"):
        with open_socket(gateway_url, task_id, auth(bob)) as socket:
            assert close_code(socket) == 4404
            reasons.add(socket.close_reason)
    assert len(reasons) == 1


def test_pages_of_other_sites_are_refused_and_programs_are_not(gateway_url, alice, log, settings) -> None:
    log.write("video.completed")
    settings.ALLOWED_HOSTS = ["ark.example", "[::1]"]
    for origin in ("https://evil.example", "null", "https://ark.example.evil.example", "http://[", "", "ark.example"):
        with (
            pytest.raises(InvalidStatus) as refused,
            open_socket(gateway_url, log.task.pk, additional_headers={"Origin": origin}),
        ):
            pass
        assert refused.value.response.status_code == 403
    for origin in ("https://ark.example", "http://ARK.example:8443", "http://[::1]:8000", None):
        with open_socket(gateway_url, log.task.pk, auth(alice), origin=origin) as socket:
            assert told(socket) == as_told(log)


# --- Both ------------------------------------------------------------------------------------------------------------


def test_all_followers_hear_of_it(http, gateway_url, alice, log) -> None:
    with (
        listen(http, log, alice, "2") as first,
        listen(http, log, alice, "1") as second,
        open_socket(gateway_url, log.task.pk, auth(alice, after=2)) as socket,
    ):
        log.tell("video.completed")
        assert list(first) == as_sent(log, 2)
        assert list(second) == as_sent(log, 1)
        assert told(socket) == as_told(log, 2)


def test_a_revoked_key_is_told_no_more(http, gateway_url, alice, log, monkeypatch) -> None:
    monkeypatch.setattr(events, "SILENCE", 0.05)
    with (
        listen(http, log, alice, "2") as stream,
        open_socket(gateway_url, log.task.pk, auth(alice, after=1)) as socket,
    ):
        assert told(socket, 1) == as_told(log, 1)
        revoke_key(ApiKey.objects.get())
        [(_, _, error)] = list(stream)
        assert json.loads(error)["error"]["code"] == "invalid_api_key"
        assert close_code(socket) == 4401


def test_who_listens_holds_one_of_the_keys_slots_until_he_leaves(http, gateway_url, make_person, gateway_loop) -> None:
    person = make_person("alice@example.com", concurrent_requests=1)  # which makes five for reads
    log = Log(person, gateway_loop).write("video.queued")

    def status() -> int:
        with listen(http, log, person) as stream:
            return stream.response.status_code

    with listen(http, log, person), listen(http, log, person), listen(http, log, person), listen(http, log, person):
        with open_socket(gateway_url, log.task.pk, auth(person)) as socket:
            assert told(socket, 1) == as_told(log)
            assert status() == 429
            with open_socket(gateway_url, log.task.pk, auth(person)) as another:
                assert close_code(another) == 4429
        wait_until(lambda: status() == 200)


def test_a_server_that_ends_sends_its_followers_away(http, gateway_url, alice, log, gateway_loop) -> None:
    async def end() -> None:
        events.interrupt()
        with pytest.raises(events.Interrupted):
            await anext(events.follow(log.task.pk))

    with (
        listen(http, log, alice) as stream,
        open_socket(gateway_url, log.task.pk, auth(alice, after=1)) as socket,
    ):
        assert stream.read(2) == as_sent(log)
        assert told(socket, 1) == as_told(log, 1)
        asyncio.run_coroutine_threadsafe(end(), gateway_loop).result(10)
        assert list(stream) == []
        assert close_code(socket) == 1012
    asyncio.run_coroutine_threadsafe(events.close(), gateway_loop).result(10)
    log.tell("video.completed")
    with listen(http, log, alice, "2") as stream:
        assert list(stream) == as_sent(log, 2)


# --- Hints -----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def followed(transactional_db: None, make_person: Callable[..., Any]):
    """A task's log, and its events as they are heard in the test's own loop."""
    person = await sync_to_async(make_person)("alice@example.com")
    log = await sync_to_async(Log)(person)
    await sync_to_async(log.write)("video.queued", "video.in_progress")
    heard = events.follow(log.task.pk, after=1)
    yield log, heard
    await heard.aclose()
    await events.close()


async def next_types(heard) -> list[str]:
    async for batch in heard:
        if batch:
            return [event.type for event in batch]
    return []


async def test_a_hint_that_is_lost_is_made_up_for(followed, monkeypatch) -> None:
    monkeypatch.setattr(hints, "LOOK_AGAIN", 0.05)
    log, heard = followed
    assert await next_types(heard) == ["video.in_progress"]
    for kind in ("video.progress", "video.completed"):
        await sync_to_async(log.write)(kind)
        assert await next_types(heard) == [kind]
    assert await next_types(heard) == []


@contextmanager
def channels_through(url: str) -> Iterator[None]:
    """Not by the setting: other loops of this process must find their own layer again."""
    own = channel_layers.set("default", RedisChannelLayer(hosts=[url]))
    try:
        yield
    finally:
        channel_layers.set("default", own or InMemoryChannelLayer())


async def test_without_redis_followers_look_for_themselves(followed, monkeypatch, caplog) -> None:
    monkeypatch.setattr(hints, "LOOK_AGAIN", 0.05)
    log, heard = followed
    with channels_through("redis://127.0.0.1:1"):
        assert await next_types(heard) == ["video.in_progress"]
        await sync_to_async(log.write)("video.completed")
        await events.publish([log.task.pk])
        assert await next_types(heard) == ["video.completed"]
        assert "Hints of tasks cannot be heard" in caplog.text
        assert "Followers of tasks cannot be told" in caplog.text


async def test_hints_reach_other_processes_through_redis(followed, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(hints, "LOOK_AGAIN", 60)
    url = redis_url()
    log, heard = followed
    publish = (
        "import asyncio, django\n"
        "django.setup()\n"
        "from gateway import events\n"
        f"asyncio.run(events.publish(['another', {log.task.pk!r}]))\n"
    )
    environment = {"DJANGO_SETTINGS_MODULE": "arkroute.settings", "DEBUG": "on", "SECRET_KEY": "of a test"}
    environment |= {"ARKROUTE_DATA": str(tmp_path), "REDIS_URL": url, "PATH": os.environ["PATH"]}
    with channels_through(url):
        assert await next_types(heard) == ["video.in_progress"]
        await sync_to_async(log.write)("video.completed")
        await asyncio.to_thread(subprocess.run, [sys.executable, "-c", publish], cwd=ROOT, env=environment, check=True)
        assert await next_types(heard) == ["video.completed"]
