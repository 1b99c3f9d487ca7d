"""The models of the engine, through the gateway, with the clients that people use: real weights, real answers."""

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from openai import OpenAI

from tests.arkroute.conftest import ROOT, clean_environment, find_free_port
from tests.models import models_folder

AUDIO = Path(__file__).resolve().parents[1] / "audio"
PATIENCE = 60  # seconds; three models are loaded


@pytest.fixture(scope="module")
def running_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `manage.py run_engine` with the models that `make setup` fetched."""
    folder = tmp_path_factory.mktemp("engine")
    (folder / "models").symlink_to(models_folder())
    url = f"http://127.0.0.1:{find_free_port()}"
    environment = clean_environment(folder) | {"DEBUG": "on", "SECRET_KEY": "only-for-tests", "ENGINE_URL": url}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "run_engine"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not _is_healthy(url):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.1)
        yield url
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.wait(10)


def _is_healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def client(gateway_url, alice, running_engine, settings) -> OpenAI:
    settings.ENGINE_URL = running_engine
    return OpenAI(api_key=alice.key, base_url=f"{gateway_url}/v1", max_retries=0)


def cosine(one: list[float], other: list[float]) -> float:
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    return dot / math.hypot(*one) / math.hypot(*other)


def words_of(text: str) -> list[str]:
    return "".join(letter if letter.isalnum() else " " for letter in text.lower()).split()


# --- Chat and sessions ---------------------------------------------------------------------------------------------


def test_a_client_that_keeps_cookies_keeps_the_models_state(client) -> None:
    """The OpenAI client keeps cookies by itself; what the model has read in turn 1 it does not read again in turn 2."""
    messages = [{"role": "user", "content": "Here is a list: " + ", ".join(f"thing {n}" for n in range(30))}]
    first = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=messages, max_tokens=8)
    assert first.headers["x-arkroute-session-state"] == "new"
    assert "ark_session_id=" in first.headers["set-cookie"]
    answer = first.parse()
    assert answer.model == "gpt-4o"

    messages += [
        {"role": "assistant", "content": answer.choices[0].message.content},
        {"role": "user", "content": "Thank you."},
    ]
    second = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=messages, max_tokens=8)
    assert second.headers["x-arkroute-session-state"] == "hit"
    assert "set-cookie" not in second.headers
    usage = second.parse().usage
    assert usage.prompt_tokens_details.cached_tokens > 0.8 * answer.usage.prompt_tokens


def test_the_documented_session_example(gateway_url, alice, running_engine, settings) -> None:
    """The cookie as it is documented, sent back by hand."""
    settings.ENGINE_URL = running_engine
    body = {"model": "gpt-3.5-turbo", "messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 4}
    first = httpx.post(f"{gateway_url}/v1/chat/completions", json=body, headers=alice.headers, timeout=60)
    assert first.status_code == 200, first.text
    cookie, _, attributes = first.headers["set-cookie"].partition("; ")
    assert cookie.startswith("ark_session_id=")
    assert attributes.startswith("Max-Age=86400; Path=/; SameSite=lax")
    headers = alice.headers | {"cookie": cookie}
    second = httpx.post(f"{gateway_url}/v1/chat/completions", json=body, headers=headers, timeout=60)
    assert second.headers["x-arkroute-session-state"] == "hit"


def test_two_conversations_keep_a_slot_each(gateway_url, alice, running_engine, settings) -> None:
    settings.ENGINE_URL = running_engine
    story = "Remember: " + " ".join(f"{{}} {n}" for n in range(30))
    cached = []
    with httpx.Client(base_url=gateway_url, timeout=60) as http:
        talks = [
            {"cookies": {}, "messages": [{"role": "user", "content": story.replace("{}", name)}]}
            for name in ("red", "blue")
        ]
        for _ in range(2):
            for talk in talks:
                body = {"model": "smollm2-135m-instruct", "messages": talk["messages"], "max_tokens": 4}
                http.cookies.clear()
                http.cookies.update(talk["cookies"])
                answer = http.post("/v1/chat/completions", json=body, headers=alice.headers)
                assert answer.status_code == 200, answer.text
                talk["cookies"] |= dict(answer.cookies)
                usage = answer.json()["usage"]
                cached.append(usage["prompt_tokens_details"]["cached_tokens"] / usage["prompt_tokens"])
                message = answer.json()["choices"][0]["message"]
                talk["messages"] += [message, {"role": "user", "content": "And now?"}]
    assert min(cached[2:]) > 0.8, cached


def test_the_gateway_keeps_a_stateful_conversation(client, alice, gateway_url) -> None:
    told = "My name is Ada Lovelace and I live in Paris."
    session = "5f0c1c52-6d7a-4f0e-9d0e-3c1f4f5f9d11"
    for turn in (told, "What did I tell you?"):
        answer = client.chat.completions.create(
            model="gpt-4o",
            messages=[{"role": "user", "content": turn}],
            max_tokens=16,
            extra_body={"ark_stateful": session},
        )
    # The second turn read the first one, too.
    assert answer.usage.prompt_tokens > 2 * len(words_of(told))
    (kept,) = httpx.get(f"{gateway_url}/v1/sessions", headers=alice.headers).json()["data"]
    assert (kept["id"], kept["messages"]) == (session, 4)


def test_a_tool_can_be_forced(client) -> None:
    weather = {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
            "required": ["city", "unit"],
        },
    }
    answer = client.chat.completions.create(
        model="smollm2-135m-instruct",
        messages=[{"role": "user", "content": "What is the weather in Paris?"}],
        tools=[{"type": "function", "function": weather}],
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
        max_tokens=60,
    )
    assert answer.choices[0].finish_reason == "tool_calls"
    (call,) = answer.choices[0].message.tool_calls
    assert call.function.name == "get_weather"
    assert '"city"' in call.function.arguments
    assert "celsius" in call.function.arguments or "fahrenheit" in call.function.arguments


# --- Embeddings ----------------------------------------------------------------------------------------------------


def test_embeddings_tell_what_is_alike(client) -> None:
    """The client asks for base64 by itself."""
    texts = ["The new movie is awesome", "The new movie is so great", "The cat sits outside"]
    answer = client.embeddings.create(model="text-embedding-ada-002", input=texts)
    awesome, great, cat = (row.embedding for row in answer.data)
    assert len(awesome) == 384
    assert math.isclose(math.hypot(*awesome), 1, abs_tol=1e-3)
    # As the model's makers document it: 0.8939.
    assert math.isclose(cosine(awesome, great), 0.894, abs_tol=0.01)
    assert cosine(awesome, cat) < 0.2
    assert answer.usage.prompt_tokens > 10

    floats = client.embeddings.create(model="all-minilm-l6-v2", input=texts[0], encoding_format="float")
    assert cosine(floats.data[0].embedding, awesome) > 0.999


def test_many_texts_are_embedded_in_one_request(client, alice) -> None:
    before = alice.money()[0]
    answer = client.embeddings.create(model="all-minilm-l6-v2", input=[f"sentence number {n}" for n in range(100)])
    assert [row.index for row in answer.data] == list(range(100))
    assert before - alice.money()[0] == 100  # millicredits: 0.1 credits for up to 10,000 tokens


# --- Transcription -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sentence() -> tuple[str, bytes]:
    return "sentence.flac", (AUDIO / "sentence.flac").read_bytes()


# Finding the language takes as long as hearing the sentence.
NAMED_LANGUAGE = {"language": "en"}


def assert_heard(text: str) -> None:
    spoken = words_of((AUDIO / "sentence.txt").read_text())
    heard = words_of(text)
    found = sum(word in heard for word in spoken)
    assert found >= 0.8 * len(spoken), text


def test_a_recorded_sentence_is_written_down(client, alice, sentence) -> None:
    before = alice.money()[0]
    answer = client.audio.transcriptions.create(model="whisper-1", file=sentence)
    assert_heard(answer.text)
    assert before - alice.money()[0] == 100  # 0.1 credits for up to ten seconds


@pytest.mark.parametrize("kind", ["text", "vtt"])
def test_it_comes_as_text_and_as_subtitles(client, sentence, kind) -> None:
    """SRT is VTT's twin: tests/api/test_transcriptions.py."""
    answer = client.audio.transcriptions.create(
        model="whisper-1", file=sentence, response_format=kind, **NAMED_LANGUAGE
    )
    assert isinstance(answer, str)
    assert_heard(answer)
    assert ("-->" in answer) == (kind != "text")
    assert answer.startswith("WEBVTT") == (kind == "vtt")


def test_it_tells_the_times_of_words_and_segments(client, sentence) -> None:
    answer = client.audio.transcriptions.create(
        model="whisper-1",
        file=sentence,
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert answer.language == "english"
    assert 1 < answer.duration < 30
    assert_heard(" ".join(segment.text for segment in answer.segments))
    assert_heard(" ".join(word.word for word in answer.words))
    times = [word.start for word in answer.words]
    assert times == sorted(times)
    assert answer.words[-1].end <= answer.duration + 0.5


def test_it_is_streamed(client, sentence) -> None:
    events = list(client.audio.transcriptions.create(model="whisper-1", file=sentence, stream=True, **NAMED_LANGUAGE))
    assert_heard("".join(event.delta for event in events if event.type == "transcript.text.delta"))
    assert events[-1].type == "transcript.text.done"
    assert_heard(events[-1].text)
