"""A fake of Kuaishou's Kling: https://app.klingai.com/global/dev/document-api

All is a task in an envelope, `{code, message, request_id, data}`. It takes a plain key, or tokens signed by a pair
`access|secret`, which it checks; and it refuses what the vendor's documents do not know, among it data URIs. One thing
it does not refuse, as the vendor does not: a `model`, which is ignored, so that the oldest model answers.
"""

import asyncio
import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from time import time
from typing import Any

from gateway.errors import ProviderFault
from tests.upstreams.contract import Contract, Failure
from tests.upstreams.kling_requests import IMAGE, IMAGES, TEXT, Refusal, check, shape
from tests.upstreams.results import Results
from tests.upstreams.server import FakeServer, Faults, Recorded

# Videos are looked up where they were submitted, in the one way or the other.
PATHS = (IMAGES, TEXT, IMAGE)


@dataclass
class Behaviour(Faults):
    """`status` and `code` are those of an answer to a submission and to a look alike; see below for one of the two."""

    polls: int = 0  # looks that find the task still processing
    failing_polls: int = 0  # looks that fail before the first one that does not, with 503 and 5001
    poll_code: str = ""  # and every look fails with this code, as 401
    task_failed: str = ""  # the message of a task that fails
    nothing_made: bool = False  # a task that succeeds without pictures or a video
    expired: bool = False  # what was made is no longer there
    lose_answer: bool = False  # the task is accepted, and the connection cut before the client is told


@dataclass
class Task:
    id: str
    external_id: str
    path: str
    body: dict[str, Any]
    model: str
    polls: int = 0
    failed_polls: int = 0
    result: dict[str, Any] | None = None


class FakeKling(FakeServer[Behaviour]):
    """The server. `api_key`, if given, is the only one it takes: a plain one, or `access|secret`."""

    def __init__(self, *, api_key: str = "") -> None:
        super().__init__(Behaviour())
        self.api_key = api_key
        self.results = Results()
        self.tasks: dict[str, Task] = {}
        self.tokens: list[str] = []  # as they were sent

    def fault_error(self, behaviour: Behaviour) -> dict[str, Any]:
        code = int(behaviour.code or 5000)
        return {"code": code, "message": f"{behaviour.message}, see {self.origin}", "request_id": "Cjx-fake"}

    async def route(self, recorded: Recorded, behaviour: Behaviour, writer: asyncio.StreamWriter) -> bool:
        if recorded.method == "GET" and (found := self.results.find(recorded.path)):
            if behaviour.expired:
                raise Refusal(404, 404, "NoSuchKey")
            return await self.answer(writer, behaviour, found[0], content_type=found[1])
        self._check_key(recorded.headers.get("authorization", ""))
        if behaviour.code:
            return await self.answer(writer, behaviour, self.fault_error(behaviour))  # with a 200
        if recorded.method == "POST" and recorded.path in PATHS:
            task = self._accept(recorded.path, recorded.body)
            if behaviour.lose_answer:
                return False
            return await self.answer(writer, behaviour, self._show(task, "submitted"))
        path, _, task_id = recorded.path.rpartition("/")
        if recorded.method == "GET" and path in PATHS:
            return await self.answer(writer, behaviour, self._look(path, task_id, behaviour))
        raise Refusal(404, 1202, f"The requested method is invalid: {recorded.method} {recorded.path}")

    def _check_key(self, header: str) -> None:
        kind, _, token = header.partition(" ")
        if kind != "Bearer" or not token:
            raise Refusal(401, 1001, "Authorization is empty")
        self.tokens.append(token)
        access, pair, secret = self.api_key.partition("|")
        if pair:
            _check_token(token, access, secret)
        elif self.api_key and token != self.api_key:
            raise Refusal(401, 1002, f"Authorization is invalid: {token}")

    def _accept(self, path: str, body: dict[str, Any]) -> Task:
        check(path, body)
        external_id = body.get("external_task_id", "")
        if external_id and any(task.external_id == external_id for task in self.tasks.values()):
            raise Refusal(400, 1201, "external_task_id is not unique")
        task = Task(
            id=str(867_000_000_000 + len(self.tasks)),
            external_id=external_id,
            path=path,
            body=body,
            model=body.get("model_name", "kling-v1"),
        )
        self.tasks[task.id] = task
        return task

    def _look(self, path: str, task_id: str, behaviour: Behaviour) -> dict[str, Any]:
        known = [task for task in self.tasks.values() if task.path == path and task_id in (task.id, task.external_id)]
        if not known:
            raise Refusal(404, 1203, "The requested resource does not exist")
        task = known[0]
        if behaviour.poll_code:
            raise Refusal(401, int(behaviour.poll_code), "Authorization is no longer valid")
        if task.failed_polls < behaviour.failing_polls:
            task.failed_polls += 1
            raise Refusal(503, 5001, "Server temporarily unavailable, usually due to maintenance")
        if task.polls < behaviour.polls:
            task.polls += 1
            return self._show(task, "processing")
        if behaviour.task_failed:
            return self._show(task, "failed", task_status_msg=f"{behaviour.task_failed} ({self.origin})")
        if task.result is None:
            task.result = {} if behaviour.nothing_made else self._make(task)
        return self._show(task, "succeed", task_result=task.result, final_unit_deduction="0.2")

    def _make(self, task: Task) -> dict[str, Any]:
        across, down = shape(task.body)
        if task.path == IMAGES:
            paths = [self.results.add(across, down) for _ in range(task.body.get("n", 1))]
            return {"images": [{"index": index, "url": self.origin + path} for index, path in enumerate(paths)]}
        seconds = int(task.body.get("duration", "5"))
        url = self.origin + self.results.add_video(seconds, across, down)
        return {"videos": [{"id": f"{task.id}-1", "url": url, "watermark_url": "", "duration": f"{seconds}.1"}]}

    def _show(self, task: Task, status: str, **more: Any) -> dict[str, Any]:
        data = {
            "task_id": task.id,
            "task_status": status,
            "task_info": {"external_task_id": task.external_id},
            "created_at": 1_790_000_000_000,
            "updated_at": 1_790_000_000_000,
            **more,
        }
        return {"code": 0, "message": "SUCCEED", "request_id": "Cjx-fake", "data": data}


