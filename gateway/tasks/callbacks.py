"""The addresses at which providers may tell that a task has changed.

Each has a secret of its own in it, and all that a call does is to have the task looked at: what it says is not read.
"""

from datetime import datetime

from django.conf import settings
from django.core.signing import BadSignature, Signer

from gateway.models import VideoTask
from gateway.tasks.life import Change, Transition

PATH = "callbacks/videos"


def callback_url(task_id: str) -> str:
    """Where providers can call; empty where we are not on the public internet."""
    if not settings.PUBLIC_URL.startswith("https://"):
        return ""
    return f"{settings.PUBLIC_URL}/{PATH}/{_signer().sign(task_id)}"


def read_token(token: str) -> str | None:
    """The id of the task that a callback's address is of, if it is one of ours."""
    try:
        return _signer().unsign(token)
    except BadSignature:
        return None


def look_now() -> Transition:
    """A running task that nobody looks at is due."""

    def apply(task: VideoTask, now: datetime) -> Change | None:
        if task.state != VideoTask.State.RUNNING or task.claim:
            return None
        task.next_at = now
        return Change()

    return apply


def _signer() -> Signer:
    return Signer(sep=".", salt="gateway.tasks.callbacks")
