"""Google's oddities: the names of sizes, refusals with a 200, thoughts, batches, turns of a transcript."""

import base64
import json
from collections.abc import AsyncIterator
from math import hypot
from typing import Any

import pytest

from gateway.catalog import get_model, list_models
from gateway.catalog.schema import Model, parse_size
from gateway.errors import ProviderError, ProviderFault
from gateway.providers.google import Google
from gateway.providers.google.images import ratio_name
from gateway.types import Segment, Usage
from tests.gateway.conftest import close_idle_pools
from tests.upstreams.contract import (
    PROMPT,
    RECORDING,
    behave,
    chat_request,
    deploy,
    embedding_request,
    image_request,
    png,
    transcription_request,
)
from tests.upstreams.google import (
    DRAFT,
    FINISHED,
    FakeGoogle,
    Refusal,
    check_picture,
    check_recording,
    vector_of,
)
from tests.upstreams.google import IMAGE_MODELS as FAKE_IMAGE_MODELS

KEY = "AIza-test-key"
adapter = Google()
IMAGE_MODELS = [model for model in list_models() if model.provider == "google" and model.type == "image"]


@pytest.fixture
async def google() -> AsyncIterator[FakeGoogle]:
    with FakeGoogle(api_key=KEY) as fake:
        yield fake
        await close_idle_pools()


async def draw(google: FakeGoogle, name: str = "nano-banana-2", **parts: Any) -> Any:
    model = get_model(name)
    return await adapter.generate_images(deploy(google, model, KEY), image_request(model, **parts))


async def chat(google: FakeGoogle, **body: Any) -> Any:
    model = get_model("gemini-3.1-pro")
    return await adapter.chat(deploy(google, model, KEY), chat_request(model, **body))


async def chunks_of(google: FakeGoogle, **body: Any) -> list[dict[str, Any]]:
    model = get_model("gemini-3.1-pro")
    found = []
    async for together in adapter.stream_chat(deploy(google, model, KEY), chat_request(model, **body)):
        found += [json.loads(chunk) for chunk in together]
    return found


async def embed(google: FakeGoogle, inputs: list[str], name: str = "gemini-embedding-2", **body: Any) -> Any:
    model = get_model(name)
    return await adapter.embed(deploy(google, model, KEY), embedding_request(model, inputs, **body))


async def transcribe(google: FakeGoogle, **parts: Any) -> Any:
    model = get_model("gemini-3.5-transcribe")
    return await adapter.transcribe(deploy(google, model, KEY), transcription_request(model, **parts))


async def heard(google: FakeGoogle) -> AsyncIterator[Any]:
    model = get_model("gemini-3.5-transcribe")
    async for part in adapter.stream_transcription(deploy(google, model, KEY), transcription_request(model)):
        yield part


async def refusal(work: Any) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        await work
    return raised.value


# --- Pictures ------------------------------------------------------------------------------------------------------


async def test_a_picture_is_asked_for_with_nothing_that_google_would_refuse(google: FakeGoogle) -> None:
    await draw(google, size="1536x1024", inputs=2)
    recorded = google.requests[-1]
    assert recorded.path == "/v1beta/models/gemini-3.1-flash-image:generateContent"
    assert recorded.headers["x-goog-api-key"] == KEY
    blob = {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(png()).decode()}}
    assert recorded.body == {
        "contents": [{"role": "user", "parts": [blob, blob, {"text": PROMPT}]}],
        "generationConfig": {
            "responseModalities": ["IMAGE"],
            "imageConfig": {"aspectRatio": "3:2", "imageSize": "1K"},
        },
    }


@pytest.mark.parametrize("model", IMAGE_MODELS, ids=lambda model: model.id)
async def test_every_size_of_the_catalogue_has_a_name_of_its_own(model: Model, google: FakeGoogle) -> None:
    assert model.image is not None
    for size in model.image.sizes:
        await draw(google, model.id, size=size)
    asked = [tuple(recorded.body["generationConfig"]["imageConfig"].items()) for recorded in google.requests]
    assert len(set(asked)) == len(model.image.sizes)


