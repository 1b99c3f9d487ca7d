"""Videos, in both public shapes, and what is told of them."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from api.openapi import headers
from api.openapi.chat import Seconds
from api.openapi.errors import OF_CALL, OF_KEY
from api.openapi.operation import EVENTS, FORM, JSON, Answer, Content, Operation, stream_of
from api.openapi.parameters import VIDEO
from gateway.requests.videos import OpenAIVideoBody, VideoBody

Progress = Annotated[int, Meta(ge=0, le=100, description="Percent; 100 when the video is there, never before.")]


class VideoForm(OpenAIVideoBody, kw_only=True):
    """The first frame may be a file."""

    input_reference: Annotated[
        str,
        Meta(
            description="The picture that the clip begins with, as a file, or as in JSON.",
            extra_json_schema={"format": "binary", "contentMediaType": "image/*"},
        ),
    ] = ""


class VideoError(Struct):
    code: Annotated[str, Meta(description="As in other errors; besides there are `deadline_exceeded` and `cancelled`.")]
    message: str


class VideoTask(Struct):
    """A video, in our own shape."""

    id: str
    object: Literal["video"]
    task_id: Annotated[str, Meta(description="The same as `id`.")]
    status: Literal["processing", "completed", "failed", "cancelled"]
    state: Annotated[
        Literal["processing", "completed", "failed", "cancelled"], Meta(description="The same as `status`.")
    ]
    progress: Progress
    video_url: Annotated[str | None, Meta(description="A link to the file, good from now on. Anybody can open it.")]
    duration: Annotated[float, Meta(description="Seconds.")]
    model: Annotated[str, Meta(description="The name that was asked for.")]
    created_at: Seconds
    credits: Annotated[float | None, Meta(description="What was charged, once it has ended.")]
    error: VideoError | None


class Video(Struct):
    """A video, in OpenAI's shape."""

    id: str
    object: Literal["video"]
    model: str
    status: Literal["queued", "in_progress", "completed", "failed"]
    progress: Progress
    created_at: Seconds
    completed_at: Annotated[int | None, Meta(description="Unix time in seconds.")]
    expires_at: Annotated[int | None, Meta(description="Until when the file is kept. Unix time in seconds.")]
    seconds: Annotated[str, Meta(description="The length, as a text.")]
    size: Annotated[str, Meta(description="`<width>x<height>` in pixels.")]
    prompt: Annotated[str | None, Meta(description="Until it has ended.")]
    remixed_from_video_id: None
    error: VideoError | None


class VideoList(Struct):
    object: Literal["list"]
    data: list[Video]
    first_id: str | None
    last_id: Annotated[str | None, Meta(description="Send it as `after` for the next ones.")]
    has_more: bool


class VideoDeleted(Struct):
    id: str
    object: Literal["video.deleted"]
    deleted: Literal[True]


class VideoEvent(Struct):
    """Something that happened to a video. It never changes."""

    id: Annotated[int, Meta(ge=1, description="Its number in the log of this video.")]
    type: Literal[
        "video.queued",
        "video.in_progress",
        "video.progress",
        "video.completed",
        "video.failed",
        "video.cancelled",
    ]
    created_at: Seconds
    task: Annotated[VideoTask, Meta(description="The video as it was then.")]


class WebhookMessage(Struct):
    """What your server is sent when a video has come to its end."""

    id: Annotated[str, Meta(description="The same in every try.")]
    object: Literal["event"]
    type: Literal["video.completed", "video.failed", "video.cancelled"]
    created_at: Seconds
    data: Annotated[VideoTask, Meta(description="The video as it was then.")]


