"""The part of Google's fake that makes clips: interactions in the background, and the files that they come to.

https://ai.google.dev/gemini-api/docs/omni, https://ai.google.dev/api/interactions-api and the SDK's types.
"""

import base64
import binascii
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from gateway.errors import ProviderFault
from tests.upstreams.contract import Failure
from tests.upstreams.results import clip, is_picture

MODELS = ("gemini-omni-1.1-flash",)
RATIOS = {"16:9": (1600, 900), "9:16": (900, 1600)}
RESOLUTIONS = ("360p", "720p", "1080p", "4k")
TASKS = ("text_to_video", "image_to_video", "reference_to_video", "edit", "extend", "upscale")
IMAGE_TYPES = frozenset({"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"})
FIELDS = (
    *("model", "input", "response_format", "response_modalities", "generation_config", "background", "store"),
    *("stream", "previous_interaction_id", "webhook_config", "safety_settings", "service_tier", "labels"),
)
_DURATION = re.compile(r"(\d{1,2})s", re.ASCII)


class Invalid(Exception):
    """A request that is refused as an invalid argument."""


@dataclass
class VideoBehaviour:
    """What becomes of an interaction, a part of the fake's behaviour."""

    polls: int = 0  # looks that find the interaction still going on: the first queued, then in progress
    file_polls: int = 0  # looks that find its file still being processed
    task_status: str = "completed"
    task_error: str = ""  # the message of an error in its last step
    task_error_code: int = 3  # of an RPC
    declined: str = ""  # what the model says in the stead of a clip
    clip_lost: bool = False
    inline: bool = False  # the bytes come with a look, though an address was asked for
    url_safe: bool = False
    file_state: str = "ACTIVE"
    elsewhere: str = ""  # the address of the file, if it is not Google's


@dataclass
class Interaction:
    id: str
    body: dict[str, Any]
    seconds: int
    size: tuple[int, int]
    looks: int = 0
    file_looks: int = 0
    status: str = "in_progress"

    @property
    def data(self) -> bytes:
        return clip(self.seconds, *self.size)


class Interactions:
    """What the server knows of them, and of their files."""

    def __init__(self) -> None:
        self.known: dict[str, Interaction] = {}

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        seconds, size = check(body)
        interaction = Interaction(f"v1_{len(self.known) + 1:04d}", body, seconds, size)
        self.known[interaction.id] = interaction
        return show(interaction, "in_progress")

    def look(self, task_id: str, behaviour: VideoBehaviour, origin: str) -> dict[str, Any] | None:
        interaction = self.known.get(task_id)
        if interaction is None:
            return None
        interaction.looks += 1
        if interaction.status == "in_progress" and interaction.looks > behaviour.polls:
            interaction.status = behaviour.task_status
        if interaction.status == "in_progress":
            return show(interaction, "queued" if interaction.looks == 1 else "in_progress")
        step: dict[str, Any] = {"type": "model_output", "content": []}
        if behaviour.task_error:
            step["error"] = {"code": behaviour.task_error_code, "message": f"{behaviour.task_error} ({origin})"}
        elif behaviour.declined:
            step["content"] = [{"type": "text", "text": behaviour.declined}]
        elif interaction.status == "completed" and not behaviour.clip_lost:
            step["content"] = [_content(interaction, behaviour, origin)]
        thought = {"type": "thought", "signature": "c2lnbmF0dXJl"}
        asked = {"type": "user_input", "content": [{"type": "text", "text": "…"}]}
        return show(interaction, interaction.status, [asked, thought, step])

    def cancel(self, task_id: str) -> dict[str, Any] | None:
        """Raises `Invalid` for one that has ended."""
        interaction = self.known.get(task_id)
        if interaction is None:
            return None
        if interaction.status != "in_progress":
            raise Invalid("Only interactions that are in progress can be cancelled.")
        interaction.status = "cancelled"
        return show(interaction, "cancelled")

    def file(self, name: str, behaviour: VideoBehaviour) -> dict[str, Any] | None:
        """What is told of the file of an interaction."""
        interaction = self.known.get(f"v1_{name.removeprefix('clip')}")
        if interaction is None:
            return None
        interaction.file_looks += 1
        state = "PROCESSING" if interaction.file_looks <= behaviour.file_polls else behaviour.file_state
        return {"name": f"files/{name}", "mimeType": "video/mp4", "state": state}

    def download(self, name: str) -> bytes | None:
        interaction = self.known.get(f"v1_{name.removeprefix('clip')}")
        return None if interaction is None else interaction.data


