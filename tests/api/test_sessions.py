"""Sessions over a pool of three replicas: who stays where, what a client is told, and whose session it is."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest

from api import sse
from billing.models import Hold
from gateway import sessions
from gateway.pools import find_pool
from gateway.sessions import shared
from tests.services import redis_url
from tests.upstreams.pool import CHAT_MODEL, EMBEDDING_MODEL, pool_of_three
from tests.upstreams.replica import FakeReplica

# The documentation's "Stateful processing", word for word.
DOCUMENTED = "set-cookie: ark_session_id=${SESSION_UUID}; Max-Age=86400; Path=/; SameSite=lax"
UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
STATE = "x-arkroute-session-state"


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest, settings, monkeypatch) -> str:
    settings.REDIS_URL = redis_url() if request.param == "redis" else ""
    # A machine with much to do is no outage.
    monkeypatch.setattr(shared, "TIMEOUT_SECONDS", 10)
    return request.param


@pytest.fixture
def replicas(settings) -> Iterator[list[FakeReplica]]:
    with pool_of_three(settings) as replicas:
        yield replicas


@pytest.fixture
def alice(make_person):
    return make_person("alice@example.com", requests_per_minute=100_000)


@pytest.fixture
def bob(make_person):
    return make_person("bob@example.com", requests_per_minute=100_000)


class Client:
    """A client that keeps cookies. `turns` are what it was told: replica and state."""

    def __init__(self, url: str, person, cookies: dict[str, str] | None = None) -> None:
        self.http = httpx.Client(base_url=url, headers=person.headers, cookies=cookies, timeout=30)
        self.turns: list[tuple[str, str]] = []

    def ask(self, text: str = "Hello!", **fields: Any) -> httpx.Response:
        body = {"model": CHAT_MODEL, "messages": [{"role": "user", "content": text}], **fields}
        response = self.http.post("/v1/chat/completions", json=body)
        assert response.status_code == 200, response.text
        replica = re.search(r"replica (\w) answers", response.json()["choices"][0]["message"]["content"])
        self.turns.append((replica[1], response.headers[STATE]))
        return response

    @property
    def session_id(self) -> str:
        return self.http.cookies["ark_session_id"]

    @property
    def homes(self) -> set[str]:
        return {replica for replica, _ in self.turns}

    @property
    def states(self) -> list[str]:
        return [state for _, state in self.turns]


@pytest.fixture
def make_client(gateway_url) -> Iterator[Any]:
    clients: list[Client] = []

    def make(person, **options: Any) -> Client:
        clients.append(Client(gateway_url, person, **options))
        return clients[-1]

    yield make
    for client in clients:
        client.http.close()


def all_ask(clients: list[Client], turns: int = 1) -> None:
    """Every client, eight of them at a time."""

    def ask(client: Client) -> None:
        for _ in range(turns):
            client.ask()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(ask, clients))


def replica_named(replicas: list[FakeReplica], name: str) -> FakeReplica:
    return next(replica for replica in replicas if replica.name == name)


# --- Where a session is ----------------------------------------------------------------------------------------------


def test_two_hundred_turns_of_fifty_sessions_never_leave_their_replica(store, alice, replicas, make_client) -> None:
    clients = [make_client(alice) for _ in range(50)]
    all_ask(clients, turns=4)
    assert [client.states for client in clients] == [["new", "hit", "hit", "hit"]] * 50
    assert all(len(client.homes) == 1 for client in clients)
    homes = Counter(client.turns[0][0] for client in clients)
    assert len(homes) == 3
    assert {replica.name: replica.chats for replica in replicas} == {name: 4 * count for name, count in homes.items()}


@pytest.mark.parametrize("end", ["killed", "drained"])
def test_only_the_sessions_of_a_replica_that_is_gone_move_and_once(store, alice, replicas, make_client, end) -> None:
    clients = [make_client(alice) for _ in range(24)]
    all_ask(clients, turns=2)
    gone = clients[0].turns[0][0]
    dead = replica_named(replicas, gone)
    if end == "killed":
        dead.kill()
    else:
        pool = find_pool("gpus")
        assert pool is not None
        next(one for one in pool.replicas if one.url == dead.base_url).draining = True
    asked_before, cookies = dead.chats, [client.session_id for client in clients]
    all_ask(clients, turns=2)
    for client in clients:
        moved = client.turns[0][0] == gone
        assert client.states == ["new", "hit", *(["moved", "hit"] if moved else ["hit", "hit"])]
        assert gone not in (client.turns[2][0], client.turns[3][0])
        assert client.turns[2][0] == client.turns[3][0]
        assert moved or len(client.homes) == 1
    assert dead.chats == asked_before
    # A session that moves is the same session.
    assert [client.session_id for client in clients] == cookies


def test_a_session_stays_where_it_moved_to_when_its_first_replica_is_back(alice, replicas, make_client) -> None:
    client = make_client(alice)
    client.ask()
    first = replica_named(replicas, client.turns[0][0])
    first.kill()
    client.ask()
    first.start_again()
    client.ask()
    assert client.states == ["new", "moved", "hit"]
    assert client.turns[2][0] == client.turns[1][0] != first.name


def test_sessions_outlive_the_process_where_redis_keeps_them(alice, replicas, make_client, settings) -> None:
    settings.REDIS_URL = redis_url()
    client = make_client(alice)
    client.ask("My name is Ada.", ark_stateful=True)
    sessions._shared.clear()  # what a process knows of them
    client.ask("What is my name?", ark_stateful=True)
    assert client.states == ["new", "hit"]
    assert len(client.homes) == 1
    sent = replica_named(replicas, client.turns[0][0]).chat_bodies[-1]["messages"]
    assert [message["content"] for message in sent][::2] == ["My name is Ada.", "What is my name?"]


def test_embeddings_have_a_session_too(http, alice, replicas) -> None:
    """The same cookie holds for all models of a pool."""
    body = {"model": EMBEDDING_MODEL, "input": "Hello!"}
    first = http.post("/v1/embeddings", json=body, headers=alice.headers)
    assert (first.status_code, first.headers[STATE]) == (200, "new"), first.text
    for _ in range(5):
        again = http.post("/v1/embeddings", json=body, headers=alice.headers)
        assert again.headers[STATE] == "hit"
        assert "set-cookie" not in again.headers
    assert sorted(len(replica.requests) - len(replica.asked) for replica in replicas) == [0, 0, 6]


def test_ark_stateful_means_nothing_to_embeddings(http, alice, replicas) -> None:
    body = {"model": EMBEDDING_MODEL, "input": "Hello!", "ark_stateful": UNKNOWN}
    response = http.post("/v1/embeddings", json=body, headers=alice.headers)
    assert (response.status_code, response.headers[STATE]) == (200, "new"), response.text
    assert UNKNOWN not in response.headers["set-cookie"]


def test_the_openai_client_keeps_its_replica_over_turns_and_streams(gateway_url, alice, replicas) -> None:
    """Its HTTP client keeps cookies by itself."""
    with openai.OpenAI(api_key=alice.key, base_url=f"{gateway_url}/v1", max_retries=0) as client:
        replies = []
        for turn in range(6):
            messages = [{"role": "user", "content": f"Turn {turn}"}]
            if turn % 2:
                chunks = client.chat.completions.create(model=CHAT_MODEL, messages=messages, stream=True)
                replies.append("".join(chunk.choices[0].delta.content or "" for chunk in chunks))
            else:
                answer = client.chat.completions.create(model=CHAT_MODEL, messages=messages)
                replies.append(answer.choices[0].message.content)
    assert len(set(replies)) == 1
    assert sorted(replica.chats for replica in replicas) == [0, 0, 6]


# --- The cookie ------------------------------------------------------------------------------------------------------


def post(http: httpx.Client, person, cookie: str = "", **fields: Any) -> httpx.Response:
    """A chat with the cookies that are given alone."""
    http.cookies.clear()
    body = {"model": CHAT_MODEL, "messages": [{"role": "user", "content": "Hello!"}], **fields}
    headers = {**person.headers, **({"cookie": cookie} if cookie else {})}
    response = http.post("/v1/chat/completions", json=body, headers=headers)
    assert response.status_code == 200, response.text
    return response


@pytest.mark.parametrize("streamed", [False, True])
def test_the_documented_cookie_opens_a_session_and_sent_back_reuses_it(http, alice, replicas, streamed) -> None:
    first = post(http, alice, stream=streamed)
    cookie = first.headers["set-cookie"]
    session_id = re.match(f"ark_session_id=({UUID});", cookie)[1]
    assert f"set-cookie: {cookie}".startswith(DOCUMENTED.replace("${SESSION_UUID}", session_id))
    assert cookie == f"ark_session_id={session_id}; Max-Age=86400; Path=/; SameSite=lax; HttpOnly"
    assert first.headers[STATE] == "new"
    second = post(http, alice, f"ark_session_id={session_id}", stream=streamed)
    assert second.headers[STATE] == "hit"
    assert "set-cookie" not in second.headers
    assert sorted(replica.chats for replica in replicas) == [0, 0, 2]


def test_a_stream_that_must_speak_before_its_replica_does_tells_of_the_session(
    http, alice, replicas, monkeypatch
) -> None:
    """Clients whose prompts take long to read have most to gain by it."""
    monkeypatch.setattr(sse, "KEEP_ALIVE", 0.2)
    slow = [{"role": "user", "content": "upstream:delay=0.5"}]
    first = post(http, alice, messages=slow, stream=True)
    assert first.text.startswith(": keep-alive\n\n")
    assert first.headers[STATE] == "new"
    second = post(http, alice, first.headers["set-cookie"].partition(";")[0], messages=slow, stream=True)
    assert second.headers[STATE] == "hit"
    assert "set-cookie" not in second.headers


def test_under_tls_the_cookie_is_secure(http, alice, replicas, settings) -> None:
    settings.PUBLIC_URL = "https://ark.example.com"
    assert post(http, alice).headers["set-cookie"].endswith("; SameSite=lax; HttpOnly; Secure")


def test_a_page_may_read_the_state_and_no_cookie_is_asked_of_it(http, alice, replicas) -> None:
    headers = {**alice.headers, "origin": "https://page.example"}
    body = {"model": CHAT_MODEL, "messages": [{"role": "user", "content": "Hello!"}]}
    response = http.post("/v1/chat/completions", json=body, headers=headers)
    assert STATE in response.headers["access-control-expose-headers"].split(", ")
    assert "access-control-allow-credentials" not in response.headers


def test_a_cookie_that_is_none_of_ours_is_replaced(http, alice, replicas) -> None:
    for cookie in (
        "ark_session_id=",
        "ark_session_id=../../etc/passwd",
        f"ark_session_id={UNKNOWN}x",
        f"ark_session_id={UNKNOWN}",
        f"not_ark_session_id={UNKNOWN}",
        f"ark_session_id={'A' * 2000}",
        "ark_session_id=%0d%0aset-cookie:a=b",
    ):
        response = post(http, alice, cookie)
        assert response.headers[STATE] == "new", cookie
        assert UNKNOWN not in response.headers["set-cookie"]


def test_our_cookie_is_found_among_others(http, alice, replicas) -> None:
    first = post(http, alice)
    ours = first.headers["set-cookie"].partition(";")[0]
    assert post(http, alice, f"theme=dark; {ours}; lang=en").headers[STATE] == "hit"


def test_errors_and_other_models_say_nothing_of_sessions(http, alice, replicas) -> None:
    ours = post(http, alice).headers["set-cookie"].partition(";")[0]
    other = http.post(
        "/v1/chat/completions",
        json={"model": "sandbox-chat", "messages": [{"role": "user", "content": "Hello!"}]},
        headers={**alice.headers, "cookie": ours},
    )
    assert other.status_code == 200
    failed = http.post(
        "/v1/chat/completions",
        json={"model": CHAT_MODEL, "messages": [{"role": "user", "content": "upstream:status=400"}]},
        headers={**alice.headers, "cookie": ours},
    )
    assert failed.status_code == 422, failed.text
    for response in (other, failed):
        assert STATE not in response.headers
        assert "set-cookie" not in response.headers


def test_an_idle_session_expires(alice, replicas, make_client, settings) -> None:
    settings.SESSION_IDLE_SECONDS = 0.1
    client = make_client(alice)
    client.ask("My name is Ada.", ark_stateful=True)
    ended = client.session_id
    time.sleep(0.15)
    client.ask("What is my name?", ark_stateful=True)
    assert client.states == ["new", "expired"]
    assert client.session_id != ended
    # With the session ended what was said in it.
    sent = replica_named(replicas, client.turns[1][0]).chat_bodies[-1]["messages"]
    assert sent == [{"role": "user", "content": "What is my name?"}]


def test_off_means_off(http, alice, replicas, settings) -> None:
    ours = post(http, alice).headers["set-cookie"].partition(";")[0]
    settings.SESSIONS_ENABLED = False
    answers = [post(http, alice, ours, stream=streamed) for streamed in (False, True) for _ in range(6)]
    for response in answers:
        assert STATE not in response.headers
        assert "set-cookie" not in response.headers
    # Nor is the cookie followed.
    assert sum(replica.chats > 0 for replica in replicas) > 1
    body = {"model": CHAT_MODEL, "messages": [{"role": "user", "content": "Hello!"}], "ark_stateful": True}
    refused = http.post("/v1/chat/completions", json=body, headers=alice.headers)
    assert refused.status_code == 422
    assert refused.json()["error"]["param"] == "ark_stateful"
    assert "turned off" in refused.json()["error"]["message"]
    assert http.get("/v1/sessions", headers=alice.headers).json() == {"object": "list", "data": [], "has_more": False}
    session_id = ours.partition("=")[2]
    assert http.delete(f"/v1/sessions/{session_id}", headers=alice.headers).status_code == 404


# --- Whose a session is ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stateful", [False, True])
def test_a_stolen_cookie_reads_nothing_with_another_users_key(
    store, alice, bob, replicas, make_client, stateful
) -> None:
    victim = make_client(alice)
    victim.ask("My PIN is 4711.", ark_stateful=True)
    thief = make_client(bob, cookies={"ark_session_id": victim.session_id})
    fields = {"ark_stateful": True} if stateful else {}
    response = thief.ask("What is my PIN?", **fields)
    assert response.headers[STATE] == "new"
    assert victim.session_id not in response.headers["set-cookie"]
    sent = replica_named(replicas, thief.turns[0][0]).chat_bodies[-1]["messages"]
    assert sent == [{"role": "user", "content": "What is my PIN?"}]
    # The victim notices nothing.
    victim.ask("Go on.", ark_stateful=True)
    assert victim.states == ["new", "hit"]
    assert len(replica_named(replicas, victim.turns[1][0]).chat_bodies[-1]["messages"]) == 3


def test_the_same_id_of_two_users_is_two_sessions(alice, bob, replicas, make_client) -> None:
    name = "5f0c1c52-6d7a-4f0e-9d0e-3c1f4f5f9d11"
    for person in (alice, bob):
        client = make_client(person)
        client.ask(f"I am {person.user.email}.", ark_stateful=name)
        assert client.states == ["new"]
        sent = replica_named(replicas, client.turns[0][0]).chat_bodies[-1]["messages"]
        assert sent == [{"role": "user", "content": f"I am {person.user.email}."}]


# --- GET /v1/sessions, DELETE /v1/sessions/{id} ----------------------------------------------------------------------


def test_everybody_lists_their_own_sessions_the_one_used_last_first(http, alice, bob, replicas, make_client) -> None:
    before = int(time.time())
    older, newer, other = make_client(alice), make_client(alice), make_client(bob)
    for client in (older, newer, other):
        client.ask()
    older.ask("Hello!", ark_stateful=True)
    listed = http.get("/v1/sessions", headers=alice.headers).json()
    assert (listed["object"], listed["has_more"]) == ("list", False)
    assert [one["id"] for one in listed["data"]] == [older.session_id, newer.session_id]
    first = listed["data"][0]
    assert set(first) == {"id", "object", "created_at", "last_used_at", "expires_at", "model", "messages"}
    assert (first["object"], first["model"], first["messages"]) == ("session", CHAT_MODEL, 2)
    assert listed["data"][1]["messages"] == 0
    assert before <= first["created_at"] <= first["last_used_at"] <= time.time()
    assert first["expires_at"] - first["last_used_at"] in (1800, 1801)
    assert all(type(first[name]) is int for name in ("created_at", "last_used_at", "expires_at"))
    assert [one["id"] for one in http.get("/sessions/", headers=bob.headers).json()["data"]] == [other.session_id]


def test_a_deleted_session_is_forgotten_with_all_that_was_said(store, http, alice, replicas, make_client) -> None:
    client = make_client(alice)
    client.ask("My PIN is 4711.", ark_stateful=True)
    deleted = http.delete(f"/v1/sessions/{client.session_id}", headers=alice.headers)
    assert deleted.json() == {"id": client.session_id, "object": "session", "deleted": True}
    assert http.get("/v1/sessions", headers=alice.headers).json()["data"] == []
    response = client.ask("What is my PIN?", ark_stateful=True)
    assert response.headers[STATE] == "new"
    sent = replica_named(replicas, client.turns[1][0]).chat_bodies[-1]["messages"]
    assert sent == [{"role": "user", "content": "What is my PIN?"}]


def test_unknown_foreign_and_ended_sessions_are_the_same_404(http, alice, bob, replicas, make_client, settings) -> None:
    foreign, ended = make_client(bob), make_client(alice)
    foreign.ask()
    ended.ask()
    assert http.delete(f"/v1/sessions/{ended.session_id}", headers=alice.headers).status_code == 200
    ids = (UNKNOWN, foreign.session_id, ended.session_id, "no-uuid", "'; DROP TABLE")
    answers = [http.delete(f"/v1/sessions/{session_id}", headers=alice.headers) for session_id in ids]
    settings.SESSION_IDLE_SECONDS = 0
    answers.append(http.delete(f"/v1/sessions/{foreign.session_id}", headers=bob.headers))
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json()["error"]["code"] == "session_not_found"


def test_a_session_is_deleted_by_any_spelling_of_its_address(http, alice, replicas, make_client) -> None:
    for path in ("/v1/sessions/{}/", "/sessions/{}", "/sessions/{}/"):
        client = make_client(alice)
        client.ask()
        assert http.delete(path.format(client.session_id.upper()), headers=alice.headers).status_code == 200


def test_sessions_need_a_key_and_their_methods(http, alice) -> None:
    for method, path in (("GET", "/v1/sessions"), ("DELETE", f"/v1/sessions/{UNKNOWN}")):
        refused = http.request(method, path)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "missing_api_key")
    for method, path in (("POST", "/v1/sessions"), ("DELETE", "/v1/sessions"), ("GET", f"/v1/sessions/{UNKNOWN}")):
        refused = http.request(method, path, headers=alice.headers)
        assert (refused.status_code, refused.json()["error"]["code"]) == (405, "method_not_allowed")


def test_reading_and_deleting_is_free_and_leaves_the_calls_to_their_limit(http, make_person, replicas) -> None:
    person = make_person("carol@example.com", requests_per_minute=60)
    listed = http.get("/v1/sessions", headers=person.headers)
    deleted = http.delete(f"/v1/sessions/{UNKNOWN}", headers=person.headers)
    assert {listed.headers["x-ratelimit-limit-requests"], deleted.headers["x-ratelimit-limit-requests"]} == {"300"}
    assert not Hold.objects.exists()
