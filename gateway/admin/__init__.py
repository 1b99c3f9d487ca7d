"""What staff sees of the gateway, and the little that it does about it.

Receipts tell what a call cost and why (`receipts`), videos are looked at or ended (`tasks`), messages sent again
(`webhooks`), replicas drained (`pools`), and providers' keys tried again (`providers`). `signs` say on the first page
how everything fares, `people` what a user has here.
"""

from gateway.admin import people, signs
from gateway.admin.pictures import StoredPictureAdmin
from gateway.admin.pools import PoolReplicaAdmin
from gateway.admin.providers import DisabledKeyAdmin
from gateway.admin.receipts import ReceiptAdmin
from gateway.admin.tasks import VideoTaskAdmin
from gateway.admin.webhooks import WebhookDeliveryAdmin

__all__ = [
    "DisabledKeyAdmin",
    "PoolReplicaAdmin",
    "ReceiptAdmin",
    "StoredPictureAdmin",
    "VideoTaskAdmin",
    "WebhookDeliveryAdmin",
    "people",
    "signs",
]
