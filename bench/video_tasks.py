"""Tasks of video in a gateway's database, paid for as those of clients are: `python -m bench.video_tasks COMMAND`.

`fill N` writes N that are at their vendors, none of them due within the hour, and ends. `keep N` writes new ones as old
ones end, so that N are under way, until it is told to end.
"""

import argparse
import random
import signal
import sys
import time
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any

import django

# One of each vendor, in equal parts. By the catalogue Seedance is looked at every 10 seconds, Kling every 5.
MODELS = ("seedance-1.5-pro", "kling-v2-6")
# That a task takes, half of it more or less.
SECONDS = 150.0
ACCOUNTS = 100
WRITTEN_AT_ONCE = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("fill", "keep"))
    parser.add_argument("count", type=int)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    django.setup()
    if given.command == "fill":
        fill(given.count)
    else:
        keep(given.count)


def fill(count: int) -> None:
    from accounts.models import User
    from billing import ledger

    for number in range(ACCOUNTS):
        ledger.grant_signup_credits(User.objects.create(email=f"bench-{number}@example.com"), credits=10_000_000)
    write(count, running=True)


def keep(count: int) -> None:
    from gateway.models import VideoTask

    while True:
        write(count - VideoTask.objects.filter(ended_at=None).count(), running=False)
        time.sleep(1)


def write(count: int, *, running: bool) -> None:
    from billing import ledger
    from billing.models import CreditAccount
    from gateway.tasks import life, money

    accounts = list(CreditAccount.objects.filter(pk__gt=0).values_list("pk", flat=True))
    for start in range(0, count, WRITTEN_AT_ONCE):
        tasks = [task(n, random.choice(accounts), running) for n in range(start, min(count, start + WRITTEN_AT_ONCE))]
        ledger.apply_now([money.hold(one, also=(one, *life.begin(one, one.created_at))) for one in tasks])


def task(number: int, account_id: int, running: bool) -> Any:
    """A task that is queued and due; or one that was taken on a while ago, and is in some later moment ready."""
    from django.conf import settings
    from django.utils import timezone

    from bench.video_vendor import task_id
    from gateway.catalog import get_model
    from gateway.models import VideoTask
    from gateway.routing.keys import fingerprint

    model = get_model(MODELS[number % len(MODELS)])
    now: datetime = timezone.now()
    one = VideoTask(
        id=f"video_{int(time.time() * 1000):012x}{token_hex(16)}",
        request_id=f"req_{token_hex(16)}",
        account_id=account_id,
        api_key_id=account_id,
        endpoint="/v1/video/generations",
        model=model.id,
        model_id=model.id,
        seconds=5,
        ratio="16:9",
        resolution="720p",
        body={"model": model.id, "prompt": "a fox in the snow at dusk, slowly turning its head towards us"},
        cost=15_000,
        next_at=now,
        deadline=now + timedelta(hours=2),
        created_at=now,
    )
    if running:
        takes, passed = SECONDS * random.uniform(0.5, 1.5), random.random()
        one.state = VideoTask.State.RUNNING
        one.started_at = one.created_at = now - timedelta(seconds=takes * passed)
        one.next_at = now + timedelta(hours=1)
        one.served_by = f"{model.provider}/{model.upstream}"
        one.served_model_id = model.id
        one.key_fingerprint = fingerprint(settings.PROVIDERS[model.provider]["api_keys"][0])
        one.provider_task_id = task_id(number, time.time() + takes * (1 - passed))
    return one


if __name__ == "__main__":
    main()