SIZES_BY_RATIO = {
    **{"1:1": (1024, 1024), "2:3": (848, 1264), "3:4": (896, 1200), "4:5": (928, 1152), "9:16": (768, 1376)},
    **{"16:9": (2752, 1536), "21:9": (1584, 672), "4:1": (1024, 256), "8:1": (6144, 768)},
}


@pytest.mark.parametrize(("name", "size"), SIZES_BY_RATIO.items())
def test_a_ratio_is_known_by_the_rounded_size(name: str, size: tuple[int, int]) -> None:
    assert ratio_name(*size) == name


async def test_a_model_of_one_class_is_told_none(google: FakeGoogle) -> None:
    await draw(google, "nano-banana", size="2K")
    assert google.requests[-1].body["generationConfig"]["imageConfig"] == {"aspectRatio": "1:1"}


@pytest.mark.parametrize("spelling", [{}, {"url_safe": True}, {"snake_case": True}, {"drafts": 2, "url_safe": True}])
async def test_the_last_picture_that_is_no_thought_is_the_one(spelling: dict[str, Any], google: FakeGoogle) -> None:
    behave(google, spelling)
    answer = await draw(google)
    assert [(one.data, one.mime) for one in answer.pictures] == [(FINISHED, "image/png")]
    assert DRAFT != FINISHED


async def test_thoughts_and_pictures_are_output(google: FakeGoogle) -> None:
    google.behaviour.thoughts = 30
    answer = await draw(google)
    assert answer.usage == Usage(11, 40, reasoning_tokens=30, output_image_tokens=10, images=1)


async def test_without_counts_none_are_made_up(google: FakeGoogle) -> None:
    google.behaviour.usage = False
    assert (await draw(google)).usage == Usage(images=1, reported=False)


async def test_a_refusal_says_why(google: FakeGoogle) -> None:
    behave(google, {"finish_reason": "IMAGE_SAFETY", "finish_message": f"Ask {KEY} at https://google.example/policy"})
    error = await refusal(draw(google))
    assert (error.kind, error.message) == (
        ProviderFault.CONTENT_POLICY,
        "the answer was withheld (IMAGE_SAFETY): Ask … at …",
    )
    behave(google, {"finish_reason": "STOP", "words": "I can't draw that."})
    assert (await refusal(draw(google))).message == "I can't draw that."


@pytest.mark.parametrize(
    "behaviour", [{"no_picture": True}, {"finish_reason": "MALFORMED_RESPONSE"}], ids=["no picture", "malformed"]
)
async def test_an_answer_without_a_picture_says_nothing_of_google(
    behaviour: dict[str, Any], google: FakeGoogle
) -> None:
    behave(google, behaviour)
    error = await refusal(draw(google))
    assert (error.kind, error.of_this_request) == (ProviderFault.BROKEN, True)


async def test_a_picture_that_is_no_base64_is_broken(google: FakeGoogle) -> None:
    google.behaviour.raw_body = json.dumps({"candidates": [{"content": {"parts": [{"inlineData": {"data": "a?b"}}]}}]})
    assert (await refusal(draw(google))).kind is ProviderFault.BROKEN


@pytest.mark.parametrize("delay", ["0.5s", "12.250s", "7", "soon", "-3s", "0s", 5])
async def test_the_wait_that_google_asks_for_is_read(delay: Any, google: FakeGoogle) -> None:
    behave(google, {"status": 429, "code": "RESOURCE_EXHAUSTED", "retry_delay": delay})
    expected = {"0.5s": 0.5, "12.250s": 12.25}.get(delay)
    assert (await refusal(draw(google))).retry_after == expected


# --- Chat ----------------------------------------------------------------------------------------------------------


