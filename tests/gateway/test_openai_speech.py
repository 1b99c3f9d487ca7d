"""Recordings and embeddings at OpenAI: what each of its models is sent, by its own SDK's types."""

from typing import Any

import pytest
from openai.types import embedding_create_params
from openai.types.audio import transcription_create_params

from gateway.catalog import get_model, list_models
from gateway.providers.openai import OpenAI
from gateway.types import Segment, TranscriptionAnswer, Usage
from tests.gateway.conftest import KEY
from tests.upstreams.contract import deploy, embedding_request, transcription_request
from tests.upstreams.openai import Behaviour, FakeOpenAI
from tests.upstreams.sdk_types import check_request

adapter = OpenAI()
SPEECH = [one for one in list_models() if one.provider == "openai" and one.type == "transcription"]
JSON_ALONE = [one.id for one in SPEECH if one.transcription and "verbose_json" not in one.transcription.formats]
TOKENS = Usage(50, 10, input_audio_tokens=45, seconds=0.2)


async def transcribe(upstream: FakeOpenAI, name: str, **parts: Any) -> TranscriptionAnswer:
    model = get_model(name)
    return await adapter.transcribe(deploy(upstream, model, KEY), transcription_request(model, **parts))


async def listen(upstream: FakeOpenAI, name: str) -> tuple[str, TranscriptionAnswer]:
    """The text of the stream's segments, and the answer at its end."""
    model = get_model(name)
    request = transcription_request(model, stream=True)
    parts = [part async for part in adapter.stream_transcription(deploy(upstream, model, KEY), request)]
    answer = parts.pop()
    assert isinstance(answer, TranscriptionAnswer)
    return "".join(part.text for part in parts if isinstance(part, Segment)), answer


def check_sent(upstream: FakeOpenAI) -> dict[str, Any]:
    [sent] = upstream.requests
    fields = {**sent.body, "file": sent.files[0][2]}
    streamed = fields.pop("stream", None)
    if "timestamp_granularities[]" in fields:
        fields["timestamp_granularities"] = fields.pop("timestamp_granularities[]")
    kind = "TranscriptionCreateParamsStreaming" if streamed else "TranscriptionCreateParamsNonStreaming"
    check_request(getattr(transcription_create_params, kind), fields | ({"stream": True} if streamed else {}))
    return sent.body


@pytest.mark.parametrize("name", JSON_ALONE)
async def test_models_that_tell_no_times_are_asked_for_json(upstream: FakeOpenAI, name: str) -> None:
    answer = await transcribe(upstream, name, language="en", prompt="Numbers.")
    assert answer.text == upstream.behaviour.reply
    assert answer.usage == TOKENS
    sent = check_sent(upstream)
    assert sent == {"model": name, "response_format": "json", "language": "en", "prompt": "Numbers."}


@pytest.mark.parametrize("name", JSON_ALONE)
async def test_they_are_streamed_in_pieces(upstream: FakeOpenAI, name: str) -> None:
    text, answer = await listen(upstream, name)
    assert (text, answer.text) == (upstream.behaviour.reply, upstream.behaviour.reply)
    assert answer.usage == TOKENS
    assert check_sent(upstream)["stream"] == "true"


async def test_whisper_tells_the_times_of_words(upstream: FakeOpenAI) -> None:
    answer = await transcribe(upstream, "openai-whisper-1", words=True)
    sent = check_sent(upstream)
    assert (sent["model"], sent["response_format"]) == ("whisper-1", "verbose_json")
    assert sent["timestamp_granularities[]"] == ["segment", "word"]
    assert (answer.language, len(answer.segments), len(answer.words)) == ("english", 5, 10)
    assert answer.usage == Usage(seconds=0.2)


async def test_whisper_knows_no_streams_and_answers_whole(upstream: FakeOpenAI) -> None:
    upstream.behaviour = Behaviour(shape="whole")
    text, answer = await listen(upstream, "openai-whisper-1")
    assert (text, answer.text) == ("", upstream.behaviour.reply)


@pytest.mark.parametrize(("name", "size"), [("text-embedding-3-small", 256), ("text-embedding-3-large", 3072)])
async def test_embeddings_are_asked_for_in_the_size_that_is_wanted(upstream: FakeOpenAI, name: str, size: int) -> None:
    upstream.behaviour = Behaviour(prompt_tokens=6)
    model = get_model(name)
    request = embedding_request(model, ["a", "b"], dimensions=size, user="u-1")
    answer = await adapter.embed(deploy(upstream, model, KEY), request)
    assert ([len(vector) for vector in answer.vectors], answer.usage) == ([size, size], Usage(6))
    [sent] = upstream.requests
    assert sent.body["encoding_format"] == "float"
    check_request(embedding_create_params.EmbeddingCreateParams, sent.body)
