"""The adapter for OpenAI-shaped servers writes down speech, whole and in the streams of all kinds of servers."""

import asyncio
import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.catalog.schema import Model, TranscriptionSpec
from gateway.errors import ProviderError, ProviderFault
from gateway.providers.base import Deployment, TranscriptionProvider
from gateway.providers.openai_compatible import OpenAICompatible
from gateway.types import Segment, SpokenWord, TranscriptionAnswer, TranscriptionRequest, Usage
from tests.gateway.conftest import KEY
from tests.upstreams.openai import Behaviour, FakeOpenAI

AUDIO = b"RIFF\r\n--not a boundary\r\nWAVE"
adapter = OpenAICompatible()


def at(upstream: FakeOpenAI, **spec: Any) -> Deployment:
    model = Model(
        id="whisper-test",
        upstream="their-whisper",
        type="transcription",
        credits=Decimal("0.1"),
        provider="openai",
        vendor="OpenAI",
        description="A model to test with",
        created=date(2026, 1, 1),
        transcription=TranscriptionSpec(**{"words": True, **spec}),
    )
    return Deployment(provider="openai", model=model, base_url=upstream.base_url, api_key=KEY, timeout=5.0)


def speech(**parts: Any) -> TranscriptionRequest:
    defaults = {"model": "whisper-test", "audio": AUDIO, "filename": "a.wav", "seconds": 5.25, "mime": "audio/wav"}
    return TranscriptionRequest(**{**defaults, **parts})


async def parts_of(deployment: Deployment, request: TranscriptionRequest) -> tuple[list[Segment], TranscriptionAnswer]:
    *segments, answer = [part async for part in adapter.stream_transcription(deployment, request)]
    assert isinstance(answer, TranscriptionAnswer)
    return segments, answer


async def broken(deployment: Deployment, request: TranscriptionRequest) -> list[Any]:
    """What came of a stream before it broke."""
    parts: list[Any] = []

    async def read() -> None:
        async for part in adapter.stream_transcription(deployment, request):
            parts.append(part)

    with pytest.raises(ProviderError) as caught:
        await read()
    assert caught.value.kind is ProviderFault.BROKEN
    return parts


def test_it_writes_down_speech() -> None:
    assert isinstance(adapter, TranscriptionProvider)


async def test_a_recording_is_sent_as_a_form_and_its_transcript_comes_back(upstream: FakeOpenAI) -> None:
    request = speech(language="en", prompt='Names: "Ø", Bö\r\n', temperature=0.2, words=True, filename='a "b"\r\nß.wav')
    answer = await adapter.transcribe(at(upstream), request)
    assert answer.text == upstream.behaviour.reply
    assert (answer.language, answer.duration, answer.usage) == ("english", 5.0, Usage(seconds=5.25))
    assert answer.segments[1] == Segment(" three four", 1.0, 2.0, 0, (50364, 1), 0.0, -0.25, 1.5, 0.01)
    assert answer.words[:2] == [SpokenWord("one", 0.0, 0.5), SpokenWord("two", 0.5, 1.0)]
    (sent,) = upstream.requests
    assert (sent.method, sent.path) == ("POST", "/v1/audio/transcriptions")
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.files == [("file", "audio/wav", AUDIO)]
    assert sent.filenames == ["a %22b%22%0D%0Aß.wav"]
    assert sent.body == {
        "model": "their-whisper",
        "language": "en",
        "prompt": 'Names: "Ø", Bö\r\n',
        "temperature": "0.2",
        "response_format": "verbose_json",
        "timestamp_granularities[]": ["segment", "word"],
    }


async def test_a_model_without_times_is_asked_for_plain_json(upstream: FakeOpenAI) -> None:
    upstream.behaviour = Behaviour(audio_tokens=True)
    answer = await adapter.transcribe(at(upstream, formats=("json", "text")), speech(language="de", words=True))
    assert upstream.requests[0].body == {"model": "their-whisper", "language": "de", "response_format": "json"}
    assert (answer.text, answer.segments, answer.words) == (upstream.behaviour.reply, [], [])
    assert (answer.language, answer.duration) == ("german", 5.25)
    assert answer.usage == Usage(input_tokens=50, output_tokens=10, input_audio_tokens=45, seconds=5.25)


async def test_what_a_model_ignores_is_not_sent(upstream: FakeOpenAI) -> None:
    spec = {"ignores": ("prompt", "temperature", "timestamp_granularities")}
    await adapter.transcribe(at(upstream, **spec), speech(prompt="Names", temperature=0.5))
    assert set(upstream.requests[0].body) == {"model", "response_format"}


@pytest.mark.parametrize(
    "body",
    [
        '{"text": null}',
        '{"segments": []}',
        "[]",
        '{"error": {"message": "no"}}',
        "<html>",
    ],
)
async def test_an_answer_that_is_no_transcript_is_broken(upstream: FakeOpenAI, body: str) -> None:
    upstream.behaviour = Behaviour(raw_body=body)
    with pytest.raises(ProviderError) as caught:
        await adapter.transcribe(at(upstream), speech())
    assert caught.value.kind is ProviderFault.BROKEN
    assert await broken(at(upstream), speech()) == []


