"""The gateway's rows.

Belongs here: data, constraints and small truths about a row. Does not: what is done with it.
"""

from gateway.models.idempotency import IdempotentCall
from gateway.models.inputs import KeptInput
from gateway.models.notices import Notice, NoticeKind, NoticeLook, NoticePreferences
from gateway.models.pictures import StoredPicture
from gateway.models.prices import QuotedPrice
from gateway.models.providers import DisabledKey, PoolReplica, ReplicaReport
from gateway.models.receipts import Receipt
from gateway.models.videos import TaskEvent, VideoTask
from gateway.models.webhooks import WebhookDelivery, WebhookSecret

__all__ = [
    "DisabledKey",
    "IdempotentCall",
    "KeptInput",
    "Notice",
    "NoticeKind",
    "NoticeLook",
    "NoticePreferences",
    "PoolReplica",
    "QuotedPrice",
    "Receipt",
    "ReplicaReport",
    "StoredPicture",
    "TaskEvent",
    "VideoTask",
    "WebhookDelivery",
    "WebhookSecret",
]
