"""Errors with codes of a vendor's own: a table says what they stand for, and the rest is read as OpenAI's are."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.openai_errors import ErrorReader, classify_error, classify_of_vendor, of_vendor, read_retry_after

# The codes of an answer that is none of an error's.
_GOOD = frozenset({"", "0", "200", "none"})


class VendorErrors(Struct, frozen=True):
    """Reads `{"error": {"code", "message", …}}` and `{"code", "message", …}`, with codes in words or numbers.

    `faults`: patterns of whole codes and what they stand for, the first that fits; they are held against the code in
    lower case and without underscores, for some vendors spell theirs in two ways. `context_length`: what the message
    of a bad request says where the request is too long.
    """

    faults: tuple[tuple[str, ProviderFault], ...]
    context_length: str = ""

    @property
    def reader(self) -> ErrorReader:
        return ErrorReader(self.classify, self.find)

    def classify(
        self, status: int, body: bytes, headers: Mapping[bytes, bytes], *, secrets: Sequence[str] = ()
    ) -> ProviderError:
        """The error that an answer with a status other than 200 stands for."""
        try:
            answer = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return classify_of_vendor(status, body, headers, secrets=secrets)
        return self.read(answer, status, retry_after=read_retry_after(headers), secrets=secrets)

    def find(self, answer: Any, *, secrets: Sequence[str] = ()) -> ProviderError | None:
        """The error that came with a 200, if `answer` is one."""
        if isinstance(answer, dict) and (answer.get("error") or _code(answer) not in _GOOD):
            return self.read(answer, secrets=secrets)
        return None

    def read(
        self, answer: Any, status: int | None = None, *, retry_after: float | None = None, secrets: Sequence[str] = ()
    ) -> ProviderError:
        """The error that a JSON answer describes; without a `status` by its code alone."""
        error = of_vendor(classify_error(answer, status, retry_after=retry_after, secrets=secrets), answer)
        code = _code(answer)
        kind = next((fault for pattern, fault in self.faults if re.fullmatch(pattern, code)), error.kind)
        if kind is ProviderFault.BAD_REQUEST and self._says_too_long(error.message):
            kind = ProviderFault.CONTEXT_LENGTH
        return ProviderError(kind, error.message, status=error.status, retry_after=retry_after, param=error.param)

    def _says_too_long(self, message: str) -> bool:
        return bool(self.context_length and re.search(self.context_length, message, re.IGNORECASE))


def _code(answer: Any) -> str:
    if not isinstance(answer, dict):
        return ""
    error = answer.get("error")
    code = error.get("code") if isinstance(error, dict) else answer.get("code")
    return str(code).lower().replace("_", "")