_TASK: dict[str, Any] = {
    "id": VIDEO,
    "object": "video",
    "task_id": VIDEO,
    "status": "processing",
    "state": "processing",
    "progress": 0,
    "video_url": None,
    "duration": 5.0,
    "model": "kling-v2-master",
    "created_at": 1767225600,
    "credits": None,
    "error": None,
}
_COMPLETED = {
    **_TASK,
    "status": "completed",
    "state": "completed",
    "progress": 100,
    "video_url": "{base_url}/media/…",
    "credits": 50,
}
_CANCELLED = {
    **_TASK,
    "status": "cancelled",
    "state": "cancelled",
    "credits": 0,
    "error": {"code": "cancelled", "message": "The video was cancelled."},
}
_VIDEO: dict[str, Any] = {
    "id": VIDEO,
    "object": "video",
    "model": "seedance-1.5-pro",
    "status": "queued",
    "progress": 0,
    "created_at": 1767225600,
    "completed_at": None,
    "expires_at": None,
    "seconds": "5",
    "size": "1280x720",
    "prompt": "a dancer in the rain",
    "remixed_from_video_id": None,
    "error": None,
}
_FINISHED = {
    **_VIDEO,
    "status": "completed",
    "progress": 100,
    "completed_at": 1767225690,
    "expires_at": 1769817690,
    "prompt": None,
}
_LOG = f"""\
id: 1
event: video.queued
data: {{"id":1,"type":"video.queued","created_at":1767225600,"task":{{"id":"{VIDEO}","object":"video",\
"task_id":"{VIDEO}","status":"processing","state":"processing","progress":0,"video_url":null,"duration":5.0,\
"model":"kling-v2-master","created_at":1767225600,"credits":null,"error":null}}}}

"""
WEBHOOK = {
    "id": "evt_6f1c0e9b5d2a4c7f8e3b1a0d9c8b7a65",
    "object": "event",
    "type": "video.completed",
    "created_at": 1767225690,
    "data": _COMPLETED,
}

_OF_NEW = (
    "UnreadableBody",
    "InvalidParametersOrPicture",
    "KeyInUse",
    *(name for name in OF_CALL if name != "ProviderError"),
)
_OF_TASK = ("TaskNotFound", *OF_KEY)
_CALL = ("IdempotencyKey", "MaxCredits", "ClientRequestId")
_TASK_ID = ("TaskId", "ClientRequestId")
_VIDEO_HEADERS = (*headers.OF_KEY, "openai-poll-after-ms")

OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/video/generations",
        id="createVideoGeneration",
        tag="Video",
        summary="Generate video from text or image",
        description=(
            "Answers at once with a task. Its price is held now, and charged when the video is completed: where it "
            "fails, is cancelled or misses its deadline, nothing is. What a vendor takes for a model beyond these "
            "fields, such as `seed`, is passed on to it."
        ),
        parameters=_CALL,
        body={
            JSON: Content(
                VideoBody,
                {
                    "from text": {
                        "model": "kling-v2-master",
                        "prompt": "a cat surfing at sunset",
                        "duration": 5,
                        "aspect_ratio": "16:9",
                    }
                },
            )
        },
        answers={200: Answer("The task.", {JSON: Content(VideoTask, {"begun": _TASK})}, headers.OF_CALL)},
        errors=(*_OF_NEW, "InternalError"),
    ),
    Operation(
        method="GET",
        path="/v1/video/status/{task_id}",
        id="getVideoStatus",
        tag="Video",
        summary="Check video generation progress",
        description="Every look at a completed one gives a fresh link to its file.",
        parameters=_TASK_ID,
        answers={200: Answer("The task.", {JSON: Content(VideoTask, {"completed": _COMPLETED})}, headers.OF_KEY)},
        errors=_OF_TASK,
    ),
    Operation(
        method="GET",
        path="/v1/video/status/{task_id}/events",
        id="streamVideoEvents",
        tag="Video",
        summary="Follow a video live",
        description=(
            "The video's events as they happen; the stream ends after the last one. The same events come over the "
            "websocket `/ws/video/{task_id}/`."
        ),
        parameters=(*_TASK_ID, "LastEventId"),
        answers={
            200: Answer(
                "The events after `Last-Event-ID`.",
                {EVENTS: stream_of(VideoEvent, example=_LOG)},
                headers.OF_KEY,
            ),
            204: Answer("The video has ended, and you have its last event.", {}, headers.OF_KEY),
        },
        errors=_OF_TASK,
    ),
    Operation(
        method="POST",
        path="/v1/video/cancel/{task_id}",
        id="cancelVideo",
        tag="Video",
        summary="Cancel a video",
        description=(
            "Cancels what no provider has begun, and what its provider can stop. One that has ended is answered as it "
            "is. Counts as a read."
        ),
        parameters=_TASK_ID,
        answers={200: Answer("The task.", {JSON: Content(VideoTask, {"cancelled": _CANCELLED})}, headers.OF_KEY)},
        errors=("NotCancellable", *_OF_TASK),
    ),
    Operation(
        method="POST",
        path="/v1/videos",
        id="createVideo",
        tag="Videos",
        summary="Generate a video, in OpenAI's shape",
        description=(
            "The same as `/v1/video/generations`, as OpenAI's SDKs ask for it: in JSON, or as a form with a file. "
            "`seconds` is any length that the model has."
        ),
        parameters=_CALL,
        body={
            JSON: Content(
                OpenAIVideoBody,
                {
                    "from text": {
                        "model": "seedance-1.5-pro",
                        "prompt": "a dancer in the rain",
                        "seconds": "5",
                        "size": "1280x720",
                    }
                },
            ),
            FORM: Content(VideoForm),
        },
        answers={
            200: Answer(
                "The video.",
                {JSON: Content(Video, {"begun": _VIDEO})},
                (*headers.OF_CALL, "openai-poll-after-ms"),
            )
        },
        errors=(*_OF_NEW, "InternalError"),
    ),
    Operation(
        method="GET",
        path="/v1/videos",
        id="listVideos",
        tag="Videos",
        summary="List your videos",
        description="The newest first, unless `order` says otherwise.",
        parameters=("Limit", "AfterTask", "Order", "ClientRequestId"),
        answers={
            200: Answer(
                "Some of the videos.",
                {
                    JSON: Content(
                        VideoList,
                        {
                            "one": {
                                "object": "list",
                                "data": [_FINISHED],
                                "first_id": VIDEO,
                                "last_id": VIDEO,
                                "has_more": False,
                            }
                        },
                    )
                },
                headers.OF_KEY,
            )
        },
        errors=("InvalidQuery", *_OF_TASK),
    ),
    Operation(
        method="GET",
        path="/v1/videos/{task_id}",
        id="getVideo",
        tag="Videos",
        summary="Look at a video",
        description="A video that was cancelled is `failed`, with the error `cancelled`.",
        parameters=_TASK_ID,
        answers={200: Answer("The video.", {JSON: Content(Video, {"completed": _FINISHED})}, _VIDEO_HEADERS)},
        errors=_OF_TASK,
    ),
    Operation(
        method="DELETE",
        path="/v1/videos/{task_id}",
        id="deleteVideo",
        tag="Videos",
        summary="Delete a video",
        description="Cancels it if it goes on, then forgets it and its file.",
        parameters=_TASK_ID,
        answers={
            200: Answer(
                "It is gone.",
                {JSON: Content(VideoDeleted, {"deleted": {"id": VIDEO, "object": "video.deleted", "deleted": True}})},
                headers.OF_KEY,
            )
        },
        errors=("NotCancellable", *_OF_TASK),
    ),
    Operation(
        method="GET",
        path="/v1/videos/{task_id}/content",
        id="getVideoContent",
        tag="Videos",
        summary="Download a video",
        description="The file, whole or in part.",
        parameters=(*_TASK_ID, "Variant", "Range"),
        answers={
            200: Answer(
                "The file.",
                {"video/mp4": Content({"type": "string", "format": "binary"})},
                (*headers.OF_KEY, "ETag", "Accept-Ranges"),
            ),
            206: Answer(
                "The part that `Range` names.",
                {"video/mp4": Content({"type": "string", "format": "binary"})},
                (*headers.OF_KEY, "ETag", "Accept-Ranges", "Content-Range"),
            ),
        },
        errors=("TaskNotReady", "InvalidQuery", *_OF_TASK),
    ),
)
