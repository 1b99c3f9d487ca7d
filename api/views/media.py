"""`GET /media/<signed>`: a stored result, to anybody who has its link.

Ranges as in RFC 9110, section 14: one range is served, several are answered with the whole file.
"""

import asyncio
import re
from collections.abc import AsyncIterator

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt

from api.errors import error_answer
from gateway.media import MediaError, StoredMedia, open_signed

RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.ASCII)
CHUNK = 256 * 1024
HEADERS = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "content-length, content-range, etag",
    "cross-origin-resource-policy": "cross-origin",
    "x-content-type-options": "nosniff",
    # Should a file ever be taken for a page, it can do nothing.
    "content-security-policy": "default-src 'none'; img-src 'self'; media-src 'self'; sandbox",
}


class RangeNotSatisfiable(Exception):
    """A range begins beyond the end of the file."""


class FilePart:
    """Bytes `start` to `end` (exclusive) of a file, read in chunks in a thread. Django closes it with the response."""

    def __init__(self, media: StoredMedia, start: int, end: int) -> None:
        self.media = media
        self.start = start
        self.end = end

    async def __aiter__(self) -> AsyncIterator[bytes]:
        file, left = self.media.file, self.end - self.start
        await asyncio.to_thread(file.seek, self.start)
        while left > 0:
            chunk = await asyncio.to_thread(file.read, min(CHUNK, left))
            if not chunk:
                raise OSError(f"{self.media.name} is shorter than it was")
            left -= len(chunk)
            yield chunk

    def close(self) -> None:
        self.media.file.close()


# Whoever has a link may read and nobody may write, so there is no form to protect.
@csrf_exempt
async def serve_media(request: HttpRequest, token: str) -> HttpResponseBase:
    """The file or a range of it. An expired, forged or stale link is a 404 that says which."""
    if request.method == "OPTIONS":
        allowed = {"access-control-allow-methods": "GET, HEAD", "access-control-allow-headers": "range, if-range"}
        return HttpResponse(status=204, headers={**HEADERS, **allowed})
    if request.method not in ("GET", "HEAD"):
        return _refusal("method_not_allowed", "Files are read with GET or HEAD.", allow="GET, HEAD, OPTIONS")
    try:
        media = await open_signed(token)
    except MediaError as error:
        return _refusal("unknown_url", str(error))
    return serve_file(request, media)


def serve_file(request: HttpRequest, media: StoredMedia) -> HttpResponseBase:
    """An open file or the range of it that the request asks for. The file is closed with the answer."""
    try:
        return _answer(request, media)
    except BaseException:
        media.file.close()
        raise


def _answer(request: HttpRequest, media: StoredMedia) -> HttpResponseBase:
    # A stored file never changes: its name is its version.
    etag = f'"{media.name.rpartition("/")[2]}"'
    headers = {
        **HEADERS,
        "accept-ranges": "bytes",
        "cache-control": f"private, max-age={media.seconds_left}",
        "content-type": media.mime,
        "etag": etag,
    }
    if etag in request.headers.get("if-none-match", ""):
        media.file.close()
        return HttpResponse(status=304, headers=headers)
    wanted = request.headers.get("range", "") if request.headers.get("if-range", etag) == etag else ""
    try:
        part = _parse_range(wanted, media.size)
    except RangeNotSatisfiable:
        media.file.close()
        return _unlogged(HttpResponse(status=416, headers={**headers, "content-range": f"bytes */{media.size}"}))
    start, end = part or (0, media.size)
    status = 206 if part else 200
    if part:
        headers["content-range"] = f"bytes {start}-{end - 1}/{media.size}"
    headers["content-length"] = str(end - start)
    if request.method == "HEAD":
        media.file.close()
        return HttpResponse(status=status, headers=headers)
    return StreamingHttpResponse(FilePart(media, start, end), status=status, headers=headers)


def _parse_range(value: str, size: int) -> tuple[int, int] | None:
    """Start and end (exclusive) of the range asked for; nothing for a header that RFC 9110 lets us ignore."""
    parts = RANGE.fullmatch(value.strip().lower())
    if parts is None or not (parts[1] or parts[2]):
        return None
    if not parts[1]:
        start, end = max(0, size - int(parts[2])), size
    else:
        start, end = int(parts[1]), min(size, int(parts[2]) + 1) if parts[2] else size
        if parts[2] and int(parts[2]) < start:
            return None
    if start >= size:
        raise RangeNotSatisfiable
    return start, end


def _refusal(code: str, message: str, allow: str | None = None) -> HttpResponse:
    answer = error_answer(code, message)
    headers = {**HEADERS, **answer.headers, "cache-control": "no-store", **({"allow": allow} if allow else {})}
    return _unlogged(HttpResponse(answer.body, status=answer.status, content_type="application/json", headers=headers))


def _unlogged(response: HttpResponse) -> HttpResponse:
    """`response` marked as `django.utils.log.log_response` marks what it has logged.

    It would log the path, and in the path stands the link: a credential for as long as it is good.
    """
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response
