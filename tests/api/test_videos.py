"""Videos as clients make them, in both public shapes, with the job loop at work in the gateway."""

import io
import json
from base64 import b64encode
from time import sleep, time
from typing import Any

import av
import httpx
import openai
import pytest
from django.core.files.storage import default_storage

from accounts.keys import issue_key
from accounts.models import ApiKey
from gateway.models import Receipt, VideoTask
from tests.api.conftest import Person
from tests.pictures import picture
from tests.upstreams.bytedance import FakeByteDance
from tests.upstreams.kling import FakeKling
from tests.upstreams.vendors import CONTRACTS

CLIP = {"model": "sandbox-video", "prompt": "a lighthouse in a storm", "duration": 1}
SEEDANCE = {"model": "seedance-1.0", "prompt": "a dancer"}
VENDORS = [contract for contract in CONTRACTS if contract.capability == "video"]
pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
def bytedance(settings):
    with FakeByteDance(api_key="ark-vendor-key") as fake:
        use(settings, fake, "bytedance", "ark-vendor-key")
        yield fake


@pytest.fixture
def kling(settings):
    with FakeKling(api_key="kling-vendor-key") as fake:
        use(settings, fake, "kling", "kling-vendor-key")
        yield fake


def use(settings: Any, fake: Any, provider: str, key: str) -> None:
    settings.PROVIDERS = {provider: {"api_keys": [key], "base_url": fake.base_url}}
    settings.FETCH_ALLOWED_PRIVATE_HOSTS = [f"127.0.0.1:{fake.port}"]


def make(http: httpx.Client, person: Person, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    response = http.post("/v1/video/generations", json=body, headers={**person.headers, **headers})
    assert response.status_code == 200, response.text
    return response.json()


def status(http: httpx.Client, person: Person, task_id: str) -> dict[str, Any]:
    response = http.get(f"/v1/video/status/{task_id}", headers=person.headers)
    assert response.status_code == 200, response.text
    return response.json()


def wait(http: httpx.Client, person: Person, task_id: str) -> dict[str, Any]:
    """The task at its end."""
    until = time() + 30
    while (shown := status(http, person, task_id))["status"] == "processing":
        assert time() < until, shown
        assert 0 <= shown["progress"] < 100
        assert shown["video_url"] is None
        sleep(0.02)
    return shown


def hurry() -> None:
    """Whatever waits for its next look is due now."""
    VideoTask.objects.filter(ended_at__isnull=True, claim="").update(next_at="2020-01-01T00:00Z")


def hurry_to_the_end(http: httpx.Client, person: Person, task_id: str) -> dict[str, Any]:
    until = time() + 10
    while (shown := status(http, person, task_id))["status"] == "processing" and time() < until:
        hurry()
    return shown


def error_of(response: httpx.Response) -> tuple[int, str, str | None]:
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]


# --- The documents' own example --------------------------------------------------------------------------------------


def test_the_documents_example_comes_to_a_playable_video(http, alice, job_loop) -> None:
    answer = make(
        http,
        alice,
        {"model": "kling-v2-master", "prompt": "a cat surfing", "duration": 5, "aspect_ratio": "16:9"},
    )
    assert answer.items() >= {"status": "processing", "model": "kling-v2-master"}.items()
    assert answer["id"] == answer["task_id"]
    assert alice.money()[:2] == (500_000, 50_000)
    shown = wait(http, alice, answer["task_id"])
    assert shown.items() >= {"status": "completed", "state": "completed", "progress": 100, "duration": 5.0}.items()
    assert shown.items() >= {"model": "kling-v2-master", "error": None, "credits": 50}.items()
    file = http.get(shown["video_url"].replace("http://testserver", ""))
    assert file.headers["content-type"] == "video/mp4"
    with av.open(io.BytesIO(file.content)) as clip:
        stream = clip.streams.video[0]
        assert (stream.width, stream.height, clip.duration) == (1280, 720, 5_000_000)
    assert alice.money() == (450_000, 0, 2)
    receipt = Receipt.objects.get()
    assert (receipt.outcome, receipt.captured, receipt.endpoint) == ("succeeded", 50_000, "/v1/video/generations")
    assert receipt.stand_in