def _check_token(token: str, access: str, secret: str) -> None:
    """A JSON Web Token of HMAC-SHA256, as the vendor's page on keys has it."""
    signed, _, signature = token.rpartition(".")
    expected = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    try:
        header, claims = (json.loads(_decode(part)) for part in signed.split("."))
        good = hmac.compare_digest(_decode(signature), expected)
    except ValueError:
        raise Refusal(401, 1002, f"Authorization is invalid: {token}") from None
    if not good or header != {"alg": "HS256", "typ": "JWT"} or claims.get("iss") != access:
        raise Refusal(401, 1002, f"Authorization is invalid: {claims.get('iss')}")
    if claims["nbf"] > time():
        raise Refusal(401, 1003, "Authorization is not yet valid")
    if claims["exp"] <= time():
        raise Refusal(401, 1004, "Authorization has expired")


def _decode(part: str) -> bytes:
    if "=" in part:
        raise ValueError("base64 in a token has no padding")
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)


def _error(status: int, code: int, kind: ProviderFault, **more: Any) -> Failure:
    behaviour = {"status": status, "code": str(code), **more}
    return Failure(f"{status} {code}", kind, behaviour, retry_after=3 if "retry_after" in more else None)


# What both capabilities answer to a request, whether it submits or looks.
ERRORS = (
    *(_error(401, code, ProviderFault.AUTH) for code in range(1000, 1005)),
    *(_error(429, code, ProviderFault.BALANCE) for code in (1100, 1101, 1102)),
    _error(403, 1103, ProviderFault.AUTH),
    *(_error(400, code, ProviderFault.BAD_REQUEST) for code in (1200, 1201)),
    *(_error(404, code, ProviderFault.AUTH) for code in (1202, 1203)),
    *(_error(400, code, ProviderFault.CONTENT_POLICY) for code in (1300, 1301)),
    _error(429, 1302, ProviderFault.RATE_LIMITED, retry_after="3"),
    _error(429, 1303, ProviderFault.RATE_LIMITED),
    _error(429, 1304, ProviderFault.AUTH),
    _error(500, 5000, ProviderFault.OVERLOADED),
    _error(503, 5001, ProviderFault.OVERLOADED),
    _error(504, 5002, ProviderFault.OVERLOADED),
    _error(500, 9999, ProviderFault.BROKEN),
    _error(200, 1301, ProviderFault.CONTENT_POLICY),
    Failure(
        "a task that fails by its risk control",
        ProviderFault.CONTENT_POLICY,
        {"task_failed": "Failure to pass the risk control system"},
    ),
    Failure("a task that fails", ProviderFault.BROKEN, {"task_failed": "Generation failed, try again"}),
    Failure("a task that makes nothing", ProviderFault.BROKEN, {"nothing_made": True}),
)
CONTRACTS = (
    Contract(provider="kling", capability="image", model="kling-image-v2-1", fake=FakeKling, failures=ERRORS),
    Contract(provider="kling", capability="video", model="kling-v2-5-turbo", fake=FakeKling, failures=ERRORS),
)