async def test_a_chat_goes_to_the_endpoint_in_openais_shape(google: FakeGoogle) -> None:
    answer = await chat(google, max_tokens=50, reasoning_effort="low", user="alice")
    recorded = google.requests[-1]
    assert recorded.path == "/v1beta/openai/chat/completions"
    assert recorded.headers["authorization"] == f"Bearer {KEY}"
    assert recorded.body["max_tokens"] == 50
    assert recorded.body["reasoning_effort"] == "low"
    assert "user" not in recorded.body
    assert answer.body["choices"][0]["message"]["content"].startswith("one two")


async def test_thoughts_are_counted_as_completion(google: FakeGoogle) -> None:
    google.behaviour.thoughts = 70
    answer = await chat(google)
    assert answer.usage == Usage(11, 80, reasoning_tokens=70)
    assert answer.body["usage"] == {"prompt_tokens": 11, "completion_tokens": 80, "total_tokens": 91}


async def test_a_tool_is_called_whole_and_in_a_stream(google: FakeGoogle) -> None:
    google.behaviour.tool_call = True
    tools = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]
    answer = await chat(google, tools=tools, tool_choice="auto")
    assert answer.body["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "look_up"
    *called, last = await chunks_of(google, tools=tools)
    assert called[0]["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"] == '{"city":"Paris"}'
    assert last["choices"][0]["finish_reason"] == "tool_calls"


async def test_an_answer_that_is_withheld_midway_ends_as_openais_do(google: FakeGoogle) -> None:
    behave(google, {"finish_reason": "SAFETY", "withheld_after": 2})
    answer = await chat(google)
    assert answer.body["choices"][0]["finish_reason"] == "content_filter"
    chunks = await chunks_of(google)
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks] == ["one ", "two ", None]
    assert chunks[-1]["choices"][0]["finish_reason"] == "content_filter"
    assert chunks[-1]["usage"]["total_tokens"] == 21


async def test_words_about_filters_pass(google: FakeGoogle) -> None:
    google.behaviour.reply = 'A "content_filter: SAFETY" is a "finish_reason".'
    assert (await chat(google)).body["choices"][0]["message"]["content"] == google.behaviour.reply
    chunks = await chunks_of(google)
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert text.strip() == google.behaviour.reply


@pytest.mark.parametrize("as_list", [False, True])
async def test_an_error_is_read_alone_or_as_an_item_of_a_list(as_list: bool, google: FakeGoogle) -> None:
    behave(google, {"status": 402, "code": "RESOURCE_EXHAUSTED", "as_list": as_list})
    assert (await refusal(chat(google))).kind is ProviderFault.BALANCE
    behave(google, {"status": 200, "error_after": 1, "code": "UNAVAILABLE"})
    error = await refusal(chunks_of(google))
    assert (error.kind, error.status) == (ProviderFault.OVERLOADED, 500)


async def test_work_that_ran_out_of_time_had_begun(google: FakeGoogle) -> None:
    behave(google, {"status": 504, "code": "DEADLINE_EXCEEDED"})
    for work in (chat, draw):
        error = await refusal(work(google))
        assert (error.kind, error.status, error.may_have_begun) == (ProviderFault.TIMEOUT, 504, True)


# --- Embeddings ----------------------------------------------------------------------------------------------------


async def test_many_texts_go_in_batches_and_come_back_in_order(google: FakeGoogle) -> None:
    texts = [f"text {number}" for number in range(250)]
    answer = await embed(google, texts)
    assert [len(recorded.body["requests"]) for recorded in google.requests] == [100, 100, 50]
    assert answer.vectors == [vector_of(text, 3072) for text in texts]
    assert answer.usage == Usage(750)