def test_create_and_poll_of_the_openai_sdk(gateway_url, alice, job_loop) -> None:
    client = openai.OpenAI(api_key=alice.key, base_url=f"{gateway_url}/v1")
    video = client.videos.create_and_poll(
        model="sandbox-video", prompt="a lighthouse", seconds="1", size="720x1280", poll_interval_ms=20
    )
    assert (video.status, video.progress, video.seconds, video.size) == ("completed", 100, "1", "720x1280")
    content = client.videos.download_content(video.id).read()
    with av.open(io.BytesIO(content)) as clip:
        assert (clip.streams.video[0].width, clip.streams.video[0].height) == (720, 1280)
    assert [one.id for one in client.videos.list()] == [video.id]
    assert client.videos.delete(video.id).deleted
    assert not default_storage.exists(VideoTask.objects.get().media or "-")
    with pytest.raises(openai.NotFoundError) as refused:
        client.videos.retrieve(video.id)
    assert refused.value.code == "task_not_found"
    assert alice.money()[:2] == (499_000, 0)


def test_a_file_is_a_first_frame_in_openais_form(gateway_url, alice, bytedance, job_loop) -> None:
    client = openai.OpenAI(api_key=alice.key, base_url=f"{gateway_url}/v1")
    video = client.videos.create(
        prompt="it moves", seconds="4", input_reference=("first.png", picture(640, 360)), extra_body={"seed": 7}
    )
    assert (video.model, video.status) == ("seedance-1.5-pro", "queued")
    until = time() + 10
    while client.videos.retrieve(video.id).status not in ("completed", "failed") and time() < until:
        hurry()
    assert client.videos.retrieve(video.id).status == "completed"
    sent = next(one for one in bytedance.requests if one.method == "POST").body
    assert (sent["duration"], sent["seed"]) == (4, 7)
    assert sent["content"][-1]["role"] == "first_frame"
    assert sent["content"][-1]["image_url"]["url"].startswith("data:image/png;base64,")


# --- What is asked for -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "code", "param"),
    [
        ({"duration": 7}, "invalid_value", "duration"),
        ({"duration": "long"}, "invalid_value", "duration"),
        ({"duration": 5.5}, "invalid_value", "duration"),
        ({"duration": 10**400}, "invalid_value", "duration"),
        ({"junk": "x" * 70_000}, "invalid_value", "junk"),
        ({"junk": [{}] * 300_000}, "invalid_value", "junk"),
        ({"junk": {"a": ["\0"]}}, "invalid_value", "junk"),
        ({"duration": []}, "invalid_type", "duration"),
        ({"aspect_ratio": "21:9"}, "invalid_value", "aspect_ratio"),
        ({"resolution": "1080p"}, "invalid_value", "resolution"),
        ({"audio": True}, "invalid_value", "audio"),
        ({"prompt": ""}, "invalid_value", "prompt"),
        ({"prompt": "x" * 32_001}, "invalid_value", "prompt"),
        ({"image": "nonsense!"}, "invalid_image", "image"),
        ({"image": "http://169.254.169.254/x"}, "invalid_image_url", "image"),
        ({"image": b64encode(b"GIF89a").decode()}, "invalid_image", "image"),
        ({"last_frame": b64encode(picture()).decode()}, "invalid_value", "image"),
        ({"model": "wan2.7-i2v", "aspect_ratio": None}, "invalid_value", "image"),
        ({"model": "wan2.7-t2v", "image": "aGk="}, "invalid_value", "image"),
        ({"webhook_url": "http://example.com/hook"}, "invalid_value", "webhook_url"),
        ({"webhook_url": "https://10.0.0.1/hook"}, "invalid_value", "webhook_url"),
    ],
)
def test_what_a_model_does_not_take_is_422_and_costs_nothing(http, alice, wish, code, param) -> None:
    body = {"model": "kling-v2-master", "prompt": "a cat", **wish}
    response = http.post("/v1/video/generations", json=body, headers=alice.headers)
    assert error_of(response) == (422, code, param)
    assert alice.money() == (500_000, 0, 1)
    assert not VideoTask.objects.exists()


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"seconds": "9"}, "seconds"),
        ({"size": "100x"}, "size"),
        ({"size": "3000x1000"}, "size"),
        ({"size": "0x0"}, "size"),
        ({"input_reference": {"file_id": "file-1"}}, "input_reference"),
    ],
)
def test_openais_fields_are_named_as_openai_names_them(http, alice, body, param) -> None:
    body = {"model": "kling-v2-master", "prompt": "a cat", **body}
    response = http.post("/v1/videos", json=body, headers=alice.headers)
    assert error_of(response) == (422, "invalid_value", param)


