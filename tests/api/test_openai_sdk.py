"""The published clients against a gateway that really listens: OpenAI's Python SDK, and `arkroute` 0.1.0."""

import base64
import importlib.metadata
import importlib.util
import json
from collections.abc import Iterator

import httpx
import openai
import pytest
from PIL import Image
from pydantic import BaseModel

from accounts.keys import issue_key
from tests.recordings import recording

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius"]}},
            "required": ["city", "unit"],
        },
    },
}


@pytest.fixture
def client(gateway_url: str, alice) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=alice.key, base_url=f"{gateway_url}/v1", max_retries=0) as client:
        yield client


def say(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def test_chat(client) -> None:
    completion = client.chat.completions.create(model="sandbox-chat", messages=say("Hello!"), max_tokens=100)
    assert "Hello!" in completion.choices[0].message.content
    assert completion.model == "sandbox-chat"
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens


def test_chat_stream(client) -> None:
    chunks = list(client.chat.completions.create(model="sandbox-chat", messages=say("Hello you!"), stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert "Hello you!" in text
    assert len(chunks) > 3
    assert len({chunk.id for chunk in chunks}) == 1
    assert all(chunk.usage is None for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_a_stream_tells_its_usage_and_credits_to_those_who_ask(client) -> None:
    *_, last = client.chat.completions.create(
        model="sandbox-chat", messages=say("Hi"), stream=True, stream_options={"include_usage": True}
    )
    assert last.choices == []
    assert last.usage.completion_tokens > 0
    assert last.usage.credits == 1


def test_tools_are_called_and_their_results_taken(client) -> None:
    asked = client.chat.completions.create(model="sandbox-chat", messages=say("Weather?"), tools=[WEATHER])
    call = asked.choices[0].message.tool_calls[0]
    assert (asked.choices[0].finish_reason, call.function.name) == ("tool_calls", "get_weather")
    assert json.loads(call.function.arguments)["unit"] == "celsius"
    messages = [
        *say("Weather?"),
        asked.choices[0].message,
        {"role": "tool", "tool_call_id": call.id, "content": "12 degrees"},
    ]
    answered = client.chat.completions.create(model="sandbox-chat", messages=messages, tools=[WEATHER])
    assert answered.choices[0].message.content


def test_streamed_tool_calls_arrive_in_fragments(client) -> None:
    fragments = [
        fragment
        for chunk in client.chat.completions.create(
            model="sandbox-chat", messages=say("Weather?"), tools=[WEATHER], stream=True
        )
        if chunk.choices
        for fragment in chunk.choices[0].delta.tool_calls or []
    ]
    assert len(fragments) > 2
    assert set(json.loads("".join(one.function.arguments or "" for one in fragments))) == {"city", "unit"}


def test_a_json_schema_is_answered_with_an_instance(client) -> None:
    class Event(BaseModel):
        name: str
        year: int

    completion = client.chat.completions.parse(model="sandbox-chat", messages=say("When?"), response_format=Event)
    assert isinstance(completion.choices[0].message.parsed, Event)


def test_embeddings_are_the_same_in_base64_which_the_sdk_asks_for_and_in_floats(client) -> None:
    by_default = client.embeddings.create(model="sandbox-embedding", input=["one", "two"])
    floats = client.embeddings.create(model="sandbox-embedding", input=["one", "two"], encoding_format="float")
    assert [len(one.embedding) for one in by_default.data] == [256, 256]
    for left, right in zip(by_default.data, floats.data, strict=True):
        assert left.embedding == pytest.approx(right.embedding, abs=1e-6)
    assert len(client.embeddings.create(model="sandbox-embedding", input="x", dimensions=8).data[0].embedding) == 8


def test_images_as_links_and_as_base64(client, gateway_url, settings, tmp_path) -> None:
    settings.PUBLIC_URL = gateway_url
    linked = client.images.generate(model="sandbox-image", prompt="the sea", n=2, size="640x480")
    assert len(linked.data) == 2
    data = httpx.get(linked.data[0].url).content
    (tmp_path / "a.png").write_bytes(data)
    assert Image.open(tmp_path / "a.png").size == (640, 480)
    inline = client.images.generate(
        model="sandbox-image", prompt="the sea", n=1, size="640x480", response_format="b64_json"
    )
    assert base64.b64decode(inline.data[0].b64_json) == data


def test_a_transcription_in_every_format(client) -> None:
    def transcribe(**fields):
        file = ("speech.webm", recording("webm", 2.5))
        return client.audio.transcriptions.create(model="sandbox-transcription", file=file, **fields)

    plain = transcribe(language="en", temperature=0.2, prompt="ArkRoute")
    assert "sandbox" in plain.text
    assert plain.usage.seconds == pytest.approx(2.5, abs=0.03)
    assert transcribe(response_format="text") == f"{plain.text}\n"
    assert transcribe(response_format="srt").startswith("1\n00:00:00,000 --> 00:00:0")
    assert transcribe(response_format="vtt").startswith("WEBVTT\n\n00:00:00.000 --> 00:00:0")
    verbose = transcribe(response_format="verbose_json", timestamp_granularities=["word", "segment"])
    assert (verbose.text, verbose.language) == (plain.text, "english")
    assert "".join(segment.text for segment in verbose.segments) == plain.text
    assert [word.word for word in verbose.words] == plain.text.split()
    assert verbose.words[-1].end == verbose.segments[-1].end == pytest.approx(2.5, abs=0.03)


def test_a_transcription_is_streamed(client) -> None:
    file = ("speech.mp3", recording("mp3", 2.0))
    *deltas, done = client.audio.transcriptions.create(model="sandbox-transcription", file=file, stream=True)
    assert {event.type for event in deltas} == {"transcript.text.delta"}
    assert len(deltas) == 2
    assert "".join(event.delta for event in deltas) == done.text
    assert (done.type, done.usage.type, done.usage.credits) == ("transcript.text.done", "duration", 1)


def test_models(client) -> None:
    models = {model.id: model for model in client.models.list()}
    assert {"nano-banana-2", "seedream-4.5", "gpt-5.5", "sandbox-chat"} <= set(models)
    assert client.models.retrieve("gpt-5.5").owned_by == "openai"


@pytest.mark.parametrize(
    ("model", "text", "error"),
    [
        ("gpt-99", "Hi", openai.NotFoundError),
        ("sandbox-chat", "sandbox:fail=content_policy_violation", openai.BadRequestError),
        ("sandbox-chat", "sandbox:fail=rate_limit_exceeded", openai.RateLimitError),
        ("sandbox-chat", "sandbox:fail=provider_error", openai.InternalServerError),
        ("sandbox-chat", "sandbox:fail=overloaded", openai.InternalServerError),
        ("sandbox-chat", "sandbox:fail=invalid_value", openai.UnprocessableEntityError),
    ],
)
def test_errors_are_the_sdks_own_classes(client, model, text, error) -> None:
    for stream in (False, True):
        with pytest.raises(error) as caught:
            client.chat.completions.create(model=model, messages=say(text), stream=stream)
        assert caught.value.request_id.startswith("req_")
        assert caught.value.code


def test_a_bad_key_and_an_empty_balance_are_errors_of_the_sdk(client, charlie) -> None:
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="ark-wrong").chat.completions.create(model="sandbox-chat", messages=say("Hi"))
    with pytest.raises(openai.APIStatusError) as caught:
        client.with_options(api_key=charlie.key, max_retries=2).chat.completions.create(
            model="sandbox-chat", messages=say("Hi")
        )
    assert (caught.value.status_code, caught.value.code) == (402, "insufficient_credits")


async def test_the_async_client_streams_too(gateway_url, alice) -> None:
    async with openai.AsyncOpenAI(api_key=alice.key, base_url=f"{gateway_url}/v1") as client:
        stream = await client.chat.completions.create(model="sandbox-chat", messages=say("Hello!"), stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert "Hello!" in text


def test_the_published_arkroute_client_makes_images_and_lists_models(gateway_url, alice) -> None:
    # It has the name of a package of ours, so it is loaded by its place.
    file = importlib.metadata.distribution("arkroute").locate_file("arkroute/client.py")
    spec = importlib.util.spec_from_file_location("published_arkroute", str(file))
    published = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(published)
    client = published.ArkRoute(api_key=alice.key, base_url=f"{gateway_url}/v1")
    image = client.generate_image("a cat astronaut floating in space")
    assert image["url"] == image["data"][0]["url"]
    assert image["size"] == "2048x2048"
    assert any(model["id"] == "nano-banana-2" for model in client.list_models()["data"])


def test_several_keys_of_one_user_spend_one_balance(gateway_url, alice) -> None:
    for name in ("one", "two"):
        key = issue_key(alice.user, name).secret
        openai.OpenAI(api_key=key, base_url=f"{gateway_url}/v1").embeddings.create(model="sandbox-embedding", input="x")
    assert alice.money()[0] == 500_000 - 2000
