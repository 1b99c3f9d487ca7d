"""What a browser complains about, or asks a foreign host for."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, Response, WebError

# A page that is left, or a script that has asked again, ends what is under way.
ABORTED = "net::ERR_ABORTED"
# The console's own words about an answer, which is noted by itself.
FAILED_TO_LOAD = "Failed to load resource"


class Watch:
    """Notes what goes wrong in a context: console errors, exceptions, failed requests, and requests to elsewhere."""

    def __init__(self, context: BrowserContext, home: str) -> None:
        self._homes: list[str] = []
        self.home(home)
        self._faults: list[str] = []
        context.on("console", self._note_message)
        context.on("weberror", self._note_exception)
        context.on("request", self._note_request)
        context.on("requestfailed", self._note_failure)
        context.on("response", self._note_response)

    def home(self, url: str) -> None:
        """Takes the host for our own, by its address and by its name."""
        self._homes += [url, url.replace("127.0.0.1", "localhost")]

    @contextmanager
    def expecting(self, pattern: str) -> Iterator[None]:
        """Within it something goes wrong that fits the pattern, and that is right so."""
        before = len(self._faults)
        yield
        fitting = [fault for fault in self._faults[before:] if re.search(pattern, fault)]
        assert fitting, f"nothing went wrong like {pattern}: {self._faults[before:]}"
        self._faults[before:] = [fault for fault in self._faults[before:] if fault not in fitting]

    def take(self) -> list[str]:
        """What was noted since the last time."""
        faults, self._faults = self._faults, []
        return faults

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(FAILED_TO_LOAD):
            self._faults.append(f"console: {message.text} ({message.location['url']})")

    def _note_exception(self, error: WebError) -> None:
        self._faults.append(f"exception: {error.error}")

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith((*self._homes, "data:", "blob:", "about:")):
            self._faults.append(f"foreign host: {request.url}")

    def _note_failure(self, request: Request) -> None:
        if request.failure != ABORTED:
            self._faults.append(f"failed: {request.url} {request.failure}")

    def _note_response(self, response: Response) -> None:
        if response.status >= 400:
            self._faults.append(f"answer: {response.status} {response.request.method} {response.url}")
