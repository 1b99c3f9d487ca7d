"""The session's cookie.

An HTTP client keeps all cookies in one jar. Requests of one session all go to one server, so calls that belong to none
must not send the cookie of another's.
"""

from __future__ import annotations

import re

import httpx

NAME = "ark_session_id"
STATE = "x-arkroute-session-state"
_COOKIE = re.compile(rf"\s*{NAME}=\"?([^;,\"\s]+)")


class SessionCookie:
    """What a session remembers between its calls: its id, and what became of it last."""

    def __init__(self, session_id: str | None = None) -> None:
        self.id = session_id
        self.state: str | None = None

    def note(self, response: httpx.Response) -> None:
        """Takes the id of a new session, and the state, from an answer."""
        for value in response.headers.get_list("set-cookie"):
            if found := _COOKIE.match(value):
                self.id = found.group(1)
        self.state = response.headers.get(STATE, self.state)


def put_session(request: httpx.Request, session_id: str | None) -> None:
    """Makes `request` one of this session, or of none, whatever the jar had put in. Other cookies stay."""
    sent = request.headers.get("cookie", "").split("; ")
    pairs = [pair for pair in sent if pair and not pair.startswith(f"{NAME}=")]
    if session_id is not None:
        pairs.append(f"{NAME}={session_id}")
    if pairs:
        request.headers["cookie"] = "; ".join(pairs)
    else:
        request.headers.pop("cookie", None)
