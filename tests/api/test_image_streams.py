"""Image generations and edits as streams of OpenAI's events."""

import base64
import io
import json
from collections.abc import Iterator
from time import monotonic, sleep
from typing import Any

import httpx
import openai
import pytest
from PIL import Image

from api import sse
from billing.models import Hold
from gateway.flows import images
from gateway.models import Receipt
from tests.pictures import data_uri, mask, picture
from tests.upstreams.bytedance import FakeByteDance
from tests.upstreams.openai import PNG

OPENAI = "gpt-image-2"  # 50 credits
EDIT_FILES = [("image", ("cat.png", picture()))]


@pytest.fixture
def client(gateway_url: str, alice) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=alice.key, base_url=f"{gateway_url}/v1", max_retries=0) as client:
        yield client


@pytest.fixture
def bytedance(settings) -> Iterator[FakeByteDance]:
    with FakeByteDance() as fake:
        settings.PROVIDERS = {"bytedance": {"api_keys": ["ark-streams"], "base_url": fake.base_url}}
        settings.FETCH_ALLOWED_PRIVATE_HOSTS = [f"127.0.0.1:{fake.port}"]
        yield fake


def stream(http: httpx.Client, person: Any, model: str = OPENAI, **fields: Any) -> httpx.Response:
    body = {"model": model, "prompt": "a cat", "stream": True, **fields}
    return http.post("/v1/images/generations", json=body, headers=person.headers)


def stream_edit(http: httpx.Client, person: Any, **fields: str) -> httpx.Response:
    data = {"model": OPENAI, "prompt": "a cat", "stream": "true", **fields}
    return http.post("/v1/images/edits", data=data, files=EDIT_FILES, headers=person.headers)


