"""A caller's sessions: what is kept, and forgetting it."""

from typing import Any

from django.conf import settings

from gateway.call import Call
from gateway.errors import Overloaded, SessionNotFound
from gateway.sessions import current_store
from gateway.sessions.store import Session, StoreUnavailable


async def list_sessions(call: Call) -> dict[str, Any]:
    """The caller's sessions that have not ended, as OpenAI's list, the one used last first."""
    sessions: list[Session] = []
    if settings.SESSIONS_ENABLED:
        try:
            sessions = await current_store().list(call.caller.user_id)
        except StoreUnavailable as error:
            raise _out_of_reach() from error
    return {"object": "list", "data": [_describe(session) for session in sessions], "has_more": False}


async def delete_session(call: Call, session_id: str) -> dict[str, Any]:
    """Forgets where the session's state lies, and its conversation; what a turn under way would add, too.

    Raises `SessionNotFound`, in the same words for an unknown id, another user's, and a session that has ended.
    """
    session_id = session_id.lower()
    removed = False
    if settings.SESSIONS_ENABLED:
        try:
            removed = await current_store().remove(call.caller.user_id, session_id)
        except StoreUnavailable as error:
            raise _out_of_reach() from error
    if not removed:
        raise SessionNotFound("You have no such session. GET /v1/sessions lists those that have not ended.")
    return {"id": session_id, "object": "session", "deleted": True}


def _describe(session: Session) -> dict[str, Any]:
    """Times are Unix seconds; `messages` counts those that are kept for `ark_stateful`."""
    return {
        "id": session.id,
        "object": "session",
        "created_at": int(session.created),
        "last_used_at": int(session.used),
        "expires_at": int(session.used + settings.SESSION_IDLE_SECONDS),
        "model": session.model,
        "messages": session.messages,
    }


def _out_of_reach() -> Overloaded:
    return Overloaded("The sessions cannot be reached. Try again.")