@pytest.mark.parametrize(
    ("wish", "credits"),
    [
        ({}, 25),
        ({"duration": 10}, 50),
        ({"duration": "10"}, 50),
        ({"duration": 10.0}, 50),
        ({"model": "kling-v2-6", "audio": True}, 60.12),
        ({"model": "seedance-1.5-pro", "audio": False}, 12.5),
    ],
)
def test_longer_sharper_and_louder_costs_more(http, alice, wish, credits) -> None:
    response = http.post("/v1/video/generations", json={**SEEDANCE, **wish}, headers=alice.headers)
    assert response.headers["x-arkroute-credits"] == str(credits)
    assert alice.money()[1] == credits * 1000


def test_first_and_last_frames_reach_the_vendor_and_are_erased_at_the_end(http, alice, bytedance, job_loop) -> None:
    frame = b64encode(picture(640, 360)).decode()
    task_id = make(http, alice, {**SEEDANCE, "image": frame, "last_frame": f"data:image/png;base64,{frame}"})["task_id"]
    names = [frame["name"] for frame in VideoTask.objects.get(pk=task_id).frames.values()]
    assert len(names) == 2
    hurry_to_the_end(http, alice, task_id)
    sent = next(one for one in bytedance.requests if one.method == "POST").body
    assert [part.get("role") for part in sent["content"][1:]] == ["first_frame", "last_frame"]
    assert sent["ratio"] == "adaptive"
    task = VideoTask.objects.get(pk=task_id)
    assert (task.state, task.body, task.frames) == ("completed", {}, {})
    assert not any(default_storage.exists(name) for name in names)


# --- How it ends -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("contract", VENDORS, ids=lambda contract: contract.provider)
def test_a_vendors_video_is_copied_to_us_and_paid(http, alice, settings, job_loop, contract) -> None:
    key = contract.new_key()
    with contract.fake(api_key=key) as fake:
        use(settings, fake, contract.provider, key)
        task_id = make(http, alice, {"model": contract.model, "prompt": "a cat"})["task_id"]
        shown = hurry_to_the_end(http, alice, task_id)
        assert shown["status"] == "completed", shown
        assert shown["video_url"].startswith("http://testserver/media/")
        assert str(fake.port) not in json.dumps(shown)
    cost = VideoTask.objects.get().cost
    assert alice.money() == (500_000 - cost, 0, 2)
    receipt = Receipt.objects.get()
    assert (receipt.served_by.partition("/")[0], receipt.stand_in) == (contract.provider, False)


def test_a_refusal_fails_the_task_with_its_code_and_is_free(http, alice, job_loop) -> None:
    body = {**CLIP, "prompt": "sandbox:fail=content_policy_violation"}
    shown = wait(http, alice, make(http, alice, body)["task_id"])
    assert (shown["status"], shown["credits"], shown["video_url"]) == ("failed", 0, None)
    assert shown["error"]["code"] == "content_policy_violation"
    assert alice.money() == (500_000, 0, 1)
    assert Receipt.objects.get().outcome == "failed"


def test_a_vendors_own_words_do_not_tell_where_it_is(http, alice, kling, job_loop) -> None:
    kling.behaviour.task_failed = "Failure to pass the risk control system"
    task_id = make(http, alice, {"model": "kling-v2-master", "prompt": "a cat"})["task_id"]
    shown = hurry_to_the_end(http, alice, task_id)
    assert shown["error"]["code"] == "content_policy_violation"
    assert str(kling.port) not in shown["error"]["message"]


