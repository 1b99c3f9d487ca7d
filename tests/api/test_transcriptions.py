"""Speech to text: the formats, what a form may hold, and what is charged when a stream ends early."""

import asyncio
import json
import socket
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from api import express, sse
from billing.models import Hold
from gateway.audio import measuring
from gateway.models import Receipt
from gateway.providers.http import close_pools
from tests.recordings import FORMATS, hours_of_silence, recording, shortened
from tests.upstreams.openai import Behaviour
from tests.upstreams.replica import FakeReplica

ROUTE = "/v1/audio/transcriptions"
MODEL = "openai-whisper-1"  # 0.1 credits for 10 seconds or a part of them
SENTENCE = Path(__file__).parents[1] / "audio/sentence.flac"
SECOND = recording("wav", 1.0)
LONG = recording("flac", 35.0)
WORDS = " ".join(f"word{number}" for number in range(70))  # 35 seconds, as the fake provider speaks


@pytest.fixture
def transcribe(http, alice) -> Callable[..., httpx.Response]:
    """Posts a form. Fields may be lists; a `file` of None sends none."""

    def post(file: Any = ("a.wav", SECOND), headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
        data = {"model": "sandbox-transcription", **fields}
        data = {name: value for name, value in data.items() if value is not None}
        # httpx sends a form without a file in another encoding.
        files = {"file": file} if file is not None else {"other": ("b", b"b")}
        return http.post(ROUTE, data=data, files=files, headers={**alice.headers, **(headers or {})})

    return post


def error_of(response: httpx.Response) -> tuple[int, str, str | None]:
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]


def events(response: httpx.Response) -> list[Any]:
    assert response.headers["content-type"].startswith("text/event-stream")
    blocks = [block for block in response.text.split("\n\n") if block.startswith("data: ")]
    return [json.loads(block.removeprefix("data: ")) for block in blocks]


def wait_for_receipt(seconds: float = 5) -> Receipt:
    until = monotonic() + seconds
    while monotonic() < until:
        if receipt := Receipt.objects.first():
            return receipt
        sleep(0.02)
    raise AssertionError("no receipt was written")


# --- Answers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("style", "media_type", "begins"),
    [
        ("json", "application/json", '{"text":"This is the ArkRoute sandbox'),
        ("verbose_json", "application/json", '{"task":"transcribe","language":"english","duration":1.0'),
        ("text", "text/plain; charset=utf-8", "This is the ArkRoute sandbox"),
        ("srt", "text/plain; charset=utf-8", "1\n00:00:00,000 --> 00:00:00,"),
        ("vtt", "text/plain; charset=utf-8", "WEBVTT\n\n00:00:00.000 --> 00:00:00."),
    ],
)
def test_every_format_has_its_media_type(transcribe, style, media_type, begins) -> None:
    response = transcribe(response_format=style)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == media_type
    assert response.text.startswith(begins)
    assert response.headers["x-arkroute-credits"] == "1"
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", FORMATS)
def test_every_container_is_taken_and_its_own_length_told(transcribe, name) -> None:
    # The name that a client gives a file is not believed.
    response = transcribe(("speech.txt", recording(name, 2.0)))
    assert response.status_code == 200, response.text
    assert response.json()["usage"] == {"type": "duration", "seconds": pytest.approx(2.0, abs=0.03)}


def test_times_are_told_as_they_were_asked_for(transcribe) -> None:
    for name in ("timestamp_granularities[]", "timestamp_granularities", "timestamp_granularities[0]"):
        words = transcribe(response_format="verbose_json", **{name: "word"}).json()
        assert "words" in words, name
        assert "segments" not in words
    both = transcribe(response_format="verbose_json", **{"timestamp_granularities[]": ["word", "segment"]}).json()
    assert both["words"][-1]["end"] == both["segments"][-1]["end"] == 1.0
    assert "words" not in transcribe(response_format="verbose_json").json()


def test_the_provider_is_sent_what_was_asked_for(transcribe, upstream) -> None:
    response = transcribe(
        ("Protokoll Müller.wav", SENTENCE.read_bytes()),
        model=MODEL,
        language="EN",
        prompt="Names: Jane",
        temperature="0.2",
        response_format="verbose_json",
        **{"timestamp_granularities[]": "word", "chunking_strategy": "auto", "mood": "happy"},
    )
    assert response.status_code == 200, response.text
    sent = upstream.requests[-1]
    assert sent.files == [("file", "audio/flac", SENTENCE.read_bytes())]
    assert sent.filenames == ["Protokoll Müller.flac"]
    assert sent.body == {
        "model": "whisper-1",
        "language": "en",
        "prompt": "Names: Jane",
        "temperature": "0.2",
        "response_format": "verbose_json",
        "timestamp_granularities[]": ["segment", "word"],
    }
    assert response.headers["x-arkroute-ignored-params"] == "chunking_strategy, mood"
    assert response.headers["x-arkroute-model"] == "openai/whisper-1"
    assert [word["word"] for word in response.json()["words"]] == upstream.behaviour.reply.split()
    receipt = Receipt.objects.get()
    assert (receipt.captured, receipt.usage) == (100, {"seconds": 5.3, "reported": True})


