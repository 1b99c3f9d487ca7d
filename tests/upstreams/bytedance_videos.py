"""The videos of a fake ModelArk: https://docs.byteplus.com/en/docs/ModelArk/1520757 (submit), 1521309 (look up),
1521720 (cancel or erase).

It refuses what the documents do not know, and what a model of Seedance lacks. Which code an unknown task has is not
documented.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from tests.upstreams.results import Results
from tests.upstreams.server import Refusal

PATH = "/contents/generations/tasks"
TYPES: dict[str, type] = {
    "model": str,
    "content": list,
    "callback_url": str,
    "return_last_frame": bool,
    "service_tier": str,
    "execution_expires_after": int,
    "generate_audio": bool,
    "camera_fixed": bool,
    "watermark": bool,
    "seed": int,
    "resolution": str,
    "ratio": str,
    "duration": int,
}
RATIOS = frozenset({"16:9", "4:3", "1:1", "3:4", "9:16", "21:9", "adaptive"})
AREAS = {"480p": 854 * 480, "720p": 1280 * 720, "1080p": 1920 * 1080, "4k": 3840 * 2160}


@dataclass(frozen=True)
class Model:
    """What a model takes, by the table of the vendor's tutorial."""

    seconds: range
    resolutions: frozenset[str]
    last_frame: bool = True
    audio: bool = True
    first_generation: bool = False  # takes `seed` and `camera_fixed`


UP_TO_720P = frozenset({"480p", "720p"})
UP_TO_1080P = UP_TO_720P | {"1080p"}
MODELS = {
    "seedance-1-0-pro-250528": Model(range(2, 13), UP_TO_1080P, audio=False, first_generation=True),
    "seedance-1-0-pro-fast-251015": Model(
        range(2, 13), UP_TO_1080P, last_frame=False, audio=False, first_generation=True
    ),
    "seedance-1-5-pro-251215": Model(range(4, 13), UP_TO_1080P, first_generation=True),
    "dreamina-seedance-2-0-260128": Model(range(4, 16), UP_TO_1080P | {"4k"}),
    "dreamina-seedance-2-0-fast-260128": Model(range(4, 16), UP_TO_720P),
    "dreamina-seedance-2-5-260628": Model(range(4, 31), UP_TO_1080P),
}


class Behaviour(Protocol):
    """What a task comes to; see the fake's own."""

    task_status: str
    task_code: str
    message: str
    polls: int
    clip_lost: bool
    running_at_delete: bool


@dataclass
class Task:
    """`behaviour` is that of a prompt with markers, which the task keeps; `looks`, how often it was looked up."""

    body: dict[str, Any]
    behaviour: Behaviour | None
    constraint_broken: bool
    looks: int = 0
    cancelled: bool = False
    clip: str = ""

    def status(self, behaviour: Behaviour) -> str:
        if self.cancelled:
            return "cancelled"
        if self.looks <= behaviour.polls:
            return "queued" if self.looks < 2 else "running"
        return "failed" if self.constraint_broken else behaviour.task_status


