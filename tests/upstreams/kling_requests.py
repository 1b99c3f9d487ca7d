"""What Kling takes of a request, and how it refuses the rest: https://app.klingai.com/global/dev/document-api

Pictures: …/imageGeneration. Videos: …/textToVideo, …/imageToVideo, and …/skillsMap for what each model can do.
"""

import base64
import binascii
import io
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from PIL import Image

from tests.upstreams import server
from tests.upstreams.results import is_picture

IMAGES = "/v1/images/generations"
TEXT = "/v1/videos/text2video"
IMAGE = "/v1/videos/image2video"
Types = dict[str, type | tuple[type, ...]]
IMAGE_TYPES: Types = {
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
IMAGE_CHOICES = {
    "model_name": {"kling-v1", "kling-v1-5", "kling-v2", "kling-v2-new", "kling-v2-1", "kling-v3"},
    "image_reference": {"subject", "face"},
    "resolution": {"1k", "2k"},
    "aspect_ratio": {"16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "21:9"},
}
MOST_BYTES = 10 * 1024 * 1024
VIDEO_TYPES: Types = {
    "model": str,  # which is ignored
    "model_name": str,
    "prompt": str,
    "negative_prompt": str,
    "cfg_scale": (int, float),
    "mode": str,
    "duration": str,
    "sound": str,
    "camera_control": dict,
    "multi_shot": bool,
    "shot_type": str,
    "multi_prompt": list,
    "callback_url": str,
    "external_task_id": str,
}
TEXT_TYPES: Types = {**VIDEO_TYPES, "aspect_ratio": str}
IMAGE_VIDEO_TYPES: Types = {**VIDEO_TYPES, "image": str, "image_tail": str}
VIDEO_CHOICES = {
    "aspect_ratio": {"16:9", "9:16", "1:1"},
    "sound": {"on", "off"},
    "shot_type": {"customize", "intelligence"},
}
CAMERA_TYPES = {"simple", "down_back", "forward_up", "right_turn_forward", "left_turn_forward"}
CAMERA_MOVES = {"horizontal", "vertical", "pan", "tilt", "roll", "zoom"}


@dataclass(frozen=True)
class VideoModel:
    """What a model can do; a mode is "" where it has none. `last_frame`: in which modes, and how long."""

    text: bool = True
    modes: frozenset[str] = frozenset({"std", "pro"})
    durations: frozenset[str] = frozenset({"5", "10"})
    last_frame: frozenset[tuple[str, str]] = frozenset()
    sound: frozenset[str] = frozenset()
    last_frame_with_sound: bool = False
    cfg_scale: bool = False
    camera: frozenset[tuple[str, str]] = frozenset()
    shots: bool = False


PRO = frozenset({("pro", "5"), ("pro", "10")})
LENGTHS = frozenset(map(str, range(3, 16)))
V3_MODES = frozenset({"std", "pro", "4k"})
VIDEO_MODELS = {
    "kling-v1": VideoModel(
        last_frame=frozenset({("std", "5"), ("pro", "5")}), cfg_scale=True, camera=frozenset({("std", "5")})
    ),
    "kling-v1-5": VideoModel(text=False, last_frame=PRO, cfg_scale=True),
    "kling-v1-6": VideoModel(last_frame=PRO, cfg_scale=True),
    "kling-v2-master": VideoModel(modes=frozenset()),
    "kling-v2-1": VideoModel(text=False, last_frame=PRO),
    "kling-v2-1-master": VideoModel(modes=frozenset()),
    "kling-v2-5-turbo": VideoModel(last_frame=PRO),
    "kling-v2-6": VideoModel(last_frame=PRO, sound=frozenset({"pro"})),
    "kling-v3": VideoModel(
        modes=V3_MODES,
        durations=LENGTHS,
        last_frame=frozenset((mode, length) for mode in V3_MODES for length in LENGTHS),
        sound=V3_MODES,
        last_frame_with_sound=True,
        cfg_scale=True,
        shots=True,
    ),
}


class Refusal(server.Refusal):
    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(status, {"code": code, "message": message, "request_id": "Cjx-fake"})


def check(path: str, body: dict[str, Any]) -> None:
    """Raises `Refusal` for what the vendor would not take at a path."""
    if path == IMAGES:
        _check_image(body)
    else:
        _check_video(path, body)


def shape(body: dict[str, Any]) -> tuple[int, int]:
    """Of what is made: across and down. A clip has its first frame's."""
    frame = body.get("image", "")
    if frame and "aspect_ratio" not in body and not frame.startswith("http"):
        with Image.open(io.BytesIO(base64.b64decode(frame))) as picture:
            return picture.size
    across, down = map(int, body.get("aspect_ratio", "16:9").split(":"))
    return across * 100, down * 100


def _check_image(body: dict[str, Any]) -> None:
    _check_types(body, IMAGE_TYPES)
    if not body.get("prompt") or len(body["prompt"]) > 2500:
        raise Refusal(400, 1201, "prompt: 1 to 2500 characters")
    _check_choices(body, IMAGE_CHOICES)
    if not 1 <= body.get("n", 1) <= 9:
        raise Refusal(400, 1201, "n: 1 to 9")
    if "image" not in body:
        return
    if body.get("negative_prompt"):
        raise Refusal(400, 1201, "negative_prompt is not supported with an image")
    if body.get("model_name") == "kling-v1-5" and "image_reference" not in body:
        raise Refusal(400, 1201, "image_reference is required")
    _check_picture(body, "image")


def _check_video(path: str, body: dict[str, Any]) -> None:
    _check_types(body, TEXT_TYPES if path == TEXT else IMAGE_VIDEO_TYPES)
    name = body.get("model_name", "kling-v1")
    model = VIDEO_MODELS.get(name)
    if model is None or (path == TEXT and not model.text):
        raise Refusal(400, 1201, f"model_name: value {name!r} is not allowed")
    _check_choices(body, VIDEO_CHOICES)
    _check_prompts(path, body)
    if "mode" in body and body["mode"] not in model.modes:
        raise Refusal(400, 1201, f"mode: value {body['mode']!r} is not supported by {name}")
    if body.get("duration", "5") not in model.durations:
        raise Refusal(400, 1201, f"duration: value {body['duration']!r} is not supported by {name}")
    _check_extras(path, body, model)
    if path == IMAGE:
        _check_frames(body, model)


def _check_prompts(path: str, body: dict[str, Any]) -> None:
    if path == TEXT and not body.get("prompt") and not body.get("multi_shot"):
        raise Refusal(400, 1201, "prompt is required")
    for name in ("prompt", "negative_prompt"):
        if len(body.get(name, "")) > 2500:
            raise Refusal(400, 1201, f"{name}: at most 2500 characters")


def _check_extras(path: str, body: dict[str, Any], model: VideoModel) -> None:
    if "sound" in body and not model.sound:
        raise Refusal(400, 1201, "sound is not supported by this model")
    if body.get("sound") == "on" and body.get("mode", "std") not in model.sound:
        raise Refusal(400, 1201, "sound is supported in pro mode only")
    if "cfg_scale" in body and not (model.cfg_scale and 0 <= body["cfg_scale"] <= 1):
        raise Refusal(400, 1201, "cfg_scale: invalid parameter")
    if not model.shots and {"multi_shot", "shot_type", "multi_prompt"} & set(body):
        raise Refusal(400, 1201, "multi_shot is not supported by this model")
    if body.get("multi_shot") and "shot_type" not in body:
        raise Refusal(400, 1201, "shot_type is required")
    if body.get("shot_type") == "customize" and not 1 <= len(body.get("multi_prompt", [])) <= 6:
        raise Refusal(400, 1201, "multi_prompt: 1 to 6 shots")
    if "camera_control" in body:
        if path == IMAGE or (body.get("mode", "std"), body.get("duration", "5")) not in model.camera:
            raise Refusal(400, 1201, "camera_control is not supported by this model, mode or duration")
        _check_camera(body["camera_control"])


def _check_camera(control: dict[str, Any]) -> None:
    config = control.get("config", {})
    if control.get("type") not in CAMERA_TYPES or (control["type"] == "simple") is not bool(config):
        raise Refusal(400, 1201, "camera_control: invalid parameter")
    moves = [move for move, value in config.items() if value]
    if config and (not set(config) <= CAMERA_MOVES or len(moves) != 1 or not -10 <= config[moves[0]] <= 10):
        raise Refusal(400, 1201, "camera_control.config: exactly one of six, -10 to 10")


def _check_frames(body: dict[str, Any], model: VideoModel) -> None:
    if not {"image", "image_tail"} & set(body):
        raise Refusal(400, 1201, "image or image_tail is required")
    for name in ("image", "image_tail"):
        if name in body:
            _check_picture(body, name)
    if "image_tail" not in body:
        return
    if (body.get("mode", "std"), body.get("duration", "5")) not in model.last_frame:
        raise Refusal(400, 1201, "image_tail is not supported by this model, mode or duration")
    if body.get("sound") == "on" and not model.last_frame_with_sound:
        raise Refusal(400, 1201, "image_tail is not supported together with sound")


def _check_types(body: dict[str, Any], types: Types) -> None:
    for name, value in body.items():
        kinds = types.get(name)
        if kinds is None or not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
            raise Refusal(400, 1201, f"{name}: invalid parameter")


def _check_choices(body: dict[str, Any], choices: Mapping[str, Set[str]]) -> None:
    for name, allowed in choices.items():
        if name in body and body[name] not in allowed:
            raise Refusal(400, 1201, f"{name}: value {body[name]!r} is not allowed")


def _check_picture(body: dict[str, Any], name: str) -> None:
    """An address, or base64 without the head of a data URI."""
    if body[name].startswith(("http://", "https://")):
        return
    try:
        data = base64.b64decode(body[name], validate=True)
    except binascii.Error:
        message = f"{name}: base64 is invalid; send it without `data:image/png;base64,`"
        raise Refusal(400, 1201, message) from None
    if len(data) > MOST_BYTES or not is_picture(data, mimes=frozenset({"image/jpeg", "image/png"})):
        raise Refusal(400, 1201, f"{name}: a JPEG or PNG of at most 10 MB")
    with Image.open(io.BytesIO(data)) as picture:
        short, long = sorted(picture.size)
    if short < 300 or long > 2.5 * short:
        raise Refusal(400, 1201, f"{name}: at least 300 pixels a side, and a ratio of at most 2.5")
