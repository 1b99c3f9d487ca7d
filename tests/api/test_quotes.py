"""What a call would cost, as the explorer shows it: what the call then holds and is charged, and no call at all."""

from typing import Any

import httpx
import pytest
from PIL import Image

from billing.amounts import credits_number
from billing.models import Hold
from gateway.errors import RequestError
from gateway.flows.quotes import quote_call
from gateway.providers.sandbox import images
from tests.pictures import data_uri, picture
from tests.recordings import recording

IMAGES = "/v1/images/generations"
VIDEOS = "/v1/video/generations"
CHAT = "/v1/chat/completions"
MESSAGES = [{"role": "user", "content": "Why is the sky blue?"}]


@pytest.fixture(autouse=True)
def painted_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "paint", lambda prompt, width, height, *more: Image.new("RGB", (8, 8)))


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        (IMAGES, {"model": "sandbox-image", "prompt": "a boat", "size": "64x64", "n": 3}),
        (IMAGES, {"model": "nano-banana-2", "prompt": "a boat", "size": "2K", "image": data_uri(picture())}),
        (IMAGES, {"model": "gpt-image-2", "prompt": "a boat", "quality": "low", "image": [data_uri(picture())] * 2}),
        (CHAT, {"model": "sandbox-chat", "messages": MESSAGES, "max_tokens": 20}),
        (CHAT, {"model": "sandbox-chat", "messages": MESSAGES, "stream": False, "n": 2}),
        ("/v1/embeddings", {"model": "sandbox-embedding", "input": ["a boat", "a lighthouse"]}),
        (VIDEOS, {"model": "sandbox-video", "prompt": "a boat", "duration": 3}),
        (VIDEOS, {"model": "seedance-1.0", "prompt": "a boat", "duration": 10, "resolution": "480p"}),
    ],
)
def test_a_call_holds_and_costs_what_was_quoted(
    http: httpx.Client, alice: Any, endpoint: str, body: dict[str, Any]
) -> None:
    answer = http.post(endpoint, json=body, headers=alice.headers)
    assert answer.status_code == 200, answer.text
    assert_as_quoted(answer, endpoint, body)


def test_a_transcription_is_quoted_by_its_seconds(http: httpx.Client, alice: Any) -> None:
    endpoint, fields = "/v1/audio/transcriptions", {"model": "sandbox-transcription"}
    files = {"file": ("a.wav", recording(seconds=21))}
    answer = http.post(endpoint, data=fields, files=files, headers=alice.headers)
    assert answer.status_code == 200, answer.text
    assert_as_quoted(answer, endpoint, {**fields, "seconds": 21})
    assert quote_call(endpoint, {"model": "whisper-base", "seconds": 20.1}).base == 300


def assert_as_quoted(answer: httpx.Response, endpoint: str, body: dict[str, Any]) -> None:
    quoted = quote_call(endpoint, body)
    assert Hold.objects.get().amount == quoted.ceiling
    # A task is charged when it has ended.
    if endpoint != VIDEOS:
        assert float(answer.headers["x-arkroute-credits"]) == credits_number(quoted.base)


@pytest.mark.parametrize(
    ("endpoint", "body", "param"),
    [
        (IMAGES, {"model": "nano-banana-2"}, "prompt"),
        (IMAGES, {"model": "nano-banana-2", "prompt": "a boat", "size": "2Q"}, "size"),
        (IMAGES, {"model": "sandbox-chat", "prompt": "a boat"}, "model"),
        (VIDEOS, {"model": "seedance-1.0", "prompt": "a boat", "duration": 13}, "duration"),
        (CHAT, {"model": "sandbox-chat", "messages": []}, "messages"),
        (CHAT, {"model": "no-such-model", "messages": MESSAGES}, "model"),
        ("/v1/embeddings", {"model": "sandbox-embedding", "input": ""}, "input[0]"),
    ],
)
def test_what_a_call_would_refuse_has_no_quote(
    http: httpx.Client, alice: Any, endpoint: str, body: dict[str, Any], param: str
) -> None:
    with pytest.raises(RequestError) as raised:
        quote_call(endpoint, body)
    refused = http.post(endpoint, json=body, headers=alice.headers)
    error = refused.json()["error"]
    assert (raised.value.message, raised.value.code, raised.value.param) == (
        error["message"],
        error["code"],
        error["param"],
    )
    assert error["param"] == param


def test_a_quote_names_the_endpoints_that_have_one() -> None:
    with pytest.raises(RequestError, match="/v1/images/edits") as raised:
        quote_call("/v1/models", {})
    assert raised.value.param == "endpoint"