def test_past_its_deadline_it_has_failed_and_is_free(http, alice, settings, kling, job_loop) -> None:
    settings.VIDEO_DEADLINE_SECONDS = 0.2
    kling.behaviour.polls = 1_000_000
    shown = wait(http, alice, make(http, alice, {"model": "kling-v2-master", "prompt": "a cat"})["task_id"])
    assert (shown["status"], shown["error"]["code"]) == ("failed", "deadline_exceeded")
    assert alice.money() == (500_000, 0, 1)


# --- Cancelling, forgetting, and other people's ----------------------------------------------------------------------


def test_a_queued_task_is_cancelled_and_released(http, alice) -> None:
    task_id = make(http, alice, CLIP)["task_id"]
    response = http.post(f"/v1/video/cancel/{task_id}", headers=alice.headers)
    assert (response.status_code, response.json()["status"]) == (200, "cancelled")
    assert alice.money() == (500_000, 0, 1)
    again = http.post(f"/v1/video/cancel/{task_id}", headers=alice.headers)
    assert (again.status_code, again.json()) == (200, status(http, alice, task_id))
    shown = http.get(f"/v1/videos/{task_id}", headers=alice.headers).json()
    assert (shown["status"], shown["error"]["code"]) == ("failed", "cancelled")


def test_what_a_vendor_does_not_stop_is_409(http, alice, kling, job_loop) -> None:
    kling.behaviour.polls = 1_000_000
    task_id = make(http, alice, {"model": "kling-v2-master", "prompt": "a cat"})["task_id"]
    until = time() + 10
    while VideoTask.objects.get().state != "running" and time() < until:
        sleep(0.01)
    refused = http.post(f"/v1/video/cancel/{task_id}", headers=alice.headers)
    assert error_of(refused) == (409, "not_cancellable", None)
    assert refused.headers["x-should-retry"] == "false"
    assert alice.money()[1] == 50_000
    # Its provider will be paid: deleted it is not shown any more, and charged when it completes.
    assert http.delete(f"/v1/videos/{task_id}", headers=alice.headers).json()["deleted"]
    assert error_of(http.get(f"/v1/videos/{task_id}", headers=alice.headers)) == (404, "task_not_found", None)
    kling.behaviour.polls = 0
    while VideoTask.objects.get().ended_at is None and time() < until:
        hurry()
    task = VideoTask.objects.get()
    assert (task.state, task.media, alice.money()[:2]) == ("completed", "", (450_000, 0))


def test_deleting_cancels_and_forgets(http, alice, job_loop) -> None:
    task_id = make(http, alice, {**CLIP, "prompt": "sandbox:delay=30"})["task_id"]
    deleted = http.delete(f"/v1/videos/{task_id}", headers=alice.headers)
    assert deleted.json() == {"id": task_id, "object": "video.deleted", "deleted": True}
    assert alice.money()[:2] == (500_000, 0)
    for path in (f"/v1/videos/{task_id}", f"/v1/video/status/{task_id}", f"/v1/videos/{task_id}/content"):
        assert error_of(http.get(path, headers=alice.headers)) == (404, "task_not_found", None)
    assert http.get("/v1/videos", headers=alice.headers).json()["data"] == []


