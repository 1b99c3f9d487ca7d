"""DashScope's tasks: https://www.alibabacloud.com/help/en/model-studio/async-task-api

What takes long is submitted with a header that asks for it, and looked up until it is there, for a day at most.
"""

from typing import Any

from msgspec import Struct

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.alibaba.errors import ERRORS
from gateway.providers.json_api import ask
from gateway.providers.openai_compatible.wire import Upstream

# PENDING, RUNNING and SUSPENDED go on. A task that nobody knows (any more) is UNKNOWN.
ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "UNKNOWN"})


class Task(Struct, frozen=True):
    """A task as the vendor shows it: `output` holds what it made, or why it failed, and `usage` what it took."""

    id: str
    status: str
    output: dict[str, Any]
    usage: dict[str, Any]

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED


async def submit(upstream: Upstream, path: str, body: dict[str, Any]) -> Task:
    """The task as it was accepted. Raises `ProviderError`."""
    return _read(await ask(upstream, "POST", path, body, headers=((b"x-dashscope-async", b"enable"),)))


async def look_up(upstream: Upstream, task_id: str) -> Task:
    """The task as it is. One that failed is no error of this request. Raises `ProviderError`."""
    return _read(await ask(upstream, "GET", f"/api/v1/tasks/{task_id}"))


async def cancel(upstream: Upstream, task_id: str) -> None:
    """Keeps a task from starting. Raises `ProviderError` where it has started."""
    await ask(upstream, "POST", f"/api/v1/tasks/{task_id}/cancel", {})


def failure_of(upstream: Upstream, task: Task) -> ProviderError:
    """Why a task made nothing."""
    if task.status == "FAILED":
        error = ERRORS.read(task.output, secrets=upstream.secrets())
        error.accepted = True
        error.of_this_request = error.kind is ProviderFault.BROKEN
        return error
    return ProviderError(ProviderFault.BROKEN, f"the task is {task.status}", accepted=True)


def _read(answer: dict[str, Any]) -> Task:
    output, usage = answer.get("output"), answer.get("usage")
    if not isinstance(output, dict) or not isinstance(output.get("task_id"), str):
        raise ProviderError(ProviderFault.BROKEN, "an answer without a task", status=200)
    status = str(output.get("task_status"))
    return Task(id=output["task_id"], status=status, output=output, usage=usage if isinstance(usage, dict) else {})
