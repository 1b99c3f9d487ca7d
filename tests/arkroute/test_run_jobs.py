"""`manage.py run_jobs`: what it refuses, and the jobs it does for a gateway that does none."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator

import httpx
import pytest
from channels_redis.core import RedisChannelLayer
from django.core.management import CommandError, call_command
from django.db.migrations.recorder import MigrationRecorder

from accounts.keys import issue_key
from accounts.models import User
from billing.ledger import grant_signup_credits
from gateway.hints import GROUP
from tests.services import redis_url


@pytest.fixture
def alice(transactional_db) -> dict[str, str]:
    """The headers of somebody with credits."""
    user = User.objects.create_user("alice@example.com")
    grant_signup_credits(user)
    return {"authorization": f"Bearer {issue_key(user, 'test').secret}"}


@pytest.mark.django_db(transaction=True)
async def test_videos_are_made_beside_the_gateway_which_hears_of_them_through_redis(
    serve, start, beside, alice, free_port
):
    environment = beside | {"REDIS_URL": redis_url()}
    worker = start("manage.py", "run_jobs", environment=environment, port=free_port)
    gateway = serve(environment, "--no-jobs")
    worker.wait_until(lambda: "ready to do the jobs" in worker.output)
    redis = RedisChannelLayer(hosts=[redis_url()])
    channel = await redis.new_channel()
    await redis.group_add(GROUP, channel)

    async with httpx.AsyncClient(base_url=gateway.url, headers=alice, timeout=30) as client:
        body = {"model": "sandbox-video", "prompt": "a fox in the snow"}
        asked = await client.post("/v1/video/generations", json=body)
        task_id = asked.raise_for_status().json()["id"]
        events = [event async for event in follow(client, task_id)]
        clip = await client.get(httpx.URL(events[-1]["task"]["video_url"]).path)

    assert [event["type"] for event in events[:2]] == ["video.queued", "video.in_progress"]
    assert events[-1]["type"] == "video.completed"
    assert clip.headers["content-type"] == "video/mp4"
    # Only who works on it tells of it; the gateway would find out by itself, but seconds later.
    async with asyncio.timeout(5):
        assert (await redis.receive(channel))["tasks"] == [task_id]
    await redis.close_pools()
    worker.send(signal.SIGTERM)
    assert worker.exit_status() == 0
    assert worker.output == "ArkRoute is ready to do the jobs\n"


async def follow(client: httpx.AsyncClient, task_id: str) -> AsyncIterator[dict]:
    async with client.stream("GET", f"/v1/video/status/{task_id}/events") as response:
        async for line in response.aiter_lines():
            if line.startswith("data: {"):
                yield json.loads(line.removeprefix("data: "))


def test_it_needs_redis(settings):
    settings.REDIS_URL = ""
    with pytest.raises(CommandError, match="needs REDIS_URL"):
        call_command("run_jobs")


def test_a_database_without_its_migrations_is_refused(db, settings):
    settings.REDIS_URL = redis_url()
    MigrationRecorder.Migration.objects.filter(app="gateway").delete()
    with pytest.raises(CommandError, match=r"manage\.py migrate"):
        call_command("run_jobs")