def show(interaction: Interaction, status: str, steps: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    shown = {
        "id": interaction.id,
        "object": "interaction",
        "model": interaction.body["model"],
        "status": status,
        "created": "2026-11-02T10:00:00Z",
        "updated": "2026-11-02T10:00:30Z",
    }
    if steps is not None:
        video = {"modality": "video", "tokens": 5792 * interaction.seconds}
        shown |= {"steps": steps, "usage": {"total_input_tokens": 9, "output_tokens_by_modality": [video]}}
    return shown


def _content(interaction: Interaction, behaviour: VideoBehaviour, origin: str) -> dict[str, Any]:
    content = {"type": "video", "mime_type": "video/mp4"}
    if behaviour.inline:
        encode = base64.urlsafe_b64encode if behaviour.url_safe else base64.b64encode
        return content | {"data": encode(interaction.data).decode()}
    name = f"clip{interaction.id.removeprefix('v1_')}"
    return content | {"uri": behaviour.elsewhere or f"{origin}/v1beta/files/{name}:download?alt=media"}


def check(body: dict[str, Any]) -> tuple[int, tuple[int, int]]:
    """Seconds and size of the clip that is asked for. Raises `Invalid`."""
    _fields(body, FIELDS, "")
    if body.get("model") not in MODELS:
        raise Invalid(f"Model {body.get('model')} is not supported by the Interactions API.")
    if body.get("background") is not True or body.get("store") is False:
        raise Invalid("Background interactions must be stored.")
    pictures = _check_input(body.get("input"))
    wanted = body.get("response_format")
    _fields(wanted, ("type", "aspect_ratio", "resolution", "duration", "delivery"), "response_format")
    if wanted.get("type") != "video" or wanted.get("delivery", "inline") not in ("inline", "uri"):
        raise Invalid("Invalid value at 'response_format'.")
    if wanted.get("aspect_ratio", "16:9") not in RATIOS or wanted.get("resolution", "720p") not in RESOLUTIONS:
        raise Invalid("Invalid value at 'response_format': aspect_ratio or resolution.")
    duration = _DURATION.fullmatch(wanted.get("duration", "10s"))
    if duration is None or not 3 <= int(duration[1]) <= 10:
        raise Invalid("The duration must be between 3s and 10s.")
    _check_task(body.get("generation_config", {}), pictures)
    _check_webhook(body.get("webhook_config", {}))
    return int(duration[1]), RATIOS[wanted.get("aspect_ratio", "16:9")]


def _check_input(sent: Any) -> int:
    """How many pictures there are. One is the first frame, and two are the first and the last, as the prompt says."""
    if not isinstance(sent, list) or not sent:
        raise Invalid("The input is empty.")
    if isinstance(sent[0], dict) and sent[0].get("type") == "user_input":  # as a step, which is how the SDK sends it
        _fields(sent[0], ("type", "content"), "input")
        return _check_input(sent[0].get("content"))
    *pictures, text = sent
    for picture in pictures:
        _fields(picture, ("type", "mime_type", "data", "uri"), "input")
        if picture.get("type") != "image" or picture.get("mime_type") not in IMAGE_TYPES:
            raise Invalid("Invalid value at 'input': an image of a supported type is expected.")
        try:
            data = base64.b64decode(picture.get("data"), validate=True)
        except (TypeError, binascii.Error):
            raise Invalid("Invalid value at 'input': Base64 decoding failed.") from None
        if not is_picture(data, mimes=IMAGE_TYPES):
            raise Invalid("Unable to process input image.")
    _fields(text, ("type", "text"), "input")
    if text.get("type") != "text" or not isinstance(text.get("text"), str) or not text["text"]:
        raise Invalid("Invalid value at 'input': a text is expected.")
    tags = [tag for tag in ("<FIRST_FRAME>", "<LAST_FRAME>") if tag in text["text"]]
    if len(tags) != len(pictures):
        raise Invalid(f"{len(pictures)} pictures, and the prompt speaks of {tags}.")
    return len(pictures)


def _check_task(config: Any, pictures: int) -> None:
    _fields(config, ("video_config", "thinking_level", "thinking_summaries"), "generation_config")
    video = config.get("video_config", {})
    _fields(video, ("task",), "generation_config.video_config")
    task = video.get("task", "text_to_video" if not pictures else "image_to_video")
    if task not in TASKS or (task == "text_to_video") == bool(pictures):
        raise Invalid(f"Invalid value at 'generation_config.video_config.task' with {pictures} pictures.")


def _check_webhook(config: Any) -> None:
    _fields(config, ("uris", "user_metadata"), "webhook_config")
    if not all(isinstance(uri, str) and uri.startswith("https://") for uri in config.get("uris", [])):
        raise Invalid("Webhook URIs must be https.")


def _fields(value: Any, known: Collection[str], where: str) -> None:
    if not isinstance(value, dict):
        raise Invalid(f"Invalid value at '{where}' (an object is expected)")
    for name in value:
        if name not in known:
            raise Invalid(f"Invalid JSON payload received. Unknown name \"{name}\" at '{where}': Cannot find field.")


FAILURES = (
    Failure(
        "failed by a safety filter",
        ProviderFault.CONTENT_POLICY,
        {"task_status": "failed", "task_error": "The prompt was blocked by our safety filters."},
    ),
    Failure(
        "failed for an internal reason",
        ProviderFault.OVERLOADED,
        {"task_status": "failed", "task_error": "Internal error encountered.", "task_error_code": 13},
    ),
    Failure("failed without a word", ProviderFault.BROKEN, {"task_status": "failed"}),
    Failure("declined in words", ProviderFault.CONTENT_POLICY, {"declined": "I can't make a video of a real person."}),
    Failure("completed without a clip", ProviderFault.BROKEN, {"clip_lost": True}),
    Failure("incomplete", ProviderFault.BROKEN, {"task_status": "incomplete"}),
    Failure("requires_action", ProviderFault.BROKEN, {"task_status": "requires_action"}),
    Failure("budget_exceeded", ProviderFault.BALANCE, {"task_status": "budget_exceeded"}),
    Failure("a file that failed", ProviderFault.BROKEN, {"file_state": "FAILED"}),
)
