"""Webhooks on their way: signed, tried at the stated times, sent at least once, and to nobody's private network."""

import asyncio
import re
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import openai
import pytest
from django.contrib.admin.utils import quote
from django.db import connections
from django.db.models import Q
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone

from accounts.database import run_in_database_thread
from accounts.models import User
from billing import ledger
from gateway.models import VideoTask, WebhookDelivery, WebhookSecret
from gateway.queue import claims, worker
from gateway.webhooks import sending
from gateway.webhooks.secrets import roll_secret, signing_secrets
from tests.billing.processes import database_under_test, run

DOCS = Path(__file__).resolve().parents[2] / "docs" / "site" / "webhooks.md"


class Receiver:
    """A user's server. `requests` are the headers and bodies that arrived; `answer` says how it answers each."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answer: Callable[[], tuple[int, dict[str, str]]] = lambda: (204, {})
        self.at_once = self.most_at_once = 0
        receiver, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                with lock:
                    receiver.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
                    receiver.at_once += 1
                    receiver.most_at_once = max(receiver.most_at_once, receiver.at_once)
                status, headers = receiver.answer()
                with lock:
                    receiver.at_once -= 1
                self.send_response(status)
                for name, value in {"content-length": "0", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.authority = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.authority}/hook?token=hunter2"

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.requests]


@pytest.fixture
def receiver(settings) -> Iterator[Receiver]:
    receiver = Receiver()
    threading.Thread(target=receiver.server.serve_forever, args=(0.01,), daemon=True).start()
    settings.FETCH_ALLOWED_PRIVATE_HOSTS = [receiver.authority]
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


@pytest.fixture
def account(transactional_db) -> int:
    return new_account("alice@example.com")


@pytest.fixture(autouse=True)
def looked_for_often(monkeypatch) -> None:
    monkeypatch.setattr(worker, "PAUSE", 0.01)


def new_account(email: str) -> int:
    user = User.objects.create_user(email)
    ledger.grant_signup_credits(user)
    return user.pk


def make_delivery(account: int, url: str, number: int = 1) -> WebhookDelivery:
    now = timezone.now()
    name = f"{account}_{number}"
    task = VideoTask.objects.create(
        id=f"video_{name}",
        request_id=f"req_{name}",
        account_id=account,
        api_key_id=1,
        endpoint="/v1/video/generations",
        model="sandbox-video",
        model_id="sandbox-video",
        seconds=5,
        resolution="720p",
        cost=5000,
        state=VideoTask.State.COMPLETED,
        progress=100,
        next_at=now,
        deadline=now,
        created_at=now,
        ended_at=now,
    )
    return WebhookDelivery.objects.create(
        id=f"evt_{name}",
        account_id=account,
        task=task,
        type="video.completed",
        url=url,
        body=f'{{"id":"evt_{name}","object":"event","type":"video.completed","created_at":1,'
        f'"data":{{"id":"{task.pk}","video_url":"https://ark.example/media/ü"}}}}',
        next_at=now,
        created_at=now,
    )


def work(workers: int = 1) -> None:
    """Workers of one process, until nothing is due."""

    def is_something_due() -> bool:
        pending = WebhookDelivery.objects.filter(state="pending")
        return pending.filter(Q(next_at__lte=timezone.now()) | ~Q(claim="")).exists()

    async def until_nothing_is_due() -> None:
        tasks = [asyncio.create_task(sending.run()) for _ in range(workers)]
        async with asyncio.timeout(20):
            while await run_in_database_thread(is_something_due):  # noqa: ASYNC110  others write it, too
                await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(until_nothing_is_due())


def unwrap(request: tuple[dict[str, str], bytes], secret: str) -> Any:
    headers, body = request
    with openai.OpenAI(api_key="unused", base_url="http://127.0.0.1:9") as client:
        return client.webhooks.unwrap(body, headers, secret=secret)


# --- What arrives --------------------------------------------------------------------------------------------------


def test_the_sdk_of_openai_unwraps_what_arrives_without_a_secret_having_been_asked_for(account, receiver) -> None:
    delivery = make_delivery(account, receiver.url)
    work()
    ((headers, body),) = receiver.requests
    assert (body, headers["content-type"], headers["user-agent"]) == (
        delivery.body.encode(),
        "application/json",
        "ArkRoute",
    )
    event = unwrap((headers, body), WebhookSecret.objects.get(account=account).secret)
    assert (event.id, event.type, event.data.id) == (delivery.pk, "video.completed", delivery.task_id)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.tries, delivery.last_status, delivery.last_error) == ("delivered", 1, 204, "")
    assert delivery.delivered_at


def test_a_secret_that_was_rolled_signs_beside_the_new_one_for_a_day(account, receiver) -> None:
    first = roll_secret(account)
    second = roll_secret(account)
    assert first.previous_expires_at is None
    assert second.previous_expires_at == second.created_at + timedelta(hours=24)
    make_delivery(account, receiver.url)
    work()
    for rolled in (second, first):
        assert unwrap(receiver.requests[0], rolled.secret)
    assert signing_secrets(account) == [second.secret, first.secret]
    WebhookSecret.objects.filter(secret=first.secret).update(expires_at=timezone.now())
    assert signing_secrets(account) == [second.secret]


def test_secrets_do_not_pile_up(account) -> None:
    secrets = [roll_secret(account).secret for _ in range(12)]
    assert signing_secrets(account) == secrets[:1:-1]


@pytest.mark.parametrize("ask", [roll_secret, signing_secrets])
def test_asked_for_at_once_there_is_one_present_secret_and_all_are_good(account, ask) -> None:
    def ask_and_leave(_: int) -> Any:
        try:
            return ask(account)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(ask_and_leave, range(4)))
    assert WebhookSecret.objects.filter(expires_at=None).count() == 1
    if ask is signing_secrets:
        assert answers == [signing_secrets(account)] * 4
    else:
        assert {rolled.secret for rolled in answers} == set(signing_secrets(account))


def test_the_receiver_in_the_documentation_takes_it(account, receiver, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "unused")
    monkeypatch.setenv("OPENAI_WEBHOOK_SECRET", roll_secret(account).secret)
    make_delivery(account, receiver.url)
    work()
    example: dict[str, Any] = {}
    exec(re.search(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)[1], example)
    arrived, body = receiver.requests[0]
    headers = {name: value for name, value in arrived.items() if name.startswith("webhook-")}
    for sent, status in ((body, 204), (body + b" ", 400)):
        request = RequestFactory().post("/hook", sent, content_type="application/json", headers=headers)
        assert example["receive"](request).status_code == status


# --- Tries ---------------------------------------------------------------------------------------------------------


def test_it_is_tried_eight_times_at_the_stated_times_and_given_up(account, receiver) -> None:
    receiver.answer = lambda: (500, {})
    delivery = make_delivery(account, receiver.url)
    for tries, pause in enumerate((5, 30, 300, 1800, 7200, 18_000, 36_000), start=1):
        before = timezone.now()
        work()
        delivery.refresh_from_db()
        assert (delivery.state, delivery.tries, delivery.last_status) == ("pending", tries, 500)
        assert before <= delivery.next_at - timedelta(seconds=pause) <= timezone.now()
        WebhookDelivery.objects.update(next_at=timezone.now())
    work()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.tries, delivery.last_error) == ("failed", 8, "its server answered 500")
    work()
    assert receiver.ids == [delivery.pk] * 8
    assert len({body for _, body in receiver.requests}) == 1


def test_who_is_gone_is_asked_no_more(account, receiver) -> None:
    receiver.answer = lambda: (410, {})
    make_delivery(account, receiver.url)
    work()
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.tries, delivery.last_status) == ("failed", 1, 410)


@pytest.mark.parametrize(
    ("status", "wish", "seconds"),
    [
        (429, "90", 90),
        (503, "1000000", 3600),
        (503, "1", 5),
        (500, "90", 5),
        (503, "Thu, 01 Jan 99999999999999999999 00:00:00 GMT", 5),
    ],
)
def test_a_busy_receiver_may_make_the_pause_longer(account, receiver, status, wish, seconds) -> None:
    receiver.answer = lambda: (status, {"retry-after": wish})
    make_delivery(account, receiver.url)
    before = timezone.now()
    work()
    pause = WebhookDelivery.objects.get().next_at - before
    assert timedelta(seconds=seconds) <= pause <= timezone.now() - before + timedelta(seconds=seconds)


def test_a_redirect_is_not_followed(account, receiver) -> None:
    receiver.answer = lambda: (307, {"location": "/elsewhere"})
    make_delivery(account, receiver.url)
    work()
    delivery = WebhookDelivery.objects.get()
    assert (len(receiver.requests), delivery.state, delivery.last_status) == (1, "pending", 307)
    assert "redirects are not followed" in delivery.last_error


def test_nothing_is_sent_to_a_private_address_nor_told_of_it(account, receiver, settings, caplog) -> None:
    settings.FETCH_ALLOWED_PRIVATE_HOSTS = []
    for number, url in enumerate((receiver.url, f"https://{receiver.authority}/", "https://localhost/")):
        make_delivery(account, url, number)
    work()
    assert receiver.requests == []
    refused = WebhookDelivery.objects.all()
    assert {(one.state, one.tries, one.last_status) for one in refused} == {("pending", 1, None)}
    assert all(one.last_error.startswith("no answer: ") for one in refused)
    assert "hunter2" not in caplog.text


def test_who_does_not_answer_is_tried_again(account, settings, monkeypatch) -> None:
    monkeypatch.setattr(sending, "SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        authority = f"127.0.0.1:{silent.getsockname()[1]}"
        settings.FETCH_ALLOWED_PRIVATE_HOSTS = [authority]
        make_delivery(account, f"http://{authority}/")
        work()
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.tries, delivery.last_status) == ("pending", 1, None)
    assert "within 0.1 seconds" in delivery.last_error


# --- Workers -------------------------------------------------------------------------------------------------------


def test_two_workers_at_once_send_each_once(account, receiver) -> None:
    other = new_account("bob@example.com")
    for number in range(8):
        make_delivery(account, receiver.url, number)
        make_delivery(other, receiver.url, number)
    work(workers=2)
    assert len(receiver.ids) == len(set(receiver.ids)) == 16
    assert set(WebhookDelivery.objects.values_list("state", "tries")) == {("delivered", 1)}


def test_a_receiver_that_is_slow_keeps_nobody_elses_waiting(account, receiver, monkeypatch) -> None:
    """Alice's are the first in the row, and more than the worker sends at once."""
    monkeypatch.setattr(sending, "MOST", 12)
    bob = new_account("bob@example.com")
    for number in range(20):
        make_delivery(account, receiver.url, number)
    bobs = make_delivery(bob, receiver.url)
    bobs_has_come = threading.Event()

    def answer() -> tuple[int, dict[str, str]]:
        if bobs.pk in receiver.ids:
            bobs_has_come.set()
        return 204 if bobs_has_come.wait(10) else 500, {}

    receiver.answer = answer
    work()
    assert set(WebhookDelivery.objects.values_list("state", "tries")) == {("delivered", 1)}
    assert receiver.most_at_once <= sending.SHARE.most + 1


