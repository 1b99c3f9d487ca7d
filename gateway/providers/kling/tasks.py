"""Kling's envelope, its codes, and its tasks: all that it makes is submitted, and asked for until it is there.

https://app.klingai.com/global/dev/document-api/apiReference/commonInfo. An answer is `{code, message, request_id,
data}`, where 0 is the code of a good one.
"""

import asyncio
import re
from typing import Any
from uuid import uuid4

from msgspec import Struct
from msgspec.structs import replace

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.base import Deployment
from gateway.providers.json_api import ask
from gateway.providers.kling.keys import bearer
from gateway.providers.openai_compatible.wire import Upstream
from gateway.providers.openai_errors import clean
from gateway.providers.polling import poll
from gateway.providers.vendor_errors import VendorErrors

ERRORS = VendorErrors(
    faults=(
        # 1103 is a model that the account may not use, 1202 and 1203 a path or a model that is not there, and 1304 an
        # address of ours that is not on the account's list: nothing that waiting mends, though it comes as 429.
        (r"100[0-4]|1103|120[23]|1304", ProviderFault.AUTH),
        (r"110[0-2]", ProviderFault.BALANCE),  # these come as 429, too
        (r"130[01]", ProviderFault.CONTENT_POLICY),
        (r"130[23]", ProviderFault.RATE_LIMITED),
        (r"500[0-2]", ProviderFault.OVERLOADED),
        (r"120[01]", ProviderFault.BAD_REQUEST),
    )
)
# A failed task says in words alone why: "Failure to pass the risk control system" is the usual refusal.
_REFUSAL = re.compile(r"risk|sensitive|violat|safety|moderation|prohibited|policy", re.IGNORECASE)


class Task(Struct, frozen=True):
    """A task as the vendor shows it. `status` is submitted, processing, succeed or failed."""

    id: str
    status: str
    message: str
    result: dict[str, Any]


def connect(deployment: Deployment, errors: VendorErrors = ERRORS) -> Upstream:
    """The vendor at a deployment, with the token that it takes."""
    sent = replace(deployment, api_key=bearer(deployment.api_key))
    return Upstream(sent, errors.reader, hidden=tuple(deployment.secrets))


async def run(upstream: Upstream, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """What a task of `body` made, within the deployment's time. It is submitted once.

    Raises `ProviderError`. Being cancelled ends the waiting; the vendor has no way to end the task.
    """
    began = asyncio.get_running_loop().time()
    task = await submit(upstream, path, body, uuid4().hex)

    async def look() -> Task | None:
        found = await look_up(upstream, path, task.id)
        return found if found.status in ("succeed", "failed") else None

    passed = asyncio.get_running_loop().time() - began
    task = await poll(look, seconds=upstream.deployment.timeout - passed)
    if task.status == "failed":
        raise why_failed(upstream, task)
    return task.result


def why_failed(upstream: Upstream, task: Task) -> ProviderError:
    """What a failed task says of itself."""
    kind = ProviderFault.CONTENT_POLICY if _REFUSAL.search(task.message) else ProviderFault.BROKEN
    message = clean(task.message or "the task failed", upstream.secrets())
    return ProviderError(kind, message, accepted=True, of_this_request=True)


async def submit(upstream: Upstream, path: str, body: dict[str, Any], external_id: str) -> Task:
    """The task as it was accepted. The vendor takes each `external_id` once, and knows the task by it."""
    try:
        return _read(await ask(upstream, "POST", path, {**body, "external_task_id": external_id}))
    except ProviderError as error:
        # Cut off before the answer was here, the task may be there. So it may where the request is bad: one that found
        # an idle connection closed is sent once more, and an id that was taken at the first time is refused then.
        cut_off = error.kind is ProviderFault.BROKEN and error.status is None
        if not cut_off and error.kind is not ProviderFault.BAD_REQUEST:
            raise
        try:
            return await look_up(upstream, path, external_id)
        except ProviderError:
            raise error from None


async def look_up(upstream: Upstream, path: str, task_id: str) -> Task:
    """The task by its id, the vendor's or the one that it was submitted with."""
    return _read(await ask(upstream, "GET", f"{path}/{task_id}"))


def _read(answer: dict[str, Any]) -> Task:
    data = answer.get("data")
    if not isinstance(data, dict) or not isinstance(data.get("task_id"), str):
        raise ProviderError(ProviderFault.BROKEN, "an answer without a task", status=200)
    message, result = data.get("task_status_msg"), data.get("task_result")
    return Task(
        id=data["task_id"],
        status=str(data.get("task_status")),
        message=message if isinstance(message, str) else "",
        result=result if isinstance(result, dict) else {},
    )