async def test_nonsense_beside_a_transcript_is_passed_over(upstream: FakeOpenAI) -> None:
    segments = [
        5,
        {"text": " Yes.", "start": 1},
        {"text": " Yes.", "start": "1", "end": 0.5, "tokens": ["a"], "seek": None},
    ]
    odd = {"text": " Yes. ", "duration": "soon", "language": 5, "usage": "all", "words": {"word": "Yes"}}
    upstream.behaviour = Behaviour(raw_body=json.dumps({**odd, "segments": segments}))
    answer = await adapter.transcribe(at(upstream), speech())
    assert (answer.text, answer.duration, answer.language, answer.words) == ("Yes.", 5.25, "", [])
    assert answer.segments == [Segment(" Yes.", 1.0, 1.0)]


# --- Streams -------------------------------------------------------------------------------------------------------


async def test_segments_come_with_their_times_as_they_are_heard(upstream: FakeOpenAI) -> None:
    segments, answer = await parts_of(at(upstream), speech(words=True, stream=True))
    assert [(one.text, one.start, one.end) for one in segments[:2]] == [
        (" one two", 0.0, 1.0),
        (" three four", 1.0, 2.0),
    ]
    assert answer.segments == segments
    assert len(answer.words) == 10
    assert (answer.text, answer.language, answer.duration) == (upstream.behaviour.reply, "english", 5.0)
    assert answer.usage == Usage(seconds=5.25)
    assert upstream.requests[0].body["stream"] == "true"


@pytest.mark.parametrize("shape", ["engine", "openai", "speaches", "speaches_json", "speaches_text", "vllm", "whole"])
@pytest.mark.parametrize(
    "network", [Behaviour(), Behaviour(split=7, crlf=True, comments=True)], ids=["whole", "pieces"]
)
async def test_every_servers_stream_tells_the_same_text_once(
    upstream: FakeOpenAI, shape: str, network: Behaviour
) -> None:
    network.shape = shape
    upstream.behaviour = network
    segments, answer = await parts_of(at(upstream), speech(language="en"))
    assert answer.text == upstream.behaviour.reply
    assert answer.language == "english"
    told = "".join(segment.text for segment in segments).strip()
    assert told == ("" if shape == "whole" else upstream.behaviour.reply)
    timed = shape in ("engine", "speaches")
    assert [bool(segment.end) for segment in segments] == [timed] * (0 if shape == "whole" else 5)
    assert len(answer.segments) == (5 if timed or shape == "whole" else 0)


async def test_tokens_of_a_stream_are_counted(upstream: FakeOpenAI) -> None:
    upstream.behaviour = Behaviour(shape="openai", audio_tokens=True)
    _, answer = await parts_of(at(upstream), speech())
    assert answer.usage == Usage(input_tokens=50, output_tokens=10, input_audio_tokens=45, seconds=5.25)


@pytest.mark.parametrize("shape", ["engine", "openai", "speaches", "vllm"])
async def test_a_stream_that_is_cut_is_broken(upstream: FakeOpenAI, shape: str) -> None:
    upstream.behaviour = Behaviour(shape=shape, die_after=4)
    parts = await broken(at(upstream), speech())
    assert len(parts) == (2 if shape == "engine" else 4)
    assert all(isinstance(part, Segment) for part in parts)


@pytest.mark.parametrize("behaviour", [Behaviour(error_after=3), Behaviour(bad_chunk_after=3), Behaviour(empty=True)])
async def test_a_stream_that_fails_is_broken(upstream: FakeOpenAI, behaviour: Behaviour) -> None:
    upstream.behaviour = behaviour
    assert len(await broken(at(upstream), speech())) == (0 if behaviour.empty else 2)


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("upstream:status=400", ProviderFault.BAD_REQUEST),
        ("upstream:status=401", ProviderFault.AUTH),
        ("upstream:status=429", ProviderFault.RATE_LIMITED),
        ("upstream:status=503", ProviderFault.OVERLOADED),
        ("upstream:status=502 upstream:html", ProviderFault.BROKEN),
        ("upstream:refuse", ProviderFault.BROKEN),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_failure_before_the_answer_is_named(
    upstream: FakeOpenAI, prompt: str, kind: ProviderFault, stream: bool
) -> None:
    request = speech(prompt=prompt)
    work = (
        anext(adapter.stream_transcription(at(upstream), request))
        if stream
        else adapter.transcribe(at(upstream), request)
    )
    with pytest.raises(ProviderError) as caught:
        await work
    assert caught.value.kind is kind


@pytest.mark.parametrize("seconds", [0.0, 60.0])
async def test_a_long_recording_is_waited_for_longer(upstream: FakeOpenAI, seconds: float) -> None:
    upstream.behaviour = Behaviour(delay=0.3)
    work = adapter.transcribe(replace(at(upstream), timeout=0.1), speech(seconds=seconds))
    if seconds:
        assert (await work).text
        return
    with pytest.raises(ProviderError) as caught:
        await work
    assert caught.value.kind is ProviderFault.TIMEOUT


async def test_closing_a_stream_lets_the_server_go(upstream: FakeOpenAI) -> None:
    upstream.behaviour = Behaviour(stall_after=2)
    parts = adapter.stream_transcription(at(upstream), speech())
    assert isinstance(await anext(parts), Segment)
    await parts.aclose()
    async with asyncio.timeout(5):
        while upstream.open_connections:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
