"""One charge and one answer for calls that carry the same `Idempotency-Key`, for KEPT_FOR.

A call claims its key before it is made: the row is unique for each owner, so that of many in many processes one wins.
The others are told that it is under way, or get its answer once that is kept. Whether the key of a call that has no
answer is free again is not guessed: its hold says so.

    no hold, or released     nothing was charged: the key is free, for whatever body
    open                     the call is under way, or its process has died and the sweeper will release the hold
    captured                 it was charged, and its answer is lost: it must not be made again under this key

Of a video the row names the task in the transaction that makes it, so its answer can be given again.

Belongs here: claims and kept answers. Does not: what of an answer goes over the wire (api.idempotency).
"""

from gateway.idempotency.answers import MOST_BYTES, Answer, body_of
from gateway.idempotency.claims import (
    KEPT_FOR,
    Claim,
    claim,
    forget_answers,
    forget_expired_answers,
    renew_leases,
)

__all__ = [
    "KEPT_FOR",
    "MOST_BYTES",
    "Answer",
    "Claim",
    "body_of",
    "claim",
    "forget_answers",
    "forget_expired_answers",
    "renew_leases",
]