def events(response: httpx.Response) -> list[tuple[str, dict[str, Any]]]:
    """Name and data of a whole stream's events."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in response.text.split("\n\n"):
        if block and not block.startswith(":"):
            name, data = block.split("\n")
            found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def wait_for_receipt() -> Receipt:
    until = monotonic() + 5
    while monotonic() < until:
        if receipt := Receipt.objects.first():
            return receipt
        sleep(0.02)
    raise AssertionError("no receipt was written")


# --- What comes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("send", "kind"), [(stream, "image_generation"), (stream_edit, "image_edit")])
def test_sketches_and_the_picture_come_as_openai_sends_them(http, alice, upstream, send, kind) -> None:
    response = send(http, alice, partial_images="2" if send is stream_edit else 2, background="opaque", quality="low")
    found = events(response)
    assert [name for name, _ in found] == [f"{kind}.partial_image"] * 2 + [f"{kind}.completed"]
    assert "[DONE]" not in response.text
    for number, (name, event) in enumerate(found[:2]):
        created = event.pop("created_at")
        assert created > 1_700_000_000
        assert event == {
            **{"type": name, "b64_json": base64.b64encode(PNG).decode(), "partial_image_index": number},
            **{"background": "opaque", "output_format": "png", "quality": "low", "size": "1024x1024"},
        }
    name, last = found[2]
    assert last["type"] == name
    assert base64.b64decode(last["b64_json"]) == PNG
    assert last["usage"] == {
        **{"input_tokens": 9, "output_tokens": 196, "total_tokens": 205, "credits": 1.5},
        "input_tokens_details": {"image_tokens": 0, "text_tokens": 9},
        "output_tokens_details": {"image_tokens": 196, "text_tokens": 0},
    }
    assert upstream.requests[-1].body["partial_images"] in (2, "2")
    assert response.headers["x-arkroute-model"] == "openai/gpt-image-2"
    assert alice.money()[:2] == (498_500, 0)
    receipt = Receipt.objects.get()
    assert (receipt.outcome, receipt.captured, receipt.usage["images"]) == ("succeeded", 1_500, 1)


def test_without_sketches_there_is_one_event(http, alice, upstream) -> None:
    for fields in ({}, {"partial_images": 0}, {"response_format": "b64_json"}):
        [(name, event)] = events(stream(http, alice, **fields))
        assert (name, event["usage"]["credits"]) == ("image_generation.completed", 50)
    assert alice.money()[:2] == (350_000, 0)


def test_a_vendor_that_cannot_stream_is_one_event_too(http, alice, bytedance) -> None:
    response = stream(http, alice, "seedream-4.5", partial_images=3)
    [(name, event)] = events(response)
    sent, _ = bytedance.results.find("/results/1.jpeg")
    assert (name, base64.b64decode(event["b64_json"])) == ("image_generation.completed", sent)
    assert (event["output_format"], event["size"], event["usage"]["credits"]) == ("jpeg", "1920x1920", 3)
    assert bytedance.origin not in response.text
    assert alice.money()[:2] == (497_000, 0)


def test_several_pictures_are_an_event_each_whose_credits_add_up(http, alice, bytedance) -> None:
    found = events(stream(http, alice, "seedream-4.5", n=3))
    assert [name for name, _ in found] == ["image_generation.completed"] * 3
    assert len({event["b64_json"] for _, event in found}) == 3
    assert [event["usage"]["credits"] for _, event in found] == [3, 3, 3]
    tokens = [event["usage"]["output_tokens"] for _, event in found]
    assert tokens == [0, 0, Receipt.objects.get().usage["output_tokens"]]
    assert alice.money()[:2] == (491_000, 0)


def test_of_several_pictures_those_that_were_made_come_and_are_paid_for(http, alice, bytedance) -> None:
    bytedance.behaviour.status, bytedance.behaviour.code = 400, "OutputImageSensitiveContentDetected"
    bytedance.behaviour.fail_times = 1
    assert len(events(stream(http, alice, "seedream-4.5", n=3))) == 2
    assert alice.money()[:2] == (494_000, 0)


def test_comments_keep_a_slow_stream_alive(http, alice, bytedance, monkeypatch) -> None:
    monkeypatch.setattr(sse, "KEEP_ALIVE", 0.05)
    bytedance.behaviour.delay = 0.3
    response = stream(http, alice, "seedream-4.5")
    assert response.text.startswith(": keep-alive\n\n")
    assert [name for name, _ in events(response)] == ["image_generation.completed"]


# --- What fails ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("partial_images", [0, 2])
def test_an_error_before_the_first_event_is_an_http_error_and_free(http, alice, upstream, partial_images) -> None:
    upstream.behaviour.status, upstream.behaviour.code = 400, "moderation_blocked"
    response = stream(http, alice, partial_images=partial_images)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "content_policy_violation")
    assert alice.money()[:2] == (500_000, 0)


@pytest.mark.parametrize("fault", ["die_after", "error_after", "bad_chunk_after"])
@pytest.mark.parametrize("sketches", [1, 2])
def test_an_error_after_sketches_is_an_event_and_free_since_no_picture_was_made(
    http, alice, upstream, fault, sketches
) -> None:
    setattr(upstream.behaviour, fault, sketches)
    found = events(stream(http, alice, partial_images=2))
    assert [name for name, _ in found] == ["image_generation.partial_image"] * sketches + ["error"]
    error = found[-1][1]["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == "provider_error"
    assert "Nothing was charged" in error["message"]
    assert alice.money()[:2] == (500_000, 0)
    assert Receipt.objects.get().outcome == "failed"


def test_an_error_after_a_comment_is_an_event(http, alice, bytedance, monkeypatch) -> None:
    monkeypatch.setattr(sse, "KEEP_ALIVE", 0.05)
    bytedance.behaviour.delay = 0.3
    bytedance.behaviour.status, bytedance.behaviour.code = 400, "OutputImageSensitiveContentDetected"
    [(name, event)] = events(stream(http, alice, "seedream-4.5"))
    assert (name, event["type"], event["error"]["code"]) == ("error", "error", "content_policy_violation")
    assert alice.money()[:2] == (500_000, 0)


def test_a_result_that_cannot_be_fetched_is_free(http, alice, bytedance) -> None:
    bytedance.behaviour.results_gone = True
    response = stream(http, alice, "seedream-4.5")
    assert (response.status_code, response.json()["error"]["code"]) == (500, "provider_error")
    assert alice.money()[:2] == (500_000, 0)


def test_a_client_that_leaves_a_provider_who_does_not_answer_pays_nothing(
    gateway_url, alice, upstream, settings
) -> None:
    settings.PROVIDER_TIMEOUT_SECONDS = 0.6
    upstream.behaviour.hang = True
    body = {"model": OPENAI, "prompt": "a cat", "stream": True, "partial_images": 2}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{gateway_url}/v1/images/generations", json=body, headers=alice.headers, timeout=0.3)
    receipt = wait_for_receipt()
    assert (receipt.outcome, receipt.error_code) == ("failed", "provider_timeout")
    assert alice.money()[:2] == (500_000, 0)


def test_a_client_that_leaves_after_a_sketch_pays_for_its_picture(gateway_url, alice, upstream, monkeypatch) -> None:
    """Else the last sketch, which is nearly the picture, would be free to all who then leave."""
    monkeypatch.setattr(images, "LINGER_SECONDS", 0.3)
    upstream.behaviour.stall_after = 1
    body = {"model": OPENAI, "prompt": "a cat", "stream": True, "partial_images": 2, "n": 2}
    with (
        httpx.Client(base_url=gateway_url, timeout=10) as http,
        http.stream("POST", "/v1/images/generations", json=body, headers=alice.headers) as response,
    ):
        assert "image_generation.partial_image" in next(response.iter_text())
    receipt = wait_for_receipt()
    assert (receipt.outcome, receipt.error_code, receipt.usage["images"]) == ("partial", "cancelled", 1)
    assert alice.money()[:2] == (450_000, 0)
    assert Hold.objects.get().state == "captured"
    until = monotonic() + 5
    while upstream.open_connections and monotonic() < until:
        sleep(0.02)
    assert upstream.open_connections == 0


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"partial_images": 4}, "invalid_value", "partial_images"),
        ({"partial_images": -1}, "invalid_value", "partial_images"),
        ({"partial_images": "many"}, "invalid_type", "partial_images"),
        ({"stream": "yes"}, "invalid_type", "stream"),
        ({"stream": False, "partial_images": 1}, "invalid_value", "partial_images"),
        ({"response_format": "url"}, "invalid_value", "response_format"),
    ],
)
def test_a_field_that_does_not_do_is_named(http, alice, fields, code, param) -> None:
    response = stream(http, alice, **fields)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (422, code, param)


# --- The sandbox, and OpenAI's client ------------------------------------------------------------------------------


def decoded(encoded: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(encoded))).convert("L")


def sharpness(image: Image.Image) -> float:
    """The mean difference between neighbours."""
    pixels = image.resize((128, 128))
    rows = [[pixels.getpixel((x, y)) for x in range(128)] for y in range(0, 128, 8)]
    return sum(abs(row[x] - row[x + 1]) for row in rows for x in range(127)) / (127 * len(rows))


def test_openais_client_streams_the_sandbox_whose_sketches_grow_sharper(client) -> None:
    first, second, last = client.images.generate(
        model="sandbox-image", prompt="the sea", size="256x256", stream=True, partial_images=2
    )
    assert [event.type for event in (first, second, last)] == [
        *["image_generation.partial_image"] * 2,
        "image_generation.completed",
    ]
    assert (first.partial_image_index, second.partial_image_index) == (0, 1)
    images = [decoded(event.b64_json) for event in (first, second, last)]
    assert [image.size for image in images] == [(256, 256)] * 3
    assert sharpness(images[0]) < sharpness(images[1]) < sharpness(images[2])
    assert last.usage.credits == 1
    whole = client.images.generate(model="sandbox-image", prompt="the sea", size="256x256", response_format="b64_json")
    assert whole.data[0].b64_json == last.b64_json


def test_openais_client_streams_an_edit(client) -> None:
    events = list(
        client.images.edit(
            model="sandbox-image",
            image=("cat.png", picture()),
            mask=("mask.png", mask()),
            prompt="a hat",
            size="96x64",
            stream=True,
            partial_images=1,
        )
    )
    assert [event.type for event in events] == ["image_edit.partial_image", "image_edit.completed"]
    assert decoded(events[-1].b64_json).size == (96, 64)


def test_openais_client_raises_what_comes_as_an_event(client, upstream) -> None:
    upstream.behaviour.die_after = 1
    events = client.images.generate(model=OPENAI, prompt="a cat", stream=True, partial_images=2)
    assert next(iter(events)).type == "image_generation.partial_image"
    with pytest.raises(openai.APIError) as caught:
        list(events)
    assert caught.value.code == "provider_error"


def test_a_json_edit_streams_as_an_edit(http, alice, upstream) -> None:
    body = {"model": OPENAI, "prompt": "a hat", "images": [{"image_url": data_uri(picture())}], "stream": True}
    response = http.post("/v1/images/edits", json=body, headers=alice.headers)
    assert [name for name, _ in events(response)] == ["image_edit.completed"]
