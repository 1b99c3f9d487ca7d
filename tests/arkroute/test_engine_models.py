"""Embeddings and transcriptions by the engine, with the models that `make setup` brings."""

import asyncio
import json
import struct
from base64 import b64decode
from math import fsum
from pathlib import Path

import httpx
import pytest

from tests.arkroute.conftest import Running
from tests.arkroute.engines import engine_environment, running_engine

SENTENCE = Path(__file__).parent.parent / "audio" / "sentence.flac"


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("engine")
    with running_engine(folder, engine_environment(folder, None, real_models=True)) as running:
        yield running


def embed(engine: Running, **fields) -> httpx.Response:
    return httpx.post(f"{engine.url}/v1/embeddings", json={"model": "all-minilm-l6-v2"} | fields, timeout=60)


def vector_of(engine: Running, text: str) -> list[float]:
    return embed(engine, input=text).json()["data"][0]["embedding"]


def likeness(first: list[float], second: list[float]) -> float:
    return fsum(a * b for a, b in zip(first, second, strict=True))


def test_it_lists_both_models(engine):
    models = httpx.get(f"{engine.url}/v1/models").json()["data"]
    assert [model["id"] for model in models] == ["all-minilm-l6-v2", "whisper-base"]


def test_alike_sentences_are_close_and_vectors_have_a_length_of_1(engine):
    eating, meal, stocks = (
        vector_of(engine, text)
        for text in ("A man is eating food.", "A man eats a meal.", "Stock markets fell sharply today.")
    )
    assert len(eating) == 384
    assert likeness(eating, eating) == pytest.approx(1, abs=1e-4)
    assert likeness(eating, meal) > 0.7
    assert likeness(eating, stocks) < 0.2


def test_hundreds_of_texts_come_back_in_their_order(engine):
    texts = [f"Sentence number {number} of {'very ' * (number % 4)}many" for number in range(200)]
    answer = embed(engine, input=texts).json()
    assert [row["index"] for row in answer["data"]] == list(range(200))
    assert answer["usage"]["prompt_tokens"] == answer["usage"]["total_tokens"] > 200 * 8
    for number in (0, 133, 199):
        assert likeness(answer["data"][number]["embedding"], vector_of(engine, texts[number])) > 0.999


def test_many_of_the_longest_texts_fit(engine):
    answer = embed(engine, input=["word " * 510] * 5)
    assert answer.status_code == 200
    assert answer.json()["usage"]["prompt_tokens"] == 5 * 512


def test_base64_is_the_same_in_32_bits(engine):
    encoded = embed(engine, input="Hello!", encoding_format="base64").json()["data"][0]["embedding"]
    assert struct.unpack("<384f", b64decode(encoded)) == pytest.approx(vector_of(engine, "Hello!"), abs=1e-6)


@pytest.mark.parametrize("words", [511, 1500], ids=["just", "far"])
def test_a_text_that_is_too_long_is_refused(engine, words):
    answer = embed(engine, input=["short", "word " * words])
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["type"] == "exceed_context_size_error"
    assert (error["n_prompt_tokens"], error["n_ctx"]) == (words + 2, 512)


@pytest.mark.parametrize("wrong", [[], None, [[]], [10**6]], ids=str)
def test_what_is_no_text_is_refused(engine, wrong):
    answer = embed(engine, input=wrong)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def transcribe(engine: Running, file: bytes | None = None, **fields) -> httpx.Response:
    files = {"file": ("sentence.flac", SENTENCE.read_bytes() if file is None else file)}
    return httpx.post(f"{engine.url}/v1/audio/transcriptions", files=files, data=fields, timeout=60)


def test_speech_is_written_down_with_all_that_is_known_of_it(engine):
    answer = transcribe(
        engine, response_format="verbose_json", language="en", **{"timestamp_granularities[]": ["word", "segment"]}
    ).json()
    assert "rather selfish" in answer["text"]
    assert (answer["task"], answer["language"]) == ("transcribe", "english")
    assert answer["usage"] == {"type": "duration", "seconds": answer["duration"]}
    first = answer["segments"][0]
    assert {"id", "seek", "start", "end", "text", "tokens", "temperature", "avg_logprob"} <= first.keys()
    assert {"compression_ratio", "no_speech_prob"} <= first.keys()
    assert "words" not in first
    assert [word["word"] for word in answer["words"]][:2] == answer["text"].split()[:2]
    assert answer["words"][0].keys() == {"word", "start", "end"}


def test_the_plain_formats_hold_the_text(engine):
    whole = transcribe(engine, language="en").json()
    assert whole.keys() == {"text", "usage"}
    text = transcribe(engine, language="en", response_format="text")
    assert text.headers["content-type"].startswith("text/plain")
    assert text.text == whole["text"] + "\n"


def test_a_stream_tells_segments_as_they_are_heard(engine):
    answer = transcribe(engine, stream="true", **{"timestamp_granularities[]": "word"})
    assert answer.headers["content-type"] == "text/event-stream"
    events = [json.loads(line.removeprefix("data: ")) for line in answer.text.split("\n\n") if line]
    *pairs, done = events
    assert {event["type"] for event in pairs[::2]} == {"transcript.text.segment"}
    assert {event["type"] for event in pairs[1::2]} == {"transcript.text.delta"}
    assert pairs[0]["words"][0]["word"] == done["text"].split()[0]
    assert "".join(event["delta"] for event in pairs[1::2]) == done["text"]
    assert (done["type"], done["language"]) == ("transcript.text.done", "english")
    assert done["usage"] == {"type": "duration", "seconds": done["duration"]}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"file": b"no sound"}, "file"),
        ({"language": "klingon"}, "language"),
        ({"response_format": "srt"}, "response_format"),
        ({"temperature": "hot"}, "temperature"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("stream", ["false", "true"])
def test_what_cannot_be_heard_is_refused(engine, fields, param, stream):
    answer = transcribe(engine, **fields, stream=stream)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


def test_a_body_without_a_recording_is_refused(engine):
    url = f"{engine.url}/v1/audio/transcriptions"
    assert httpx.post(url, files={"other": b"x"}).json()["error"]["param"] == "file"
    assert httpx.post(url, json={"file": "x"}).status_code == 400


async def test_too_many_recordings_at_once_are_refused_and_those_who_leave_make_room(engine):
    url = f"{engine.url}/v1/audio/transcriptions"
    async with httpx.AsyncClient(timeout=60) as client:
        form = {"files": {"file": ("sentence.flac", SENTENCE.read_bytes())}, "data": {"language": "en"}}
        first = [asyncio.create_task(client.post(url, **form)) for _ in range(14)]
        done, waiting = await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        refused = [task.result() for task in done]
        assert {answer.status_code for answer in refused} == {503}
        assert refused[0].json()["error"]["code"] == "overloaded"
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        # How soon a closed connection is noticed is the network's affair.
        while (answer := await client.post(url, **form)).status_code == 503:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        assert answer.status_code == 200
