"""The document as it is served: made once for each process and address."""

import gzip
from functools import lru_cache
from hashlib import sha256
from typing import Any

import msgspec
from django.conf import settings
from drf_spectacular.renderers import OpenApiYamlRenderer
from msgspec import Struct

from api.openapi.generator import Generator


class Rendered(Struct, frozen=True):
    """A document's bytes, plain and compressed. `etag` is a weak one: it is the same for both."""

    plain: bytes
    compressed: bytes
    etag: str


def read_document() -> dict[str, Any]:
    """The document as an object, which must not be changed."""
    return _document(settings.PUBLIC_URL)


def as_json() -> Rendered:
    return _as_json(settings.PUBLIC_URL)


def as_yaml() -> Rendered:
    return _as_yaml(settings.PUBLIC_URL)


# By the address, which stands in the document.
@lru_cache(1)
def _document(base_url: str) -> dict[str, Any]:
    return Generator().get_schema(public=True)


@lru_cache(1)
def _as_json(base_url: str) -> Rendered:
    return _render(msgspec.json.encode(_document(base_url)))


@lru_cache(1)
def _as_yaml(base_url: str) -> Rendered:
    return _render(OpenApiYamlRenderer().render(_document(base_url)))


def _render(content: bytes) -> Rendered:
    return Rendered(content, gzip.compress(content, mtime=0), f'W/"{sha256(content).hexdigest()[:20]}"')