def test_content_before_the_end_is_409(http, alice) -> None:
    task_id = make(http, alice, CLIP)["task_id"]
    response = http.get(f"/v1/videos/{task_id}/content", headers=alice.headers)
    assert error_of(response) == (409, "task_not_ready", None)
    assert response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/video/status/{}"),
        ("POST", "/v1/video/cancel/{}"),
        ("GET", "/v1/videos/{}"),
        ("DELETE", "/v1/videos/{}"),
        ("GET", "/v1/videos/{}/content"),
        ("GET", "/v1/videos?after={}"),
        ("GET", "/v1/video/status/{}/events"),
    ],
)
def test_another_tenants_task_and_an_unknown_one_are_the_same_404(http, alice, make_person, method, path) -> None:
    bob = make_person("bob@example.com")
    task_id = make(http, alice, CLIP)["task_id"]
    foreign = http.request(method, path.format(task_id), headers=bob.headers)
    unknown = http.request(method, path.format("video_" + "0" * 44), headers=bob.headers)
    assert error_of(foreign) == (404, "task_not_found", None)
    assert foreign.content == unknown.content
    odd = http.request(method, path.format("%00"), headers=bob.headers)
    assert error_of(odd) == (404, "task_not_found", None)
    assert status(http, alice, task_id)["status"] == "processing"


def test_the_list_goes_from_page_to_page(http, alice, make_person) -> None:
    bob = make_person("bob@example.com")
    make(http, bob, CLIP)
    made = [make(http, alice, CLIP)["task_id"] for _ in range(3)]

    def listed(query: str) -> tuple[list[str], bool]:
        page = http.get(f"/v1/videos?{query}", headers=alice.headers).json()
        assert page["object"] == "list"
        return [one["id"] for one in page["data"]], page["has_more"]

    assert listed("") == (made[::-1], False)
    assert listed("limit=2") == ([made[2], made[1]], True)
    assert listed(f"limit=2&after={made[1]}") == ([made[0]], False)
    assert listed("order=asc&limit=1") == ([made[0]], True)
    for query, param in (("limit=0", "limit"), ("limit=x", "limit"), ("order=up", "order")):
        refused = http.get(f"/v1/videos?{query}", headers=alice.headers)
        assert error_of(refused) == (422, "invalid_value", param)


# --- Limits ----------------------------------------------------------------------------------------------------------


def test_a_key_has_four_videos_at_a_time(http, alice) -> None:
    for _ in range(4):
        make(http, alice, CLIP)
    refused = http.post("/v1/video/generations", json=CLIP, headers=alice.headers)
    assert error_of(refused) == (429, "concurrency_exceeded", None)
    assert int(refused.headers["retry-after"]) >= 1
    assert alice.money()[1] == 4 * 1000
    other = {"authorization": f"Bearer {issue_key(alice.user, 'other').secret}"}
    assert http.post("/v1/video/generations", json=CLIP, headers=other).status_code == 200


def test_the_keys_webhook_address_is_the_tasks_unless_it_names_its_own(http, alice) -> None:
    ApiKey.objects.update(webhook_url="https://example.com/key")
    key = issue_key(alice.user, "hooked", webhook_url="https://example.com/key").secret
    headers = {"authorization": f"Bearer {key}"}
    http.post("/v1/video/generations", json=CLIP, headers=headers)
    http.post("/v1/video/generations", json={**CLIP, "webhook_url": "https://example.com/own"}, headers=headers)
    urls = VideoTask.objects.order_by("pk").values_list("webhook_url", flat=True)
    assert list(urls) == ["https://example.com/key", "https://example.com/own"]


# --- A provider that calls -------------------------------------------------------------------------------------------


def test_a_callback_has_the_task_looked_at_and_is_not_believed(http, alice, settings, kling, job_loop) -> None:
    settings.PUBLIC_URL = "https://gateway.example.com"
    kling.behaviour.polls = 1
    task_id = make(http, alice, {"model": "kling-v2-master", "prompt": "a cat"})["task_id"]
    until = time() + 10
    while VideoTask.objects.get().state != "running" and time() < until:
        sleep(0.01)
    address = next(one for one in kling.requests if one.method == "POST").body["callback_url"]
    assert address.startswith("https://gateway.example.com/callbacks/videos/")
    path = address.removeprefix("https://gateway.example.com")
    assert http.post(path[:-1] + ("a" if path[-1] != "a" else "b"), json={}).status_code == 404
    lie = {"task_id": "x", "task_status": "failed"}
    while (shown := status(http, alice, task_id))["status"] == "processing" and time() < until:
        assert http.post(path, json=lie).status_code == 200
    assert shown["status"] == "completed"
