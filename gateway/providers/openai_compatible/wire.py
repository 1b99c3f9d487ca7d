"""How OpenAI-shaped servers are asked, and what of their answers is an answer."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec
from msgspec import Struct

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.base import Deployment
from gateway.providers.http import Response, pool
from gateway.providers.openai_errors import ErrorReader

# The gateway's own extension of OpenAI's requests.
OUR_FIELDS = frozenset({"ark_stateful"})
JSON = b"application/json"
MAX_ERROR_BYTES = 256 * 1024


class FormFile(Struct, frozen=True):
    """A file in a form that is sent, under the name of its field."""

    field: str
    filename: str
    mime: str
    data: bytes


def multipart(fields: Iterable[tuple[str, Any]], files: Iterable[FormFile]) -> tuple[bytes, bytes]:
    """Content type and body of a form. A text goes as it is, other values as JSON; None is left out."""
    boundary = uuid4().hex.encode()
    part = b'--%b\r\ncontent-disposition: form-data; name="%b"'
    pieces = []
    for name, value in fields:
        if value is None:
            continue
        text = value.encode() if isinstance(value, str) else msgspec.json.encode(value)
        pieces += [part % (boundary, name.encode()), b"\r\n\r\n", text, b"\r\n"]
    for file in files:
        pieces += [
            part % (boundary, file.field.encode()),
            b'; filename="%b"\r\ncontent-type: %b\r\n\r\n' % (_quoted(file.filename), file.mime.encode()),
            file.data,
            b"\r\n",
        ]
    pieces.append(b"--%b--\r\n" % boundary)
    return b"multipart/form-data; boundary=" + boundary, b"".join(pieces)


def _quoted(filename: str) -> bytes:
    """As browsers write it: https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data"""
    escaped = filename.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    return escaped.encode(errors="replace")


@lru_cache(maxsize=64)
def _headers(api_key: str, content_type: bytes) -> tuple[tuple[bytes, bytes], ...]:
    key = ((b"authorization", b"Bearer " + api_key.encode()),) if api_key else ()
    return ((b"content-type", content_type), *key)


class Upstream(Struct, frozen=True):
    """A server that is asked at a deployment, and how it words its errors.

    `hidden`: what no message may repeat, besides the key and the address.
    """

    deployment: Deployment
    errors: ErrorReader
    hidden: tuple[str, ...] = ()

    async def send(self, path: str, content_type: bytes, body: bytes, *, patience: float = 0.0) -> Response:
        """The answer, whatever its status, as soon as its head is there. `patience`: seconds beyond the usual wait."""
        deployment = self.deployment
        return await pool().request(
            "POST",
            deployment.base_url + path,
            headers=_headers(deployment.api_key, content_type),
            body=body,
            first_byte_timeout=deployment.timeout + patience,
            idle_timeout=deployment.timeout + patience,
        )

    async def fetch(self, path: str, content_type: bytes, body: bytes, *, patience: float = 0.0) -> bytes:
        """The whole body of a 200. `patience`: seconds beyond the usual wait."""
        response = await self.send(path, content_type, body, patience=patience)
        if response.status != 200:
            raise await self.read_error(response)
        return await response.read()

    async def read_error(self, response: Response) -> ProviderError:
        """What an answer with a status other than 200 stands for."""
        try:
            body = await response.read(MAX_ERROR_BYTES)
        except ProviderError:
            body = b""  # the status still says something
        return self.errors.classify(response.status, body, response.headers, secrets=self.secrets())

    async def expect_stream(self, response: Response) -> None:
        """Raises what `response` is if it is no stream of events."""
        if response.status != 200:
            raise await self.read_error(response)
        content_type = response.headers.get(b"content-type", b"").lower()
        if content_type.startswith((b"application/json", b"text/html")):
            self.decode(await response.read())
            raise ProviderError(ProviderFault.BROKEN, "a whole answer where a stream was asked for")

    def decode(self, content: bytes) -> dict[str, Any]:
        """The JSON object of a 200, or of an event. Some servers put errors into it."""
        try:
            answer = msgspec.json.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ProviderError(ProviderFault.BROKEN, "an answer that is no JSON", status=200) from None
        if error := self.find_error(answer):
            raise error
        if not isinstance(answer, dict):
            raise ProviderError(ProviderFault.BROKEN, "an answer that is no JSON object", status=200)
        return answer

    def find_error(self, answer: Any) -> ProviderError | None:
        """The error that came with a 200, if `answer` is one."""
        return self.errors.find(answer, secrets=self.secrets())

    def secrets(self) -> list[str]:
        """What `clean` takes out of messages."""
        return [*self.deployment.secrets, urlsplit(self.deployment.base_url).netloc, *self.hidden]
