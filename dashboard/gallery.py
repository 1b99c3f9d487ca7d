"""The gallery: one's own pictures and clips, for as long as their files are kept."""

import re
from datetime import datetime

from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from msgspec import Struct

from dashboard.choices import Choice
from dashboard.views import SignedIn, posted_from
from gateway.flows.gallery import CLIP, PICTURE, Piece, count_under_way, delete_piece, list_pieces
from gateway.media import signed_url

KINDS = {"": "All", PICTURE: "Images", CLIP: "Videos"}
CURSOR = re.compile(r"[0-9a-f]{44}", re.ASCII)


class ShownPiece(Struct, frozen=True):
    """A result with a link that is good from now on. `saved_as` is a name for whoever downloads it."""

    id: str
    is_clip: bool
    url: str
    mime: str
    model: str
    created_at: datetime
    seconds: str
    request_id: str
    saved_as: str


def show_piece(piece: Piece) -> ShownPiece:
    return ShownPiece(
        id=piece.id,
        is_clip=piece.kind == CLIP,
        url=signed_url(piece.name),
        mime=piece.mime,
        model=piece.model,
        created_at=piece.created_at,
        seconds=f"{piece.seconds:g} s" if piece.seconds else "",
        request_id=piece.request_id,
        saved_as=f"{piece.model or piece.kind}-{piece.created_at:%Y%m%d-%H%M%S}.{piece.name.rpartition('.')[2]}",
    )


@login_required
@require_GET
@never_cache
def gallery(request: SignedIn) -> HttpResponse:
    """`?kind=&after=`. Links are made anew each time, so that none on the page has expired."""
    kind = request.GET.get("kind", "")
    kind = kind if kind in KINDS else ""
    after = request.GET.get("after", "")
    found = list_pieces(request.user.pk, kind=kind, after=after if CURSOR.fullmatch(after) else "")
    context = {
        "pieces": [show_piece(piece) for piece in found.pieces],
        "older": found.next_cursor,
        "is_later_page": bool(after),
        "kind": kind,
        "kinds": [
            Choice(name, f"/gallery/?kind={value}" if value else "/gallery/", is_chosen=value == kind)
            for value, name in KINDS.items()
        ],
        "under_way": count_under_way(request.user.pk),
        "file_days": settings.MEDIA_FILE_DAYS,
        "link_hours": settings.MEDIA_LINK_SECONDS // 3600,
    }
    return render(request, "dashboard/gallery.html", context)


@posted_from("gallery")
@login_required
def delete(request: SignedIn, piece_id: str) -> HttpResponse:
    """Deletes one for good, its file and all."""
    if not (piece_id.isprintable() and async_to_sync(delete_piece)(request.user.pk, piece_id)):
        raise Http404("no result of yours has this id")
    messages.success(request, "Deleted. Links to it lead to nothing from now on.")
    return redirect("gallery")