@pytest.mark.parametrize(("seconds", "millicredits"), [(9.9, 100), (10.0, 100), (10.1, 200), (30.0, 300)])
def test_ten_seconds_or_a_part_of_them_are_charged_by_our_own_measure(
    transcribe, alice, upstream, seconds, millicredits
) -> None:
    assert transcribe(("a.mp3", recording("mp3", seconds)), model=MODEL).status_code == 200
    assert alice.money()[:2] == (500_000 - millicredits, 0)


def test_a_provider_that_hears_more_than_was_measured_is_reported(transcribe, alice, upstream, caplog) -> None:
    """The caller pays what was held, and the operator looks at the file's owner."""
    for stream in ("false", "true"):
        caplog.clear()
        response = transcribe(model=MODEL, stream=stream)  # a second, of which the fake provider hears five
        assert response.status_code == 200
        receipt = Receipt.objects.latest("created_at")
        message = f"{receipt.id}: openai/whisper-1 heard 5.0 seconds in a recording measured as 1.0"
        assert [(one.levelname, one.message) for one in caplog.records if "heard" in one.message] == [
            ("ERROR", message)
        ]
    assert alice.money()[:2] == (499_800, 0)
    caplog.clear()
    assert transcribe(("a.flac", recording("flac", 4.0)), model=MODEL).status_code == 200
    assert not [one for one in caplog.records if "heard" in one.message]


def test_a_recording_that_is_made_to_look_short_is_charged_whole(transcribe, alice, upstream) -> None:
    """Its container says that it lasts two seconds."""
    assert transcribe(("a.webm", shortened(recording("webm", 35.0), "webm")), model=MODEL).status_code == 200
    assert alice.money()[:2] == (499_600, 0)


def test_a_model_without_credentials_is_stood_in_for(transcribe, settings) -> None:
    settings.ENGINE_IS_IMPLIED = True  # and is not there
    response = transcribe(model=MODEL, response_format="srt")
    assert response.status_code == 200
    assert response.headers["x-arkroute-stand-in"] == "true"
    assert "sandbox" in response.text


def test_a_pool_of_ones_own_writes_down_speech_and_keeps_its_session(gateway_url, alice, transcribe, settings) -> None:
    with FakeReplica("a", models=("their-whisper",)) as replica:
        model = {"upstream": "their-whisper", "type": "transcription", "credits": 0.1}
        settings.SELFHOSTED_POOLS = {"ears": {"replicas": [replica.base_url], "models": {"house-whisper": model}}}
        first = transcribe(model="house-whisper")
        assert first.status_code == 200, first.text
        assert first.headers["x-arkroute-session-state"] == "new"
        streamed = transcribe(model="house-whisper", stream="true")  # the client's jar sends the cookie back
        assert streamed.headers["x-arkroute-session-state"] == "hit"
        assert events(streamed)[-1]["text"] == first.json()["text"]
        assert streamed.headers["x-arkroute-model"] == "ears/their-whisper"
        # A proxy may leave each cookie in a header of its own, as HTTP/2 has them.
        cookies = ["a=1", f"ark_session_id={first.cookies['ark_session_id']}", "b=2"]
        headers = [*alice.headers.items(), *(("cookie", cookie) for cookie in cookies)]
        form = {"data": {"model": "house-whisper"}, "files": {"file": ("a.wav", SECOND)}}
        parted = httpx.post(gateway_url + ROUTE, headers=headers, **form)
        assert parted.headers["x-arkroute-session-state"] == "hit"