def test_killed_after_it_was_sent_it_is_sent_again_under_its_id(account, receiver, monkeypatch) -> None:
    monkeypatch.setenv("FETCH_ALLOWED_PRIVATE_HOSTS", receiver.authority)
    arrived, answered = threading.Event(), threading.Event()

    def answer() -> tuple[int, dict[str, str]]:
        arrived.set()
        answered.wait(20)
        return 204, {}

    receiver.answer = answer
    delivery = make_delivery(account, receiver.url)
    code = "import asyncio, django; django.setup(); from gateway.webhooks import sending; asyncio.run(sending.run())"
    process = run("-c", code, database_url=database_under_test())
    assert arrived.wait(20)
    process.kill()
    process.communicate()
    answered.set()

    delivery.refresh_from_db()
    assert (delivery.state, delivery.tries) == ("pending", 0)
    assert timedelta() < delivery.next_at - timezone.now() <= claims.LEASE
    WebhookDelivery.objects.update(next_at=timezone.now())
    work()
    assert receiver.ids == [delivery.pk] * 2
    assert WebhookDelivery.objects.get().state == "delivered"


def test_what_comes_of_a_try_that_was_overtaken_is_not_written(account, receiver) -> None:
    make_delivery(account, receiver.url)

    def answer() -> tuple[int, dict[str, str]]:
        if len(receiver.requests) > 1:
            return 204, {}
        try:
            sending.send_again(WebhookDelivery.objects.all())
        finally:
            connections.close_all()
        return 410, {}

    receiver.answer = answer
    work()
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.tries, len(receiver.requests)) == ("delivered", 1, 2)