class Tasks:
    """The tasks of one fake. `picture` checks a data URI; it gives its width and height, and raises `Refusal`."""

    def __init__(self, results: Results, picture: Callable[[Any], tuple[int, int]]) -> None:
        self._results = results
        self._picture = picture
        self._numbers = itertools.count(1)
        self.known: dict[str, Task] = {}

    def submit(self, body: dict[str, Any], behaviour: Behaviour | None) -> dict[str, Any]:
        sizes = _check(body, self._picture)
        task_id = f"cgt-20261122100000-{next(self._numbers):05d}"
        # Seedance 2.5 finds that out as late as that.
        broken = "seedance-2-5" in body["model"] and bool(sizes) and body.get("ratio") != "adaptive"
        self.known[task_id] = Task(body, behaviour, broken)
        return {"id": task_id}

    def look_up(self, task_id: str, behaviour: Behaviour, origin: str) -> dict[str, Any]:
        """What is also posted to the callback's address."""
        task = self._find(task_id)
        behaviour = task.behaviour or behaviour
        task.looks += 1
        status, body = task.status(behaviour), task.body
        shown: dict[str, Any] = {
            "id": task_id,
            "model": body["model"],
            "status": status,
            "error": None,
            "created_at": 1_790_000_000,
            "updated_at": 1_790_000_060,
            "service_tier": body.get("service_tier", "default"),
            "execution_expires_after": body.get("execution_expires_after", 172_800),
        }
        if status == "failed":
            code = "InvalidParameter.TaskTypeConstraint" if task.constraint_broken else behaviour.task_code
            shown["error"] = {"code": code, "message": f"{behaviour.message}. See {origin}. Request id: 021790"}
        elif status == "succeeded":
            shown |= self._result(task, behaviour, origin)
        return shown

    def delete(self, task_id: str, behaviour: Behaviour) -> dict[str, Any]:
        task = self._find(task_id)
        behaviour = task.behaviour or behaviour
        status = task.status(behaviour)
        if status == "queued" and behaviour.running_at_delete:
            task.looks, status = 2, "running"
        match status:
            case "queued":
                task.cancelled = True
            case "running":
                message = f"Cannot delete task `{task_id}` because it is currently running."
                raise refuse("InvalidAction.RunningTaskDeletion", message, status=409)
            case "cancelled":
                raise refuse("InvalidAction", f"Cannot delete task `{task_id}`.", status=409)
            case _:
                del self.known[task_id]
        return {}

    def _find(self, task_id: str) -> Task:
        if task_id not in self.known:
            raise refuse("ResourceNotFound", f"The specified task {task_id} is not found.", status=404)
        return self.known[task_id]

    def _result(self, task: Task, behaviour: Behaviour, origin: str) -> dict[str, Any]:
        body = task.body
        seconds, resolution = body.get("duration", 5), body.get("resolution", "720p")
        ratio = body.get("ratio", "16:9").replace("adaptive", "1:1")
        across, down = (int(side) for side in ratio.split(":"))
        width = (AREAS[resolution] * across / down) ** 0.5
        if not task.clip:
            task.clip = self._results.add_video(seconds, round(width), round(width * down / across))
        tokens = AREAS[resolution] * 24 * seconds // 1024
        shown = {
            "content": {} if behaviour.clip_lost else {"video_url": origin + task.clip},
            "usage": {"completion_tokens": tokens, "total_tokens": tokens},
            "seed": body.get("seed", 58_944),
            "resolution": resolution,
            "ratio": ratio,
            "duration": seconds,
            "framespersecond": 24,
        }
        return {**shown, "generate_audio": body.get("generate_audio", True)} if MODELS[body["model"]].audio else shown


def refuse(code: str, message: str, param: str = "", *, status: int = 400) -> Refusal:
    kind = {404: "NotFound", 409: "Conflict"}.get(status, "BadRequest")
    return Refusal(status, {"error": {"code": code, "message": message, "param": param, "type": kind}})


def _check(body: dict[str, Any], picture: Callable[[Any], tuple[int, int]]) -> list[tuple[int, int]]:
    """The sizes of the frames."""
    for name, value in body.items():
        if name not in TYPES or type(value) is not TYPES[name]:
            raise refuse("InvalidParameter", f"the parameter `{name}` specified in the request is not valid", name)
    model = MODELS.get(body.get("model", ""))
    if model is None:
        raise refuse("InvalidEndpointOrModel.NotFound", "The model or endpoint does not exist", status=404)
    lacking = {
        *(() if model.audio else ("generate_audio",)),
        *(() if model.first_generation else ("seed", "camera_fixed")),
    }
    values: dict[str, bool] = {
        "resolution": body.get("resolution", "720p") in model.resolutions,
        "duration": body.get("duration", 5) in model.seconds,
        "ratio": body.get("ratio", "16:9") in RATIOS,
        "seed": -1 <= body.get("seed", 0) < 2**32,
        "execution_expires_after": 3600 <= body.get("execution_expires_after", 3600) <= 259_200,
        "callback_url": body.get("callback_url", "https://").startswith(("https://", "http://")),
        **{name: name not in body for name in lacking},
    }
    for name, good in values.items():
        if not good:
            message = f"the parameter {name} specified in the request is not valid for model {body['model']}"
            raise refuse("InvalidParameter", message, name)
    return _check_content(body.get("content", []), model, picture)


def _check_content(
    content: list[Any], model: Model, picture: Callable[[Any], tuple[int, int]]
) -> list[tuple[int, int]]:
    texts, frames = [], {}
    for part in content:
        match part:
            case {"type": "text", "text": str(text), **rest} if text and not rest:
                texts.append(text)
            case {"type": "image_url", "image_url": {"url": url}, "role": "first_frame" | "last_frame" as role}:
                if role in frames:
                    raise refuse("InvalidParameter", f"expected at most one {role} but got 2 instead", "content")
                frames[role] = picture(url)
            case _:
                raise refuse("InvalidParameter", "the parameter `content` is not valid", "content")
    if len(texts) > 1 or not (texts or frames):
        raise refuse("MissingParameter", "`content` is one text, or frames, or both", "content")
    if "last_frame" in frames and not (model.last_frame and "first_frame" in frames):
        raise refuse("InvalidParameter", "a last frame is not valid without a first, or for the model", "content")
    for width, height in frames.values():
        sides = sorted((width, height))
        if sides[0] < 300 or sides[1] > 6000 or not 0.4 <= width / height <= 2.5:
            raise refuse("InvalidParameter", "a frame has 300 to 6000 pixels a side, 0.4 to 2.5 wide", "content")
    return list(frames.values())
