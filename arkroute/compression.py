"""What browsers are sent is compressed where that pays: pages, style sheets, scripts.

Answers of the API are not: they end in `api.middleware`, before pages begin.
"""

import gzip
import re
from functools import lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware, re_accepts_gzip
from django.utils.cache import patch_vary_headers
from whitenoise.middleware import WhiteNoiseMiddleware

TEXT = re.compile(r"text/|application/(atom\+xml|javascript|json)|image/svg\+xml")
# Shorter ones would hardly shrink.
LEAST_BYTES = 200


class CompressPages(GZipMiddleware):
    """Pages, and what else is text. Pictures and clips are compressed already, and ranges of them count their bytes.

    Secrets in pages are safe from BREACH (https://breachattack.com): Django masks its CSRF tokens anew each time, and
    this middleware makes the length of each answer random.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        return super().process_response(request, response) if _is_text(response) else response


class StaticFiles(WhiteNoiseMiddleware):
    """WhiteNoise, reading files where they lie, with nothing collected first: each is compressed once in each process.

    A file is answered in one piece: of an open one ASGI would have to read each piece in a thread, and Django warns of
    it.
    """

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:
        found = static_file.get_response(request.method, request.META)
        content = b""
        if found.file is not None:
            with found.file as file:
                content = file.read()
        response = HttpResponse(content, status=int(found.status), headers=dict(found.headers))
        if found.status != 200 or not _is_text(response) or len(content) < LEAST_BYTES:
            return response
        patch_vary_headers(response, ("Accept-Encoding",))
        if re_accepts_gzip.search(request.headers.get("accept-encoding", "")):
            response.content = _compressed(content)
            response.headers["Content-Encoding"] = "gzip"
            response.headers["Content-Length"] = str(len(response.content))
        return response


# A few hundred files, the admin's among them.
@lru_cache(1024)
def _compressed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def _is_text(response: HttpResponseBase) -> bool:
    return TEXT.match(response.headers.get("Content-Type", "")) is not None
