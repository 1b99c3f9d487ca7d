"""A video's events as they happen, as server-sent events: `GET /v1/video/status/{task_id}/events`.

Bare ASGI as the express lane is: thousands may listen for minutes, and one that leaves gives its slot back at once.
"""

import re
from contextlib import aclosing
from functools import partial

from api.admit import admit, authenticate
from api.errors import error_answer, to_openai
from api.express import ClientLeft, Exchange, Receive, Scope, Send, serve_unless_client_leaves
from api.headers import preflight_headers
from api.sse import COMMENT, EventStream, numbered_event
from gateway.call import Call
from gateway.events import Interrupted, find_log, follow

PATH = re.compile(r"(?:/v1)?/video/status/(?P<task_id>[^/]+)/events/?")
METHODS = "GET, OPTIONS"
_NUMBER = re.compile(r"[0-9]{1,9}")


async def task_events(scope: Scope, receive: Receive, send: Send, task_id: str) -> None:
    """Tells all events after the one that `Last-Event-ID` names, and ends after the last one of the task."""
    exchange = Exchange(scope, receive, send)
    method = scope["method"]
    if method == "OPTIONS":
        asked = exchange.header(b"access-control-request-headers")
        await exchange.answer(204, b"", preflight_headers(asked or "authorization, last-event-id", METHODS))
        return
    if method != "GET":
        refused = error_answer("method_not_allowed", f"A video's events are read with GET, not {method}.")
        await exchange.answer(refused.status, refused.body, {**refused.headers, "allow": METHODS})
        return
    try:
        exchange.admitted = await admit(exchange.header(b"authorization"), read=True)
        call = Call(exchange.admitted.caller, "/v1/video/status/{id}/events", exchange.request_id)
        log = await find_log(call.caller.user_id, task_id)
        after = _last_event_id(exchange)
        if log.is_ended and after >= log.last:
            # To a client that connects again and again this says that it has all:
            # https://html.spec.whatwg.org/multipage/server-sent-events.html#server-sent-events-intro
            await exchange.answer(204, b"", {})
        else:
            await serve_unless_client_leaves(exchange, partial(_tell, task_id=task_id, after=after), call)
    except ClientLeft:
        return
    except Exception as error:
        answer = to_openai(error, exchange.request_id)
        await exchange.answer(answer.status, answer.body, answer.headers)
    finally:
        if exchange.admitted is not None:
            exchange.admitted.admission.release()


async def _tell(exchange: Exchange, call: Call, *, task_id: str, after: int) -> None:
    stream = EventStream(exchange, dict)
    try:
        # So that the headers arrive.
        await stream.send_written(COMMENT)
        async with aclosing(follow(task_id, after)) as batches:
            async for events in batches:
                # Its key may have been revoked since.
                await authenticate(exchange.header(b"authorization"))
                if events:
                    await stream.send_written(
                        b"".join(numbered_event(event.number, event.type, event.body) for event in events)
                    )
        await stream.end(b"")
    except Interrupted:
        # The client goes on where this ends, in another process.
        await stream.end(b"")
    except Exception as error:
        await stream.fail(to_openai(error, exchange.request_id).body)
    finally:
        stream.close()


def _last_event_id(exchange: Exchange) -> int:
    """Where to go on; what is no number of ours starts the log anew."""
    number = exchange.header(b"last-event-id") or ""
    return int(number) if _NUMBER.fullmatch(number) else 0
