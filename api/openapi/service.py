"""Files, probes, and this description itself: what is no part of `/v1`."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from api.openapi.operation import JSON, Answer, Content, Key, Operation

_FILE = {
    "image/*": Content({"type": "string", "format": "binary"}),
    "video/mp4": Content({"type": "string", "format": "binary"}),
}
_FILE_HEADERS = ("ETag", "Accept-Ranges")
_ANY = {"type": "object"}


class Health(Struct):
    status: Literal["ok"]


class Readiness(Struct):
    """Besides `status` each dependency by its name: `ok`, or `unreachable`."""

    status: Annotated[
        Literal["ready", "degraded", "draining", "unavailable"],
        Meta(description="Requests should be sent here while it is `ready` or `degraded`."),
    ]


OPERATIONS = (
    Operation(
        method="GET",
        path="/media/{token}",
        id="getMedia",
        tag="Files",
        summary="Download a result",
        description="The file that a link of ours leads to, for whoever has the link; from any web page, too.",
        key=Key.NONE,
        parameters=("Link", "Range"),
        answers={
            200: Answer("The file.", _FILE, _FILE_HEADERS),
            206: Answer("The part that `Range` names.", _FILE, (*_FILE_HEADERS, "Content-Range")),
            416: Answer("The file has no such part.", {}, (*_FILE_HEADERS, "Content-Range")),
        },
        errors=("NothingHere", "InternalError"),
    ),
    Operation(
        method="GET",
        path="/healthz",
        id="getHealth",
        tag="Service",
        summary="Whether the process answers",
        description="Asks nothing else.",
        key=Key.NONE,
        answers={200: Answer("It does.", {JSON: Content(Health, {"well": {"status": "ok"}})}, ("x-request-id",))},
        errors=(),
    ),
    Operation(
        method="GET",
        path="/readyz",
        id="getReadiness",
        tag="Service",
        summary="Whether requests should be sent here",
        description="Names what is missing.",
        key=Key.NONE,
        answers={
            200: Answer(
                "They should.",
                {JSON: Content(Readiness, {"all is well": {"status": "ready", "database": "ok"}})},
                ("x-request-id",),
            ),
            503: Answer(
                "They should not.",
                {JSON: Content(Readiness, {"about to end": {"status": "draining"}})},
                ("x-request-id",),
            ),
        },
        errors=(),
    ),
    Operation(
        method="GET",
        path="/openapi.json",
        id="getDescription",
        tag="Service",
        summary="This description",
        description="In OpenAPI 3.1.",
        key=Key.NONE,
        parameters=("IfNoneMatch",),
        answers={
            200: Answer("The description.", {JSON: Content(_ANY)}, ("x-request-id", "ETag")),
            304: Answer("The one that you have.", {}, ("x-request-id", "ETag")),
        },
        errors=("InternalError",),
    ),
    Operation(
        method="GET",
        path="/openapi.yaml",
        id="getDescriptionAsYaml",
        tag="Service",
        summary="This description as YAML",
        description="In OpenAPI 3.1.",
        key=Key.NONE,
        parameters=("IfNoneMatch",),
        answers={
            200: Answer("The description.", {"application/yaml": Content(_ANY)}, ("x-request-id", "ETag")),
            304: Answer("The one that you have.", {}, ("x-request-id", "ETag")),
        },
        errors=("InternalError",),
    ),
)