async def test_shorter_vectors_are_asked_for_and_made_to_length_one(google: FakeGoogle) -> None:
    answer = await embed(google, ["a"], "gemini-embedding-001", dimensions=256)
    assert google.requests[-1].body == {
        "requests": [
            {
                "model": "models/gemini-embedding-001",
                "outputDimensionality": 256,
                "content": {"parts": [{"text": "a"}]},
            }
        ]
    }
    assert len(answer.vectors[0]) == 256
    assert hypot(*answer.vectors[0]) == pytest.approx(1)


async def test_texts_that_google_does_not_count_are_counted_here(google: FakeGoogle) -> None:
    google.behaviour.usage = False
    assert (await embed(google, ["a", "b"])).usage == Usage(12, reported=False)


# --- Transcriptions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plain_text", [False, True])
async def test_the_turns_of_a_transcript_become_one_text(plain_text: bool, google: FakeGoogle) -> None:
    google.behaviour.plain_text = plain_text
    answer = await transcribe(google, language="en")
    assert answer.text == "one two three four five six seven eight nine ten"
    assert (answer.language, answer.duration) == ("english", 0.2)
    assert answer.usage == Usage(11, 10, seconds=0.2)
    assert google.requests[-1].body == {
        "contents": [
            {
                "role": "user",
                "parts": [{"inlineData": {"mimeType": "audio/wav", "data": base64.b64encode(RECORDING).decode()}}],
            }
        ],
        "generationConfig": {"audioTranscriptionConfig": {"languageCodes": ["en"]}},
    }


async def test_silence_is_an_empty_transcript(google: FakeGoogle) -> None:
    google.behaviour.reply = ""
    assert (await transcribe(google)).text == ""


async def test_a_transcript_is_told_as_it_is_heard(google: FakeGoogle) -> None:
    *segments, answer = [part async for part in heard(google)]
    assert segments == [Segment("one two three four five", 0, 0), Segment(" six seven eight nine ten", 0, 0)]
    assert answer.text == "one two three four five six seven eight nine ten"
    assert answer.language == "english"


async def test_a_stream_that_ends_without_saying_so_is_broken(google: FakeGoogle) -> None:
    google.behaviour.finish_reason = ""
    with pytest.raises(ProviderError, match="ended before the transcript did"):
        _ = [part async for part in heard(google)]


# --- The fake ------------------------------------------------------------------------------------------------------


def picture_body(config: dict[str, Any], data: str = "aGVsbG8=") -> dict[str, Any]:
    parts = [{"inlineData": {"mimeType": "image/png", "data": data}}, {"text": PROMPT}]
    return {"contents": [{"role": "user", "parts": parts}], "generationConfig": {"imageConfig": config}}


@pytest.mark.parametrize(
    "body",
    [
        picture_body({"aspectRatio": "1:1", "imageOutputOptions": {"mimeType": "image/jpeg"}}),
        picture_body({"aspectRatio": "16:10"}),
        picture_body({"imageSize": "2k"}),
        picture_body({}, data="data:image/png;base64,aGVsbG8="),
        {**picture_body({}), "n": 2},
    ],
)
def test_the_fake_takes_nothing_that_google_does_not(body: dict[str, Any]) -> None:
    check_picture("gemini-3.1-flash-image", picture_body({"aspectRatio": "8:1", "imageSize": "512"}))
    with pytest.raises(Refusal):
        check_picture("gemini-3.1-flash-image", body)


def test_the_fake_hears_recordings_alone() -> None:
    with pytest.raises(Refusal):
        check_recording(picture_body({}))


@pytest.mark.parametrize("model", IMAGE_MODELS, ids=lambda model: model.id)
def test_the_catalogue_says_what_the_models_take(model: Model) -> None:
    classes, ratios, inputs = FAKE_IMAGE_MODELS[model.upstream]
    assert model.image is not None
    assert model.image.per_call == 1
    assert model.image.max_inputs == inputs
    assert tuple(model.image.tiers) == (tuple(classes) or ("1K",))
    assert {ratio_name(*parse_size(size)) for size in model.image.sizes} == set(ratios)