def test_a_worker_that_is_woken_looks_at_once(account, receiver, monkeypatch) -> None:
    monkeypatch.setattr(worker, "PAUSE", 3600)

    async def scenario() -> None:
        sending.wake()  # where nobody sends anything it does nothing
        task = asyncio.create_task(sending.run())
        await asyncio.sleep(0.05)
        await run_in_database_thread(make_delivery, account, receiver.url)
        sending.wake()
        async with asyncio.timeout(10):
            while not receiver.requests:  # noqa: ASYNC110  which is in a thread
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scenario())
    assert WebhookDelivery.objects.get().state == "delivered"


# --- The admin's pages ---------------------------------------------------------------------------------------------


def test_staff_sees_deliveries_and_tasks_and_sends_again_if_it_may(account, receiver, sign_in) -> None:
    delivery = make_delivery(account, receiver.url)
    WebhookDelivery.objects.update(state="failed", tries=8, last_error="its server answered 500")
    VideoTask.objects.update(body={"prompt": "a fox that nobody else knows of"})
    client = sign_in("view_webhookdelivery", "change_webhookdelivery", "view_videotask")
    deliveries, tasks = (reverse(f"admin:gateway_{name}_changelist") for name in ("webhookdelivery", "videotask"))
    pages = [
        client.get(address).content.decode()
        for address in (
            deliveries + "?state__exact=failed&q=alice",
            tasks + "?state__exact=completed&q=alice",
            reverse("admin:gateway_webhookdelivery_change", args=[quote(delivery.pk)]),
            reverse("admin:gateway_videotask_change", args=[quote(delivery.task_id)]),
        )
    ]
    assert "its server answered 500" in pages[0]
    assert [shown in page for shown, page in zip((delivery.pk, delivery.task_id) * 2, pages, strict=True)] == [True] * 4
    assert not any("a fox" in page for page in pages)
    client.post(deliveries + "?q=alice", {"action": "send_again", "_selected_action": [delivery.pk]})
    delivery.refresh_from_db()
    assert (delivery.state, delivery.tries) == ("pending", 0)
    assert client.post(reverse("admin:gateway_webhookdelivery_change", args=[quote(delivery.pk)])).status_code == 403


def test_staff_that_may_only_look_sends_nothing_again(account, receiver, sign_in) -> None:
    delivery = make_delivery(account, receiver.url)
    WebhookDelivery.objects.update(state="failed")
    client = sign_in("view_webhookdelivery")
    address = reverse("admin:gateway_webhookdelivery_changelist")
    assert "Send again" not in client.get(address).content.decode()
    client.post(address, {"action": "send_again", "_selected_action": [delivery.pk]})
    delivery.refresh_from_db()
    assert delivery.state == "failed"
