"""An owner's own results: the pictures and clips of an account that are still in our storage.

Pictures have rows of their own, clips stand in their tasks. The ids of both sort by time after their first word, so
that one cursor serves for both.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from heapq import merge
from operator import attrgetter

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from msgspec import Struct

from accounts.database import run_in_database_thread
from gateway.media import mime_of
from gateway.models import Receipt, StoredPicture, VideoTask
from gateway.tasks import life
from gateway.tasks.files import discard
from gateway.tasks.writer import change

PICTURE, CLIP = "image", "video"


class Piece(Struct, frozen=True):
    """A result. `kind` is `image` or `video`, `name` its file's in our storage; `seconds` are a clip's."""

    id: str
    kind: str
    name: str
    mime: str
    request_id: str
    model: str
    created_at: datetime
    seconds: float | None = None

    @property
    def cursor(self) -> str:
        """What comes after it is older."""
        return self.id.partition("_")[2]


class Pieces(Struct):
    """Some results, the newest first, and the cursor of those that follow; empty where there are none."""

    pieces: list[Piece]
    next_cursor: str = ""


def list_pieces(account_id: int, *, kind: str = "", after: str = "", limit: int = 24) -> Pieces:
    """At most `limit` of an account's results, of one `kind` or of both, that are older than the cursor `after`."""
    pictures = [] if kind == CLIP else _pictures(_older(_own_pictures(account_id), PICTURE, after)[: limit + 1])
    clips = [] if kind == PICTURE else _clips(_older(_own_clips(account_id), CLIP, after)[: limit + 1])
    found = list(merge(pictures, clips, key=attrgetter("cursor"), reverse=True))
    shown = found[:limit]
    return Pieces(shown, next_cursor=shown[-1].cursor if len(found) > limit else "")


def list_pieces_of(account_id: int, request_id: str) -> list[Piece]:
    """What one request of the account came to, as far as it is still there."""
    return [
        *_pictures(_own_pictures(account_id).filter(request_id=request_id).order_by("pk")),
        *_clips(_own_clips(account_id).filter(request_id=request_id)),
    ]


def count_under_way(account_id: int) -> int:
    """The account's clips that are still being made."""
    return VideoTask.objects.filter(account_id=account_id, ended_at__isnull=True).count()


async def delete_piece(account_id: int, piece_id: str) -> bool:
    """Deletes a result and its file; whether the account has such a one. What was charged stays charged."""
    if piece_id.startswith(f"{PICTURE}_"):
        names = await run_in_database_thread(_delete_picture, account_id, piece_id)
        await asyncio.to_thread(discard, names)
        return bool(names)
    if not await run_in_database_thread(_own_clips(account_id).filter(pk=piece_id).exists):
        return False
    return (await change(piece_id, life.forget)).changed


def forget_expired_pictures() -> int:
    """Deletes the rows of pictures whose files are past MEDIA_FILE_DAYS. Returns how many."""
    oldest = f"{PICTURE}_{int(_oldest().timestamp() * 1000):012x}"
    deleted, _ = StoredPicture.objects.filter(pk__lt=oldest).delete()
    return deleted


def _delete_picture(account_id: int, piece_id: str) -> list[str]:
    """The names of the files that nobody knows any more."""
    with transaction.atomic():
        found = _own_pictures(account_id).filter(pk=piece_id).select_for_update()
        names = list(found.values_list("name", flat=True))
        StoredPicture.objects.filter(pk=piece_id, account_id=account_id).delete()
    return names


def _own_pictures(account_id: int) -> "QuerySet[StoredPicture]":
    return StoredPicture.objects.filter(account_id=account_id, created_at__gt=_oldest())


def _own_clips(account_id: int) -> "QuerySet[VideoTask]":
    clips = VideoTask.objects.filter(account_id=account_id, forgotten=False, ended_at__gt=_oldest())
    return clips.exclude(media="")


def _older(found: "QuerySet", kind: str, after: str) -> "QuerySet":
    newest_first = found.order_by("-pk")
    return newest_first.filter(pk__lt=f"{kind}_{after}") if after else newest_first


def _oldest() -> datetime:
    return datetime.now(UTC) - timedelta(days=settings.MEDIA_FILE_DAYS)


def _pictures(rows: "QuerySet[StoredPicture]") -> list[Piece]:
    found = list(rows)
    models = dict(Receipt.objects.filter(pk__in={row.request_id for row in found}).values_list("pk", "model"))
    return [
        Piece(row.pk, PICTURE, row.name, row.mime, row.request_id, models.get(row.request_id, ""), row.created_at)
        for row in found
    ]


def _clips(rows: "QuerySet[VideoTask]") -> list[Piece]:
    return [
        Piece(
            task.pk,
            CLIP,
            task.media,
            mime_of(task.media),
            task.request_id,
            task.model_id,
            task.created_at,
            task.duration or float(task.seconds),
        )
        for task in rows.defer("body", "frames", "attempts")
    ]
