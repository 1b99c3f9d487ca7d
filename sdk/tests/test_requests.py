"""What is sent."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from arkroute import ArkRoute, ConfigurationError
from arkroute.http.configuration import DEFAULT_TIMEOUT
from tests.gateway import FakeGateway, Threads, answer, refusal

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Grüße"}]}
TASK = {"task_id": "video_1", "status": "processing"}

Action = Callable[[Any], Any]
# Everything that costs credits, with what it sends and where.
PAID: list[tuple[str, Action]] = [
    ("/v1/chat/completions", lambda client: client.chat.completions.create(**CHAT)),
    ("/v1/embeddings", lambda client: client.embeddings.create(model="m", input="a")),
    ("/v1/images/generations", lambda client: client.images.generate(model="m", prompt="p")),
    ("/v1/images/edits", lambda client: client.images.edit(model="m", prompt="p", image=b"png")),
    ("/v1/video/generations", lambda client: client.videos.create(model="m", prompt="p")),
    ("/v1/audio/transcriptions", lambda client: client.audio.transcriptions.create(model="m", file=b"flac")),
]
FREE: list[tuple[str, str, Action]] = [
    ("GET", "/v1/models", lambda client: client.models.list()),
    ("GET", "/v1/models/org%2Fname", lambda client: client.models.retrieve("org/name")),
    ("GET", "/v1/account", lambda client: client.account.retrieve()),
    ("GET", "/v1/sessions", lambda client: client.sessions.list()),
    ("DELETE", "/v1/sessions/abc", lambda client: client.sessions.delete("abc")),
    ("GET", "/v1/receipts/req_1", lambda client: client.receipts.retrieve("req_1")),
    ("GET", "/v1/receipts?limit=5&model=m", lambda client: client.receipts.list(limit=5, model="m")),
    ("POST", "/v1/quote", lambda client: client.quotes.create(endpoint="/v1/videos", model="m")),
    ("GET", "/v1/video/status/video_1", lambda client: client.videos.retrieve("video_1")),
    ("POST", "/v1/video/cancel/video_1", lambda client: client.videos.cancel("video_1")),
    ("GET", "/v1/videos/video_1/content", lambda client: client.videos.download("video_1")),
]


@pytest.mark.parametrize(("path", "action"), PAID, ids=[path for path, _ in PAID])
def test_everything_paid_carries_a_key_of_its_own_that_stays_across_retries(
    do: Threads, path: str, action: Action
) -> None:
    gateway = FakeGateway(refusal(503, "overloaded"), httpx.ReadError("lost"), answer(TASK))
    do(gateway, action)
    keys = {request.headers["idempotency-key"] for request in gateway.requests}
    assert len(gateway.requests) == 3
    assert len(keys) == 1
    assert re.fullmatch(r"arkroute-[0-9a-f-]{36}", keys.pop())
    assert {request.url.raw_path.decode() for request in gateway.requests} == {path}
    assert len({request.content for request in gateway.requests}) == 1
    assert len({request.headers["content-type"] for request in gateway.requests}) == 1

    again = FakeGateway(answer(TASK))
    do(again, action)
    assert again.request.headers["idempotency-key"] != gateway.requests[0].headers["idempotency-key"]


@pytest.mark.parametrize(("method", "path", "action"), FREE, ids=[f"{method} {path}" for method, path, _ in FREE])
def test_what_is_free_is_sent_plainly(do: Threads, method: str, path: str, action: Action) -> None:
    gateway = FakeGateway(answer(TASK))
    do(gateway, action)
    request = gateway.request
    assert (request.method, request.url.raw_path.decode()) == (method, path)
    assert request.headers["authorization"] == "Bearer ark-test"
    assert request.headers["user-agent"].startswith("arkroute-python/1.0.0 python/3.")
    assert "idempotency-key" not in request.headers
    assert "cookie" not in request.headers


def test_parameters_are_the_body_and_what_is_none_is_left_out(do: Threads) -> None:
    gateway = FakeGateway(answer())
    do(
        gateway,
        lambda client: client.chat.completions.create(
            **CHAT,
            temperature=None,
            max_tokens=5,
            invented_by_a_vendor={"deep": True},
            tools=iter([{"type": "function"}]),
            extra_body={"top_k": 3},
            extra_headers={"X-Mine": "1"},
            extra_query={"debug": "yes"},
        ),
    )
    assert gateway.sent == {
        **CHAT,
        "max_tokens": 5,
        "invented_by_a_vendor": {"deep": True},
        "tools": [{"type": "function"}],
        "top_k": 3,
    }
    assert gateway.request.headers["x-mine"] == "1"
    assert gateway.request.url.params["debug"] == "yes"
    assert "Grüße".encode() in gateway.request.content


def test_a_callers_own_idempotency_key_and_cap_are_sent(do: Threads) -> None:
    gateway = FakeGateway(answer())
    do(
        gateway,
        lambda client: client.embeddings.create(model="m", input="a", idempotency_key="order-7", max_credits=2.5),
    )
    assert gateway.request.headers["idempotency-key"] == "order-7"
    assert gateway.request.headers["x-arkroute-max-credits"] == "2.500"
    assert gateway.sent == {"model": "m", "input": "a"}


@pytest.mark.parametrize(
    ("name", "file", "part"),
    [
        ("path", None, b'filename="speech.flac"\r\nContent-Type: audio/'),
        ("text", None, b'filename="speech.flac"'),
        ("open file", None, b'filename="speech.flac"'),
        ("bytes", b"fLaC", b'filename="recording"\r\nContent-Type: application/octet-stream'),
        ("buffer", io.BytesIO(b"fLaC"), b'filename="recording"'),
        ("named bytes", ("talk.mp3", b"fLaC"), b'filename="talk.mp3"\r\nContent-Type: audio/mpeg'),
    ],
)
def test_a_recording_is_any_kind_of_file(tmp_path: Path, name: str, file: Any, part: bytes) -> None:
    path = tmp_path / "speech.flac"
    path.write_bytes(b"fLaC")
    with path.open("rb") as opened:
        recording: Any = file or {"path": path, "text": str(path), "open file": opened}[name]
        gateway = FakeGateway(answer())
        gateway.client().audio.transcriptions.create(
            model="m", file=recording, timestamp_granularities=["word", "segment"], temperature=0.5
        )
    content = gateway.request.content
    assert part in content
    assert content.count(b'name="timestamp_granularities[]"') == 2
    assert b'name="temperature"\r\n\r\n0.5\r\n' in content
    assert b"\r\n\r\nfLaC\r\n" in content


def test_a_file_that_is_open_as_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "speech.flac"
    path.write_text("x")
    with path.open() as file, pytest.raises(TypeError, match="Open it in binary"):
        FakeGateway(answer()).client().audio.transcriptions.create(model="m", file=file)  # type: ignore[arg-type]


URI = "data:image/png;base64,AA"
PNG = base64.b64encode(b"png").decode()


@pytest.mark.parametrize(
    ("image", "sent"),
    [(b"png", PNG), (URI, URI), (("a.png", b"png"), PNG), ([b"png", URI], [PNG, URI]), ((b"png",), PNG)],
)
def test_pictures_of_a_generation_are_texts_or_files(do: Threads, image: Any, sent: Any) -> None:
    gateway = FakeGateway(answer())
    do(gateway, lambda client: client.images.generate(model="m", prompt="p", image=image, mask=b"png"))
    assert gateway.sent == {"model": "m", "prompt": "p", "image": sent, "mask": PNG}


def test_pictures_of_an_edit_travel_as_files_or_texts(do: Threads) -> None:
    gateway = FakeGateway(answer())
    do(
        gateway,
        lambda client: client.images.edit(
            model="m", prompt="p", image=[("a.png", b"one"), "https://x/b.png"], mask=b"mask", stream=True, n=2
        ),
    )
    content = gateway.request.content
    for part in (
        b'name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\none\r\n',
        b'name="image"\r\n\r\nhttps://x/b.png\r\n',
        b'name="mask"; filename="mask"',
        b'name="stream"\r\n\r\ntrue\r\n',
        b'name="n"\r\n\r\n2\r\n',
    ):
        assert part in content


def test_a_videos_frames_may_be_files(do: Threads) -> None:
    gateway = FakeGateway(answer(TASK))
    do(gateway, lambda client: client.videos.create(model="m", prompt="p", image=b"png", last_frame="https://x/b.png"))
    assert gateway.sent["image"] == base64.b64encode(b"png").decode()
    assert gateway.sent["last_frame"] == "https://x/b.png"


def test_an_empty_id_asks_for_nothing() -> None:
    with pytest.raises(ValueError, match="empty"):
        FakeGateway(answer()).client().models.retrieve("")


def test_not_a_number_is_refused_here() -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        FakeGateway(answer()).client().chat.completions.create(**CHAT, temperature=float("nan"))


def test_the_environment_says_key_and_base_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARKROUTE_API_KEY", "ark-environment\n")
    monkeypatch.setenv("ARKROUTE_BASE_URL", "http://127.0.0.1:9/v1/")
    with ArkRoute() as client:
        assert (client.api_key, client.base_url) == ("ark-environment", "http://127.0.0.1:9/v1")
    with ArkRoute("ark-other", "http://other/v1") as client:
        assert (client.api_key, client.base_url) == ("ark-other", "http://other/v1")


def test_without_a_key_the_models_are_open_and_everything_else_says_what_is_missing(do: Threads) -> None:
    gateway = FakeGateway(answer())
    do(gateway, lambda client: client.models.list(), api_key=None)
    assert "authorization" not in gateway.request.headers
    with pytest.raises(ConfigurationError, match="ARKROUTE_API_KEY"):
        do(gateway, lambda client: client.account.retrieve(), api_key=None)
    assert len(gateway.requests) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"api_key": "ark-…"}, "characters that no key has"),
        ({"api_key": "Bearer ark-1"}, "characters that no key has"),
        ({"base_url": "localhost:8000/v1"}, "begins with https"),
        ({"base_url": "ftp://host/v1"}, "begins with https"),
        ({"max_retries": -1}, "zero or more"),
    ],
)
def test_a_wrong_configuration_is_refused_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ArkRoute(**{"api_key": "ark-1", **options})


def test_the_default_base_url_is_the_documented_one() -> None:
    with ArkRoute(api_key="ark-1") as client:
        assert client.base_url == "https://api.ark-route.com/v1"
        assert client.max_retries == 2
        assert client.timeout == DEFAULT_TIMEOUT
        assert (client.timeout.connect, client.timeout.read) == (5, 600)


def test_timeouts_are_told_apart_by_phase(do: Threads) -> None:
    gateway = FakeGateway(answer())
    do(gateway, lambda client: client.models.list(), timeout=httpx.Timeout(9, connect=1))
    do(gateway, lambda client: client.models.list(timeout=7))
    first, second = (request.extensions["timeout"] for request in gateway.requests)
    assert first == {"connect": 1, "read": 9, "write": 9, "pool": 9}
    assert second == {"connect": 7, "read": 7, "write": 7, "pool": 7}


def test_with_options_changes_a_copy_that_uses_the_same_connections(do: Threads) -> None:
    gateway = FakeGateway(answer())
    do(
        gateway,
        lambda client: client.with_options(
            api_key="ark-other", base_url="https://other.test/v1", timeout=3, max_retries=0, headers={"X-Team": "blue"}
        ).account.retrieve(),
        headers={"X-Project": "p"},
    )
    request = gateway.request
    assert str(request.url) == "https://other.test/v1/account"
    assert request.headers["authorization"] == "Bearer ark-other"
    assert (request.headers["x-team"], request.headers["x-project"]) == ("blue", "p")
    assert request.extensions["timeout"]["read"] == 3


def test_a_client_closes_its_own_connections_and_nobody_elses() -> None:
    gateway = FakeGateway(answer())
    theirs = httpx.Client(transport=gateway)
    with ArkRoute("ark-1", http_client=theirs) as client:
        client.models.list()
    assert not theirs.is_closed
    with ArkRoute("ark-1") as client:
        copy = client.with_options(timeout=1)
        copy.close()
        assert not client._exchange.client.is_closed
    assert client._exchange.client.is_closed
