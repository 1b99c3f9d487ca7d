"""The session's cookie: `ark_session_id=<uuid>; Max-Age=86400; Path=/; SameSite=lax; HttpOnly`."""

import re

from django.conf import settings

from gateway.call import SessionNote

NAME = "ark_session_id"
MAX_AGE = 86_400  # seconds
# As `uuid.UUID` writes it. A cookie of any other shape is none of ours.
_COOKIE = re.compile(rf"(?:^|;)\s*{NAME}=\"?([0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}})\"?\s*(?:;|$)")


def read_session_id(cookies: str | None) -> str:
    """The session that a `Cookie` header names; empty where it names none, or sessions are turned off."""
    if not cookies or not settings.SESSIONS_ENABLED:
        return ""
    found = _COOKIE.search(cookies)
    return found.group(1) if found else ""


def session_headers(session: SessionNote) -> dict[str, str]:
    """What an answer says of its session; the cookie only where it is new or another one."""
    headers = {"x-arkroute-session-state": session.state}
    if session.is_new:
        secure = "; Secure" if settings.PUBLIC_URL.startswith("https://") else ""
        headers["set-cookie"] = f"{NAME}={session.id}; Max-Age={MAX_AGE}; Path=/; SameSite=lax; HttpOnly{secure}"
    return headers
