"""Staying on the server that holds a model's state."""

from __future__ import annotations

import uuid
from typing import Any

import httpx

from arkroute import ArkRoute
from tests.gateway import FakeGateway, Threads, answer, refusal

SESSION = "3f2b8a52-0c1e-4d6b-9a77-5d0f6f1c2e34"
COOKIE = f"ark_session_id={SESSION}; Max-Age=86400; Path=/; SameSite=lax; HttpOnly"
CHAT: dict[str, Any] = {"model": "m", "messages": []}


def opened() -> httpx.Response:
    return answer({"choices": []}, set_cookie=COOKIE, x_arkroute_session_state="new")


def kept() -> httpx.Response:
    return answer({"choices": []}, x_arkroute_session_state="hit")


def test_a_client_alone_is_in_no_session_though_its_jar_has_the_cookie() -> None:
    gateway = FakeGateway(opened())
    theirs = httpx.Client(transport=gateway, cookies={"balancer": "b7"})
    client = ArkRoute("ark-1", http_client=theirs)
    client.chat.completions.create(**CHAT)
    client.chat.completions.create(**CHAT)
    assert theirs.cookies["ark_session_id"] == SESSION
    assert {request.headers["cookie"] for request in gateway.requests} == {"balancer=b7"}
    client.session(SESSION).chat.completions.create(**CHAT)
    assert gateway.requests[-1].headers["cookie"] == f"balancer=b7; ark_session_id={SESSION}"


def test_a_cookie_of_the_callers_own_is_sent_as_it_is(do: Threads) -> None:
    gateway = FakeGateway(kept())
    own = {"Cookie": "ark_session_id=mine"}
    do(gateway, lambda client: client.chat.completions.create(**CHAT, extra_headers=own))
    assert gateway.request.headers["cookie"] == "ark_session_id=mine"


def test_a_session_sends_its_cookie_back_with_all_its_calls() -> None:
    gateway = FakeGateway(opened(), kept())
    client = gateway.client()
    session = client.session()
    assert (session.id, session.state) == (None, None)
    session.chat.completions.create(**CHAT)
    assert (session.id, session.state) == (SESSION, "new")
    session.chat.completions.create(**CHAT)
    session.embeddings.create(model="m", input="a")
    session.audio.transcriptions.create(model="m", file=b"flac")
    client.embeddings.create(model="m", input="a")
    assert session.state == "hit"
    cookies = [request.headers.get("cookie") for request in gateway.requests]
    assert cookies == [None, *[f"ark_session_id={SESSION}"] * 3, None]


def test_two_sessions_of_one_client_are_apart() -> None:
    gateway = FakeGateway(opened(), kept())
    client = gateway.client()
    one, other = client.session(), client.session()
    one.chat.completions.create(**CHAT)
    other.chat.completions.create(**CHAT)
    assert "cookie" not in gateway.requests[1].headers
    assert (one.id, other.id) == (SESSION, None)


def test_a_stateful_session_names_its_conversation_from_the_first_turn_on() -> None:
    gateway = FakeGateway(opened(), kept())
    session = gateway.client().session(stateful=True)
    assert str(uuid.UUID(session.id)) == session.id
    session.chat.completions.create(**CHAT)
    session.chat.completions.create(**CHAT)
    for request in gateway.requests:
        assert f'"ark_stateful":"{session.id}"'.encode() in request.content


def test_an_earlier_session_is_taken_up_again() -> None:
    gateway = FakeGateway(kept())
    gateway.client().session(SESSION).chat.completions.create(**CHAT)
    assert gateway.request.headers["cookie"] == f"ark_session_id={SESSION}"
    assert "ark_stateful" not in gateway.sent


def test_leaving_the_block_forgets_the_session() -> None:
    gateway = FakeGateway(opened(), answer({"deleted": True}))
    with gateway.client().session() as session:
        session.chat.completions.create(**CHAT)
    assert (gateway.requests[-1].method, gateway.requests[-1].url.path) == ("DELETE", f"/v1/sessions/{SESSION}")


def test_a_session_that_is_gone_or_never_began_is_no_error() -> None:
    gateway = FakeGateway(refusal(404, "session_not_found"))
    with gateway.client().session(SESSION):
        pass
    with gateway.client().session():
        pass
    assert len(gateway.requests) == 1


async def test_the_same_in_asyncio() -> None:
    gateway = FakeGateway(opened(), kept(), answer({"deleted": True}))
    client = gateway.async_client()
    async with client.session(stateful=True) as session:
        await session.chat.completions.create(**CHAT)
        assert session.state == "new"
        await session.embeddings.create(model="m", input="a")
    assert gateway.requests[1].headers["cookie"] == f"ark_session_id={SESSION}"
    assert gateway.requests[2].url.path == f"/v1/sessions/{session.id}"
    async with client.session():
        pass
    assert len(gateway.requests) == 3
