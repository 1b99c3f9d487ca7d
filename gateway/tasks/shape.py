"""How a task is shown: in the shape of `/v1/video/status`, and in that of OpenAI's `/v1/videos`."""

from datetime import timedelta
from typing import Any

from django.conf import settings

from billing.amounts import credits_number
from gateway.catalog.schema import lines_of
from gateway.media import signed_url
from gateway.models import VideoTask

State = VideoTask.State

STATUSES: dict[str, str] = {
    State.QUEUED: "processing",
    State.SUBMITTING: "processing",
    State.RUNNING: "processing",
    State.COMPLETED: "completed",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
}
# OpenAI's clients know these four alone, and take any other for an end.
OPENAI_STATUSES: dict[str, str] = {
    State.QUEUED: "queued",
    State.SUBMITTING: "queued",
    State.RUNNING: "in_progress",
    State.COMPLETED: "completed",
    State.FAILED: "failed",
    State.CANCELLED: "failed",
}
# The ratio of a clip that has its first frame's is not known to us.
USUAL_RATIO = "16:9"


def status_body(task: VideoTask) -> dict[str, Any]:
    """The task as it is now. `video_url` is a link that is good from now on; `credits` are there once it has ended."""
    status = STATUSES[task.state]
    return {
        "id": task.pk,
        "object": "video",
        "task_id": task.pk,
        "status": status,
        "state": status,
        "progress": task.progress,
        "video_url": signed_url(task.media) if task.media else None,
        "duration": task.duration or float(task.seconds),
        "model": task.model,
        "created_at": int(task.created_at.timestamp()),
        "credits": credits_number(task.cost if task.state == State.COMPLETED else 0) if task.is_ended else None,
        "error": _error(task),
    }


def openai_body(task: VideoTask) -> dict[str, Any]:
    """OpenAI's `video` object. The prompt is there for as long as the task is not ended."""
    kept_until = task.ended_at + timedelta(days=settings.MEDIA_FILE_DAYS) if task.media and task.ended_at else None
    return {
        "id": task.pk,
        "object": "video",
        "model": task.model,
        "status": OPENAI_STATUSES[task.state],
        "progress": task.progress,
        "created_at": int(task.created_at.timestamp()),
        "completed_at": int(task.ended_at.timestamp()) if task.media and task.ended_at else None,
        "expires_at": int(kept_until.timestamp()) if kept_until else None,
        "seconds": str(task.seconds),
        "size": size_name(task.ratio or USUAL_RATIO, task.resolution),
        "prompt": task.prompt or None,
        "remixed_from_video_id": None,
        "error": _error(task),
    }


def size_name(ratio: str, resolution: str) -> str:
    """`1280x720` of `16:9` and `720p`."""
    across, down = map(int, ratio.split(":"))
    short = lines_of(resolution)
    # Codecs want even numbers.
    long = round(short * max(across, down) / min(across, down) / 2) * 2
    return f"{long}x{short}" if across >= down else f"{short}x{long}"


def _error(task: VideoTask) -> dict[str, Any] | None:
    return {"code": task.error_code, "message": task.error_message} if task.error_code else None