# --- Refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"file": None}, "missing_required_parameter", "file"),
        ({"file": None, "model": None}, "missing_required_parameter", "file"),
        ({"model": ""}, "missing_required_parameter", "model"),
        ({"model": ["sandbox-transcription", "whisper-1"]}, "invalid_value", "model"),
        ({"language": "english"}, "invalid_value", "language"),
        ({"language": "en-US"}, "invalid_value", "language"),
        ({"language": ["en", "de"]}, "invalid_value", "language"),
        ({"prompt": "x" * 32_001}, "invalid_value", "prompt"),
        ({"response_format": "diarized_json"}, "invalid_value", "response_format"),
        ({"temperature": "1.1"}, "invalid_value", "temperature"),
        ({"temperature": "nan"}, "invalid_value", "temperature"),
        ({"temperature": "warm"}, "invalid_type", "temperature"),
        ({"stream": "perhaps"}, "invalid_type", "stream"),
        ({"stream": "true", "response_format": "text"}, "invalid_value", "stream"),
        ({"timestamp_granularities[]": "word"}, "invalid_value", "timestamp_granularities"),
        (
            {"timestamp_granularities[]": "letter", "response_format": "verbose_json"},
            "invalid_value",
            "timestamp_granularities[0]",
        ),
        ({"include[]": "logprobs"}, "invalid_value", "include"),
        ({"known_speaker_names[]": ["Ann", "Bob"]}, "invalid_value", "known_speaker_names"),
        ({"file": ("a.wav", b"")}, "invalid_value", "file"),
        ({"file": ("a.wav", b"no sound")}, "invalid_value", "file"),
        ({"file": ("a.m3u8", b"#EXTM3U\nfile:///etc/passwd")}, "invalid_value", "file"),
        ({"file": ("a.flac", hours_of_silence(2 << 20))}, "invalid_value", "file"),
    ],
)
def test_a_field_that_is_not_right_is_named(transcribe, alice, fields, code, param) -> None:
    before = alice.money()
    assert error_of(transcribe(**fields)) == (422, code, param)
    assert alice.money() == before
    assert not Hold.objects.exists()


def test_nothing_is_measured_for_who_cannot_pay(http, charlie, settings, make_person, monkeypatch) -> None:
    monkeypatch.setattr(measuring, "METER", "/nowhere")
    poor, file = make_person("poor@example.com", credits=1), ("a.wav", SECOND)
    model = {"upstream": "their-whisper", "type": "transcription", "credits": 1.5}
    settings.SELFHOSTED_POOLS = {"ears": {"replicas": ["http://127.0.0.1:9/v1"], "models": {"dear": model}}}
    for person, available in ((charlie, 0), (poor, 1)):
        response = http.post(ROUTE, data={"model": "dear"}, files={"file": file}, headers=person.headers)
        assert error_of(response)[:2] == (402, "insufficient_credits"), response.text
        message = f"This call costs 1.5 credits and your balance has {available} available."
        assert message in response.json()["error"]["message"]
        assert response.headers["x-should-retry"] == "false"


def test_a_machine_too_busy_to_measure_is_503(transcribe, alice, monkeypatch) -> None:
    monkeypatch.setattr(measuring, "PATIENCE", 0)
    response = transcribe()
    assert error_of(response)[:2] == (503, "overloaded")
    assert response.headers["retry-after"] == "10"
    assert alice.money()[:2] == (500_000, 0)


def test_a_format_that_the_model_lacks_is_refused_with_those_it_has(transcribe) -> None:
    response = transcribe(model="gpt-transcribe", response_format="srt")
    assert error_of(response) == (422, "invalid_value", "response_format")
    assert "Allowed: `json`, `text`." in response.json()["error"]["message"]


def test_fields_that_were_left_empty_were_not_sent(transcribe) -> None:
    empty = {"language": "", "prompt": "", "response_format": "", "temperature": "", "stream": "", "include[]": ""}
    response = transcribe(**empty)
    assert response.status_code == 200, response.text
    assert "x-arkroute-ignored-params" not in response.headers


def test_a_file_that_is_sent_as_a_text_is_asked_for_its_name(http, alice) -> None:
    parts = [("model", (None, "sandbox-transcription")), ("file", (None, SECOND))]
    assert error_of(http.post(ROUTE, files=parts, headers=alice.headers)) == (422, "invalid_type", "file")


def test_two_files_are_one_too_many(http, alice) -> None:
    parts = [("model", (None, "sandbox-transcription")), ("file", ("a", SECOND)), ("file", ("b", SECOND))]
    assert error_of(http.post(ROUTE, files=parts, headers=alice.headers)) == (422, "invalid_value", "file")


