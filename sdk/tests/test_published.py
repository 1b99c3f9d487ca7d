"""Programs written for version 0.1.0 run as they are."""

from __future__ import annotations

from tests.gateway import FakeGateway, Threads, answer


def test_generate_image(do: Threads) -> None:
    gateway = FakeGateway(answer({"url": "https://x/a.png", "data": [{"url": "https://x/a.png"}]}))
    result = do(gateway, lambda client: client.generate_image("A sunset", quality="high"))
    assert result["url"] == "https://x/a.png"
    assert gateway.sent == {"model": "nano-banana-2", "prompt": "A sunset", "size": "2K", "quality": "high"}
    assert gateway.request.url.path == "/v1/images/generations"


def test_generate_video_and_its_status(do: Threads) -> None:
    gateway = FakeGateway(answer({"task_id": "v1", "status": "processing", "state": "processing"}))
    job = do(gateway, lambda client: client.generate_video(prompt="A cat", aspect_ratio="1:1"))
    assert job["task_id"] == "v1"
    assert gateway.sent == {"model": "seedance-1.5-pro", "prompt": "A cat", "duration": 5, "aspect_ratio": "1:1"}
    status = do(gateway, lambda client: client.get_video_status(job["task_id"]))
    assert status["state"] == "processing"
    assert gateway.requests[-1].url.path == "/v1/video/status/v1"


def test_list_models(do: Threads) -> None:
    gateway = FakeGateway(answer({"object": "list", "data": [{"id": "m", "pricing": {"credits": 2}}]}))
    models = do(gateway, lambda client: client.list_models())
    assert models["data"][0]["pricing"]["credits"] == models.data[0].pricing.credits == 2
