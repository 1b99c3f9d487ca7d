"""The tasks of a fake DashScope, and the videos that they make: https://www.alibabacloud.com/help/en/model-studio/async-task-api,
https://www.alibabacloud.com/help/en/model-studio/image-to-video-general-api-reference (Wan 2.7).

It refuses what the documents do not know. In which words a task is refused that cannot be cancelled is not documented.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from tests.upstreams.results import Results
from tests.upstreams.server import Refusal

PATH = "/video-generation/video-synthesis"
MODELS = {"wan2.7-t2v", "wan2.7-i2v"}
PARAMETERS: dict[str, type] = {
    "resolution": str,
    "ratio": str,
    "duration": int,
    "seed": int,
    "prompt_extend": bool,
    "watermark": bool,
}
# Along with a prompt: what older models took.
SENT_BY_THE_SDK = frozenset({"extend_prompt", "function"})
RATIOS = frozenset({"16:9", "9:16", "1:1", "4:3", "3:4"})
AREAS = {"720P": 1280 * 720, "1080P": 1920 * 1080}


class Behaviour(Protocol):
    """What a task comes to; see the fake's own."""

    task_status: str
    task_code: str
    message: str
    polls: int
    clip_lost: bool


@dataclass
class Task:
    """`behaviour` is that of a prompt with markers, which the task keeps; `looks`, how often it was looked up."""

    body: dict[str, Any]
    behaviour: Behaviour | None
    looks: int = 0
    cancelled: bool = False
    clip: str = ""

    def status(self, behaviour: Behaviour) -> str:
        if self.cancelled:
            return "CANCELED"
        if self.looks <= behaviour.polls:
            return "PENDING" if self.looks < 2 else "RUNNING"
        return behaviour.task_status


class Tasks:
    """The tasks of one fake. `picture` checks a data URI, and raises `Refusal`."""

    def __init__(self, results: Results, picture: Callable[[Any], None]) -> None:
        self._results = results
        self._picture = picture
        self._numbers = itertools.count(1)
        self.known: dict[str, Task] = {}

    def submit(self, headers: dict[str, str], body: dict[str, Any], behaviour: Behaviour | None) -> dict[str, Any]:
        if headers.get("x-dashscope-async") != "enable":
            raise refuse("AccessDenied", "current user api does not support synchronous calls.", status=403)
        _check(body, self._picture)
        task_id = f"a8532587-0000-4000-8000-{next(self._numbers):012d}"
        self.known[task_id] = Task(body, behaviour)
        return {"output": {"task_id": task_id, "task_status": "PENDING"}, "request_id": "4e4c-fake"}

    def look_up(self, task_id: str, behaviour: Behaviour, origin: str) -> dict[str, Any]:
        task = self.known.get(task_id)
        if task is None:
            return {"request_id": "4e4c-fake", "output": {"task_id": task_id, "task_status": "UNKNOWN"}}
        behaviour = task.behaviour or behaviour
        task.looks += 1
        status = task.status(behaviour)
        output = {"task_id": task_id, "task_status": status, "submit_time": "2026-11-22 09:58:00.000"}
        answer: dict[str, Any] = {"request_id": "4e4c-fake", "output": output}
        if status in ("SUCCEEDED", "FAILED"):
            output |= {"scheduled_time": "2026-11-22 09:58:01.000", "end_time": "2026-11-22 10:00:00.000"}
        if status == "FAILED":
            output |= {"code": behaviour.task_code, "message": f"{behaviour.message}, see {origin}"}
        elif status == "SUCCEEDED":
            url, answer["usage"] = self._result(task)
            output |= {"orig_prompt": task.body["input"].get("prompt", "")}
            output |= {} if behaviour.clip_lost else {"video_url": origin + url}
        return answer

    def cancel(self, task_id: str, behaviour: Behaviour) -> dict[str, Any]:
        task = self.known.get(task_id)
        if task is None or task.status(task.behaviour or behaviour) != "PENDING":
            raise refuse("UnsupportedOperation", "only PENDING tasks can be canceled")
        task.cancelled = True
        return {"request_id": "4e4c-fake"}

    def _result(self, task: Task) -> tuple[str, dict[str, Any]]:
        parameters = task.body.get("parameters", {})
        seconds, resolution = parameters.get("duration", 5), parameters.get("resolution", "1080P")
        ratio = "1:1" if "media" in task.body["input"] else parameters.get("ratio", "16:9")
        across, down = (int(side) for side in ratio.split(":"))
        width = (AREAS[resolution] * across / down) ** 0.5
        if not task.clip:
            task.clip = self._results.add_video(seconds, round(width), round(width * down / across))
        usage = {"duration": seconds, "input_video_duration": 0, "output_video_duration": seconds}
        return task.clip, {**usage, "video_count": 1, "SR": int(resolution[:-1]), "ratio": ratio}


def refuse(code: str, message: str, *, status: int = 400) -> Refusal:
    return Refusal(status, {"code": code, "message": message, "request_id": "4e4c-fake"})


def _check(body: dict[str, Any], picture: Callable[[Any], None]) -> None:
    if set(body) - {"model", "input", "parameters"}:
        raise refuse("InvalidParameter", "the body is {model, input, parameters}")
    if body.get("model") not in MODELS:
        raise refuse("ModelNotFound", "The model does not exist", status=404)
    asked, parameters = body.get("input", {}), body.get("parameters", {})
    for name, value in parameters.items():
        if name not in PARAMETERS or type(value) is not PARAMETERS[name]:
            raise refuse("InvalidParameter", f"parameters.{name} is not valid")
    from_picture = body["model"].endswith("i2v")
    good = (
        parameters.get("resolution", "1080P") in AREAS
        and 2 <= parameters.get("duration", 5) <= 15
        and 0 <= parameters.get("seed", 0) < 2**31
        and (parameters["ratio"] in RATIOS and not from_picture if "ratio" in parameters else True)
    )
    if not good:
        raise refuse("InvalidParameter", f"parameters are not valid for {body['model']}")
    known = {"prompt", "negative_prompt", *SENT_BY_THE_SDK, *(("media",) if from_picture else ())}
    prompts = (asked.get("prompt", ""), asked.get("negative_prompt", ""))
    if set(asked) - known or not all(isinstance(prompt, str) for prompt in prompts):
        raise refuse("InvalidParameter", "input is not valid")
    if len(prompts[0]) > 5000 or len(prompts[1]) > 500 or not (prompts[0] or from_picture):
        raise refuse("InvalidParameter", "prompt is too long or missing")
    if from_picture:
        _check_media(asked.get("media", []), picture)


def _check_media(media: list[dict[str, Any]], picture: Callable[[Any], None]) -> None:
    """Frames alone: what drives a clip besides is not asked for."""
    if [part.get("type") for part in media] not in (["first_frame"], ["first_frame", "last_frame"]):
        raise refuse("InvalidParameter", "media is not a valid combination of types")
    for part in media:
        if set(part) != {"type", "url"}:
            raise refuse("InvalidParameter", "a part of media is {type, url}")
        picture(part["url"])
