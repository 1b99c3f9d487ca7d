"""A fake of Kuaishou's Kling: https://app.klingai.com/global/dev/document-api

All is a task in an envelope, `{code, message, request_id, data}`. It takes a plain key, or tokens signed by a pair
`access|secret`, which it checks; and it refuses what the vendor's documents do not know, among it data URIs. One thing
it does not refuse, as the vendor does not: a `model`, which is ignored, so that the oldest model answers.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import io
import json
from dataclasses import dataclass
from time import time
from typing import Any

from PIL import Image

from gateway.errors import ProviderFault
from tests.upstreams import server
from tests.upstreams.contract import Contract, Failure
from tests.upstreams.results import Results, is_picture
from tests.upstreams.server import FakeServer, Faults, Recorded

IMAGES = "/v1/images/generations"
IMAGE_TYPES: dict[str, type | tuple[type, ...]] = {
    "model": str,
    "model_name": str,
    "prompt": str,
    "negative_prompt": str,
    "image": str,
    "image_reference": str,
    "image_fidelity": (int, float),
    "human_fidelity": (int, float),
    "resolution": str,
    "n": int,
    "aspect_ratio": str,
    "callback_url": str,
    "external_task_id": str,
}
CHOICES = {
    "model_name": {"kling-v1", "kling-v1-5", "kling-v2", "kling-v2-new", "kling-v2-1", "kling-v3"},
    "image_reference": {"subject", "face"},
    "resolution": {"1k", "2k"},
    "aspect_ratio": {"16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "21:9"},
}
MOST_BYTES = 10 * 1024 * 1024


@dataclass
class Behaviour(Faults):
    """`status` and `code` are those of an answer to a submission and to a look alike; see below for one of the two."""

    polls: int = 0  # looks that find the task still processing
    failing_polls: int = 0  # looks that fail before the first one that does not, with 503 and 5001
    poll_code: str = ""  # and every look fails with this code, as 401
    task_failed: str = ""  # the message of a task that fails
    nothing_made: bool = False  # a task that succeeds without pictures
    lose_answer: bool = False  # the task is accepted, and the connection cut before the client is told


@dataclass
class Task:
    id: str
    external_id: str
    body: dict[str, Any]
    model: str
    polls: int = 0
    failed_polls: int = 0
    images: tuple[dict[str, Any], ...] | None = None


class Refusal(server.Refusal):
    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(status, {"code": code, "message": message, "request_id": "Cjx-fake"})


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
            return await self.answer(writer, behaviour, found[0], content_type=found[1])
        self._check_key(recorded.headers.get("authorization", ""))
        if behaviour.code:
            return await self.answer(writer, behaviour, self.fault_error(behaviour))  # with a 200
        if (recorded.method, recorded.path) == ("POST", IMAGES):
            task = self._accept(recorded.body)
            if behaviour.lose_answer:
                return False
            return await self.answer(writer, behaviour, self._show(task, "submitted"))
        if recorded.method == "GET" and recorded.path.startswith(f"{IMAGES}/"):
            return await self.answer(writer, behaviour, self._look(recorded.path.rpartition("/")[2], behaviour))
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

    def _accept(self, body: dict[str, Any]) -> Task:
        _check_image(body)
        external_id = body.get("external_task_id", "")
        if external_id and any(task.external_id == external_id for task in self.tasks.values()):
            raise Refusal(400, 1201, "external_task_id is not unique")
        task = Task(
            id=str(867_000_000_000 + len(self.tasks)),
            external_id=external_id,
            body=body,
            model=body.get("model_name", "kling-v1"),
        )
        self.tasks[task.id] = task
        return task

    def _look(self, task_id: str, behaviour: Behaviour) -> dict[str, Any]:
        known = [task for task in self.tasks.values() if task_id in (task.id, task.external_id)]
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
        if task.images is None:
            task.images = tuple(
                {"index": index, "url": self.origin + self.results.add(*_size(task.body))}
                for index in range(0 if behaviour.nothing_made else task.body.get("n", 1))
            )
        return self._show(task, "succeed", task_result={"images": list(task.images)}, final_unit_deduction="0.2")

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


def _check_image(body: dict[str, Any]) -> None:
    for name, value in body.items():
        kinds = IMAGE_TYPES.get(name)
        if kinds is None or not isinstance(value, kinds) or isinstance(value, bool):
            raise Refusal(400, 1201, f"{name}: invalid parameter")
    if not body.get("prompt") or len(body["prompt"]) > 2500:
        raise Refusal(400, 1201, "prompt: 1 to 2500 characters")
    for name, allowed in CHOICES.items():
        if name in body and body[name] not in allowed:
            raise Refusal(400, 1201, f"{name}: value {body[name]!r} is not allowed")
    if not 1 <= body.get("n", 1) <= 9:
        raise Refusal(400, 1201, "n: 1 to 9")
    if "image" not in body:
        return
    if body.get("negative_prompt"):
        raise Refusal(400, 1201, "negative_prompt is not supported with an image")
    if body.get("model_name") == "kling-v1-5" and "image_reference" not in body:
        raise Refusal(400, 1201, "image_reference is required")
    if not body["image"].startswith(("http://", "https://")):
        _check_picture(body["image"])


def _check_picture(image: str) -> None:
    try:
        data = base64.b64decode(image, validate=True)
    except binascii.Error:
        raise Refusal(400, 1201, "image: base64 is invalid; send it without `data:image/png;base64,`") from None
    if len(data) > MOST_BYTES or not is_picture(data, mimes=frozenset({"image/jpeg", "image/png"})):
        raise Refusal(400, 1201, "image: a JPEG or PNG of at most 10 MB")
    with Image.open(io.BytesIO(data)) as picture:
        short, long = sorted(picture.size)
    if short < 300 or long > 2.5 * short:
        raise Refusal(400, 1201, "image: at least 300 pixels a side, and a ratio of at most 2.5")


def _size(body: dict[str, Any]) -> tuple[int, int]:
    across, down = map(int, body.get("aspect_ratio", "16:9").split(":"))
    return across * 100, down * 100


def _error(status: int, code: int, kind: ProviderFault, **more: Any) -> Failure:
    behaviour = {"status": status, "code": str(code), **more}
    return Failure(f"{status} {code}", kind, behaviour, retry_after=3 if "retry_after" in more else None)


CONTRACTS = (
    Contract(
        provider="kling",
        capability="image",
        model="kling-image-v2-1",
        fake=FakeKling,
        failures=(
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
            Failure("a task without pictures", ProviderFault.BROKEN, {"nothing_made": True}),
        ),
    ),
)
