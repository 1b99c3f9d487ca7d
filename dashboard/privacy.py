"""Pages made for somebody are kept by no cache."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import add_never_cache_headers
from django.utils.deprecation import MiddlewareMixin


class PrivatePages(MiddlewareMixin):
    """Of those who are signed in, all pages say so, also those that everybody may see: their header tells a balance."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        # Where nothing looked into the session, nothing of its owner's is on the page.
        if request.session.accessed and request.user.is_authenticated and "Cache-Control" not in response.headers:
            add_never_cache_headers(response)
        return response
