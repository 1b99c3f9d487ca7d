"""Parameters in paths, queries, headers and cookies, by their names in `components`."""

from typing import Any

from api.openapi.operation import Schema


def _parameter(place: str, name: str, description: str, schema: Schema, example: Any = None) -> dict[str, Any]:
    parameter: dict[str, Any] = {"name": name, "in": place, "description": description, "schema": schema}
    if place == "path":
        parameter["required"] = True
    return parameter if example is None else {**parameter, "example": example}


_TEXT: Schema = {"type": "string"}
_LIMIT: Schema = {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
VIDEO = "video_0192f3a45b6c0123456789abcdef0123456789abcdef"
DELIVERY = "evt_6f1c0e9b5d2a4c7f8e3b1a0d9c8b7a65"
RECEIPT = "req_0192f3a45b6c0123456789abcdef0123456789abcdef"
SESSION = "3f2b8a52-0c1e-4d6b-9a77-5d0f6f1c2e34"

PARAMETERS: dict[str, dict[str, Any]] = {
    "ClientRequestId": _parameter(
        "header",
        "X-Request-Id",
        "A name of your own for the request, which comes back as `x-client-request-id`.",
        _TEXT,
    ),
    "MaxCredits": _parameter(
        "header",
        "X-ArkRoute-Max-Credits",
        "The most that the call may cost, in credits. One that could cost more is refused before it begins, with a 402 "
        "`max_credits_exceeded`.",
        {"type": "number", "minimum": 0},
        5,
    ),
    "IdempotencyKey": _parameter(
        "header",
        "Idempotency-Key",
        "A name of your own for the call, such as a UUID. For 24 hours the same body with the same key is charged "
        "once, and answered as it was the first time: send it again when you do not know what became of it.",
        {"type": "string", "minLength": 1, "maxLength": 255},
        "5f0c1d4e-8f0b-4a64-9b1f-0d6d2b6f9c11",
    ),
    "SessionCookie": _parameter(
        "cookie",
        "ark_session_id",
        "The session that an answer has set: the request goes to the server that holds the model's state. For models "
        "on the operator's own servers.",
        {"type": "string", "format": "uuid"},
    ),
    "LastEventId": _parameter(
        "header",
        "Last-Event-ID",
        "The number of the last event that you have; left out, the log begins with the first.",
        {"type": "integer", "minimum": 0},
        1,
    ),
    "Range": _parameter("header", "Range", "One part of the file.", _TEXT, "bytes=0-1023"),
    "IfNoneMatch": _parameter("header", "If-None-Match", "The `ETag` that you have.", _TEXT),
    "Model": _parameter("path", "name", "The model's id, or an alias.", _TEXT, "nano-banana-2"),
    "TaskId": _parameter("path", "task_id", "The video's id, from the answer that began it.", _TEXT, VIDEO),
    "SessionId": _parameter("path", "session_id", "The session's id.", {"type": "string", "format": "uuid"}, SESSION),
    "DeliveryId": _parameter("path", "delivery_id", "The delivery's id.", _TEXT, DELIVERY),
    "RequestId": _parameter("path", "request_id", "The `x-request-id` of the call's answer.", _TEXT, RECEIPT),
    "Link": _parameter("path", "token", "The signed rest of a link from an answer.", _TEXT),
    "Limit": _parameter("query", "limit", "How many to list.", _LIMIT),
    "AfterTask": _parameter("query", "after", "Lists those that follow the video with this id.", _TEXT),
    "Order": _parameter(
        "query",
        "order",
        "By the moment at which they were asked for.",
        {"type": "string", "enum": ["asc", "desc"], "default": "desc"},
    ),
    "AfterReceipt": _parameter("query", "after", "Lists those that follow the receipt with this id.", _TEXT),
    "ReceiptOrder": _parameter(
        "query",
        "order",
        "By the moment at which the calls ended.",
        {"type": "string", "enum": ["asc", "desc"], "default": "desc"},
    ),
    "ReceiptModel": _parameter("query", "model", "Those of one model: its id, or an alias.", _TEXT, "gpt-5.4-mini"),
    "ReceiptStatus": _parameter(
        "query",
        "status",
        "Those that ended in one way.",
        {"type": "string", "enum": ["succeeded", "partial", "failed", "late"]},
    ),
    "CreatedAfter": _parameter(
        "query", "created_after", "Those of this Unix second or later.", {"type": "integer", "minimum": 0}, 1767225600
    ),
    "CreatedBefore": _parameter(
        "query", "created_before", "Those before this Unix second.", {"type": "integer", "minimum": 0}, 1769904000
    ),
    "AfterDelivery": _parameter("query", "after", "Lists those that follow the delivery with this id.", _TEXT),
    "Variant": _parameter(
        "query", "variant", "Which file of the video; there is one.", {"type": "string", "enum": ["video"]}
    ),
}
