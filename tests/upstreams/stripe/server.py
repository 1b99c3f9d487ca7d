"""The server: who may ask, what was asked before under the same key, and what goes wrong."""

import asyncio
from dataclasses import dataclass
from typing import Any

from tests.upstreams.server import FakeServer, Faults, Recorded, Refusal, head, write
from tests.upstreams.stripe import api, pages
from tests.upstreams.stripe.account import API_VERSION, Account
from tests.upstreams.stripe.control import Control, Trouble
from tests.upstreams.stripe.errors import RequestRefused, body

KEY_LENGTH = 255
KEY_KEPT = 24 * 3600


@dataclass
class Saved:
    """What was answered under an idempotency key; `status` is 0 while that is not known yet."""

    path: str
    fields: dict[str, str]
    at: int
    status: int = 0
    answer: Any = None


class FakeStripe(Control, FakeServer[Faults]):
    """A context manager. `test_key` and `live_key` are the keys that it takes, each for a mode of its own."""

    def __init__(self, *, test_key: str = "sk_test_of_the_fake", live_key: str = "sk_live_of_the_fake") -> None:
        Control.__init__(self)
        FakeServer.__init__(self, Faults())
        self.test_key, self.live_key = test_key, live_key
        self.test, self.live = (
            Account(livemode=livemode, origin=lambda: self.origin, on_event=self.webhooks.add)
            for livemode in (False, True)
        )
        self.test.other, self.live.other = self.live, self.test
        self._saved: dict[tuple[bool, str], Saved] = {}
        self._request_ids = 0

    def fault_error(self, behaviour: Faults) -> dict[str, Any]:
        return body(behaviour.message, code=behaviour.code, kind=behaviour.error_type or "api_error")

    def prompt(self, recorded: Recorded) -> str:
        return ""

    async def route(self, recorded: Recorded, behaviour: Faults, writer: asyncio.StreamWriter) -> bool:
        if not recorded.path.startswith("/v1/"):
            return await self._answer_page(recorded, writer)
        trouble = self._find_trouble(recorded)
        if trouble is not None and trouble.cut == "before":
            return False
        self._request_ids += 1
        headers = {"request-id": f"req_{self._request_ids:014}", "stripe-version": API_VERSION}
        if trouble is not None and trouble.status:
            write(writer, trouble.status, _trouble_error(trouble.status), headers)
            return True
        status, answer = await self._answer_call(recorded, headers)
        if trouble is not None:
            if trouble.hang:
                await asyncio.sleep(3600)
            return False
        if status == 200:
            return await self.answer(writer, behaviour, answer, headers=headers)
        write(writer, status, answer, headers)
        return True

    async def _answer_call(self, recorded: Recorded, headers: dict[str, str]) -> tuple[int, Any]:
        key = recorded.headers.get("idempotency-key", "") if recorded.method == "POST" else ""
        with self.lock:
            try:
                account = self._authenticate(recorded)
                saved = self._find_saved(account, recorded, key)
            except Refusal as refusal:
                return refusal.status, refusal.body
            if saved is not None:
                headers["idempotent-replayed"] = "true"
                return saved.status, saved.answer
            status, answer, keep = self._execute(account, recorded, key, headers["request-id"])
            if key:
                self._saved[account.livemode, key] = Saved(recorded.path, recorded.body, account.now)
        # Whoever hears of it now hears of it before the answer, and finds the request in flight.
        await asyncio.to_thread(self.webhooks.after_change)
        if key:
            with self.lock:
                if keep:
                    kept = self._saved[account.livemode, key]
                    kept.status, kept.answer = status, answer
                else:
                    del self._saved[account.livemode, key]
        return status, answer

    def _execute(self, account: Account, recorded: Recorded, key: str, request_id: str) -> tuple[int, Any, bool]:
        """Status and answer, and whether they are the answer for good."""
        account.request = {"id": request_id, "idempotency_key": key or None}
        try:
            fields = recorded.body if recorded.method == "POST" else recorded.query
            return 200, api.read_call(recorded.method, recorded.path, fields).run(account), True
        except Refusal as refusal:
            return refusal.status, refusal.body, not isinstance(refusal, RequestRefused)
        finally:
            account.request = {"id": None, "idempotency_key": None}

    def _authenticate(self, recorded: Recorded) -> Account:
        kind, _, key = recorded.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not key:
            raise RequestRefused(401, body("You did not provide an API key."))
        if key not in (self.test_key, self.live_key):
            raise RequestRefused(401, body(f"Invalid API Key provided: {key[:8]}****{key[-4:]}"))
        version = recorded.headers.get("stripe-version", API_VERSION)
        if version != API_VERSION:
            raise RequestRefused(400, body(f"Invalid Stripe API version: {version}"))
        kind = recorded.headers.get("content-type", "application/x-www-form-urlencoded")
        if recorded.method == "POST" and not kind.startswith("application/x-www-form-urlencoded"):
            raise RequestRefused(400, body(f"Invalid request: unsupported content type {kind}"))
        return self.test if key == self.test_key else self.live

    def _find_saved(self, account: Account, recorded: Recorded, key: str) -> Saved | None:
        """https://docs.stripe.com/api/idempotent_requests"""
        if len(key) > KEY_LENGTH:
            raise RequestRefused(400, body(f"Idempotency keys can be {KEY_LENGTH} characters long at most."))
        saved = self._saved.get((account.livemode, key))
        if saved is None or saved.at + KEY_KEPT <= account.now:
            return None
        other = f"Try using a key other than '{key}' if you meant to execute a different request."
        if saved.path != recorded.path:
            message = (
                "Keys for idempotent requests can only be used for the same endpoint they were first used for "
                f"('{recorded.path}' vs '{saved.path}'). {other}"
            )
            raise RequestRefused(400, body(message, kind="idempotency_error"))
        if saved.fields != recorded.body:
            message = (
                "Keys for idempotent requests can only be used with the same parameters they were first used with. "
            )
            raise RequestRefused(400, body(message + other, kind="idempotency_error"))
        if not saved.status:
            message = (
                "There is currently another in-progress request using this Idempotent Key (that probably means you "
                "submitted twice, and the other request is still going through)."
            )
            raise RequestRefused(409, body(message, code="idempotency_key_in_use", kind="idempotency_error"))
        return saved

    def _find_trouble(self, recorded: Recorded) -> Trouble | None:
        request = f"{recorded.method} {recorded.path}"
        for trouble in self.troubles:
            if trouble.path in request:
                trouble.times -= 1
                if not trouble.times:
                    self.troubles.remove(trouble)
                return trouble
        return None

    async def _answer_page(self, recorded: Recorded, writer: asyncio.StreamWriter) -> bool:
        parts = recorded.path.split("/")
        with self.lock:
            known = [one for one in (self.test, self.live) if one.objects.keys() & set(parts)]
            page = pages.show(known[0], recorded.method, recorded.path, recorded.body) if known else pages.NOTHING
        await asyncio.to_thread(self.webhooks.after_change)
        content = page.html.encode()
        headers = {"location": page.location} if page.location else {}
        writer.write(head(page.status, len(content), "text/html; charset=utf-8", headers) + content)
        return True


def _trouble_error(status: int) -> dict[str, Any]:
    if status == 429:
        return body("Too many requests hit the API too quickly.", code="rate_limit")
    return body("An unknown error occurred.", kind="api_error")