@pytest.mark.parametrize(
    ("content_type", "status", "code"),
    [
        (None, 415, "unsupported_media_type"),
        ("application/json", 415, "unsupported_media_type"),
        ("application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        ("multipart/form-data", 400, "invalid_json"),
        ("multipart/form-data; boundary=\xe9", 400, "invalid_json"),
        ("multipart/form-data; boundary=other", 422, "missing_required_parameter"),
    ],
)
def test_a_body_that_is_no_form_is_refused(gateway_url, alice, content_type, status, code) -> None:
    content = b'--x\r\ncontent-disposition: form-data; name="model"\r\n\r\nsandbox-transcription\r\n--x--\r\n'
    headers = {**alice.headers, **({"content-type": content_type.encode("latin-1")} if content_type else {})}
    response = httpx.post(gateway_url + ROUTE, content=content, headers=headers)
    assert error_of(response)[:2] == (status, code)


def test_a_form_of_thousands_of_fields_is_refused(http, alice) -> None:
    parts = [(f"field{number}", (None, "x")) for number in range(2000)]
    assert error_of(http.post(ROUTE, files=parts, headers=alice.headers))[:2] == (400, "invalid_json")


def test_names_of_unknown_fields_reach_no_header_unless_they_are_harmless(transcribe) -> None:
    response = transcribe(**{'odd"name': "x", "a, b": "x", "plain": "x", "Ü": "x"})
    assert response.status_code == 200
    assert response.headers["x-arkroute-ignored-params"] == "plain"


def test_a_file_over_25_mb_is_413(transcribe, alice) -> None:
    before = alice.money()
    response = transcribe(("a.wav", SECOND.ljust(25 * 1024 * 1024 + 1, b"\0")))
    assert error_of(response) == (413, "request_too_large", "file")
    assert alice.money() == before


def test_a_file_of_25_mb_is_taken(transcribe) -> None:
    size = 25 * 1024 * 1024 - 44
    samples = b"data" + size.to_bytes(4, "little")
    wave = SECOND[: SECOND.index(b"data")].replace(SECOND[4:8], (size + 36).to_bytes(4, "little"), 1) + samples
    response = transcribe(("a.wav", wave.ljust(25 * 1024 * 1024, b"\0")))
    assert response.status_code == 200, response.text
    assert response.json()["usage"]["seconds"] == pytest.approx(size / 32_000, abs=0.01)


def test_an_upload_may_take_longer_than_other_bodies(http, transcribe, monkeypatch) -> None:
    monkeypatch.setattr(express, "BODY_SECONDS", 0)
    assert transcribe().status_code == 200


async def test_nobody_holds_on_to_the_form_while_a_provider_is_waited_for(alice, upstream) -> None:
    """It may have 26 MB, and the recording in it is there once more."""
    forgotten = asyncio.Event()

    class Watched(bytes):
        def __del__(self) -> None:
            forgotten.set()

    request = httpx.Request("POST", "http://testserver", data={"model": MODEL}, files={"file": ("a.wav", SECOND)})
    upstream.behaviour = Behaviour(hang=True)
    bodies = [Watched(request.read())]
    left = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if bodies:
            return {"type": "http.request", "body": bodies.pop()}
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        raise AssertionError(f"nothing can be answered yet: {message}")

    headers = {**alice.headers, "content-type": request.headers["content-type"]}
    lines = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": ROUTE, "headers": lines}
    work = asyncio.create_task(express.express(scope, receive, send))
    async with asyncio.timeout(10):
        while not upstream.requests:  # noqa: ASYNC110  it runs in a thread
            await asyncio.sleep(0.02)
    assert forgotten.is_set()
    left.set()
    await work
    await close_pools()


# --- Streams -------------------------------------------------------------------------------------------------------


def test_a_stream_tells_each_segment_and_at_the_end_all(transcribe, alice, upstream) -> None:
    response = transcribe(model=MODEL, stream="true")
    *deltas, done = events(response)
    assert [event["type"] for event in deltas] == ["transcript.text.delta"] * 5
    assert [event["delta"] for event in deltas[:2]] == ["one two", " three four"]
    assert done == {
        "type": "transcript.text.done",
        "text": "".join(event["delta"] for event in deltas),
        "usage": {"type": "duration", "seconds": 1.0, "credits": 0.1},
    }
    assert "[DONE]" not in response.text
    assert "x-arkroute-credits" not in response.headers
    assert response.headers["x-arkroute-model"] == "openai/whisper-1"
    assert alice.money()[:2] == (499_900, 0)


@pytest.mark.parametrize("shape", ["openai", "whole"])
def test_a_provider_without_times_is_streamed_too(transcribe, alice, upstream, shape) -> None:
    upstream.behaviour = Behaviour(shape=shape)
    *deltas, done = events(transcribe(model=MODEL, stream="true"))
    assert "".join(event["delta"] for event in deltas) == done["text"] == upstream.behaviour.reply
    assert alice.money()[:2] == (499_900, 0)


@pytest.mark.parametrize(
    ("shape", "cut", "millicredits"),
    [
        ("engine", 0, 0),
        ("engine", 2, 100),  # two events for each second
        ("engine", 20, 100),
        ("engine", 21, 200),
        ("engine", 52, 300),
        ("openai", 1, 100),  # without times: 15 bytes of text for each second
        ("openai", 20, 200),
        ("vllm", 20, 200),
    ],
)
def test_a_stream_that_dies_costs_what_was_delivered(transcribe, alice, upstream, shape, cut, millicredits) -> None:
    upstream.behaviour = Behaviour(reply=WORDS, shape=shape, die_after=cut)
    response = transcribe(("a.flac", LONG), model=MODEL, stream="true")
    assert alice.money()[:2] == (500_000 - millicredits, 0)
    receipt = Receipt.objects.get()
    if not cut:
        assert error_of(response)[:2] == (500, "provider_error")
        assert receipt.outcome == "failed"
        return
    *deltas, last = events(response)
    assert len(deltas) == (-(-cut // 2) if shape == "engine" else cut)
    assert last["error"]["code"] == "provider_error"
    assert "What was delivered is charged" in last["error"]["message"]
    assert (receipt.outcome, receipt.captured, receipt.error_code) == ("partial", millicredits, "provider_error")


def test_an_error_before_the_first_segment_is_an_http_error(transcribe, alice, upstream) -> None:
    upstream.behaviour = Behaviour(status=503)
    assert error_of(transcribe(model=MODEL, stream="true"))[:2] == (503, "overloaded")
    assert alice.money()[:2] == (500_000, 0)
    assert error_of(transcribe(stream="true", prompt="sandbox:fail=provider_timeout"))[:2] == (500, "provider_timeout")


def test_silence_is_kept_alive_by_comments(transcribe, upstream, monkeypatch) -> None:
    monkeypatch.setattr(sse, "KEEP_ALIVE", 0.05)
    upstream.behaviour = Behaviour(delay=0.3)
    response = transcribe(model=MODEL, stream="true")
    assert response.text.startswith(": keep-alive\n\n")
    assert events(response)[-1]["type"] == "transcript.text.done"


def test_a_client_that_leaves_pays_for_what_it_heard(gateway_url, alice, upstream) -> None:
    upstream.behaviour = Behaviour(reply=WORDS, stall_after=24)  # twelve seconds
    form = {"data": {"model": MODEL, "stream": "true"}, "files": {"file": ("a.flac", LONG)}}
    with (
        httpx.Client(base_url=gateway_url) as client,
        client.stream("POST", ROUTE, headers=alice.headers, **form) as it,
    ):
        heard = ""
        for text in it.iter_text():
            heard += text
            if heard.count("transcript.text.delta") == 12:
                break
    receipt = wait_for_receipt()
    assert (receipt.outcome, receipt.captured, receipt.error_code) == ("partial", 200, "cancelled")
    assert alice.money()[:2] == (499_800, 0)


def test_a_client_that_leaves_before_the_answer_pays_nothing(gateway_url, alice, upstream) -> None:
    upstream.behaviour = Behaviour(hang=True)
    request = httpx.Request(
        "POST", gateway_url + ROUTE, data={"model": MODEL}, files={"file": ("a.wav", SECOND)}, headers=alice.headers
    )
    with socket.create_connection((request.url.host, request.url.port)) as connection:
        lines = [f"{name}: {value}" for name, value in request.headers.items()]
        connection.sendall("\r\n".join([f"POST {ROUTE} HTTP/1.1", *lines, "", ""]).encode() + request.read())
        until = monotonic() + 10
        while not upstream.requests and monotonic() < until:
            sleep(0.02)
    receipt = wait_for_receipt()
    assert (receipt.outcome, receipt.captured, receipt.error_code) == ("failed", 0, "cancelled")
    assert alice.money()[:2] == (500_000, 0)


def test_a_stream_holds_its_place_among_the_keys_requests(gateway_url, make_person, upstream) -> None:
    alice = make_person("alice@example.com", concurrent_requests=1)
    upstream.behaviour = Behaviour(stall_after=4)
    form = {"data": {"model": MODEL, "stream": "true"}, "files": {"file": ("a.wav", SECOND)}}
    with httpx.Client(base_url=gateway_url) as client:
        with client.stream("POST", ROUTE, headers=alice.headers, **form) as streamed:
            texts = streamed.iter_text()  # which would close the connection if it were let go
            assert "transcript.text.delta" in next(texts)
            refused = httpx.post(gateway_url + ROUTE, headers=alice.headers, **form)
            assert error_of(refused)[:2] == (429, "concurrency_exceeded")
        wait_for_receipt()
        upstream.behaviour = Behaviour()
        assert httpx.post(gateway_url + ROUTE, headers=alice.headers, **form).status_code == 200
