"""`ark_stateful`: the client sends what is new, the gateway keeps the rest, and the replica is sent the whole."""

import json
import threading
from collections.abc import Iterator
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import httpx
import openai
import pytest

from billing.models import Hold
from gateway import sessions
from gateway.models import Receipt
from gateway.sessions import conversation, shared
from tests.services import Redis, redis_url
from tests.upstreams.openai import Behaviour
from tests.upstreams.pool import CHAT_MODEL, EMBEDDING_MODEL, pool_of_three
from tests.upstreams.replica import FakeReplica

WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


@pytest.fixture
def replicas(settings) -> Iterator[list[FakeReplica]]:
    with pool_of_three(settings) as replicas:
        yield replicas


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest, settings, monkeypatch) -> str:
    settings.REDIS_URL = redis_url() if request.param == "redis" else ""
    # A machine with much to do is no outage.
    monkeypatch.setattr(shared, "TIMEOUT_SECONDS", 10)
    return request.param


class Conversation:
    """An `ark_stateful` client without cookies, whose session is a UUID of its own."""

    def __init__(self, http: httpx.Client, person, replicas: list[FakeReplica]) -> None:
        self.http = http
        self.person = person
        self.replicas = replicas
        self.session_id = str(uuid4())
        self.home: FakeReplica | None = None  # which answered last

    def post(self, *messages: Any, **fields: Any) -> httpx.Response:
        """One turn. A message is a text of the user's, or a whole one."""
        self.http.cookies.clear()
        body = {
            "model": CHAT_MODEL,
            "messages": [user(one) if isinstance(one, str) else one for one in messages],
            "ark_stateful": self.session_id,
            **fields,
        }
        return self.http.post("/v1/chat/completions", json=body, headers=self.person.headers)

    def say(self, *messages: Any, **fields: Any) -> dict[str, Any]:
        """One turn that succeeds; the reply as a message."""
        response = self.post(*messages, **fields)
        assert response.status_code == 200, response.text
        assert '"error"' not in response.text
        reply = reply_of(response)
        self.home = next(replica for replica in self.replicas if replica.reply == reply)
        return assistant(reply)

    @property
    def sent(self) -> list[dict[str, Any]]:
        """The messages that the replica was sent which answered last."""
        home = self.home or next(replica for replica in self.replicas if replica.chats)
        assert "ark_stateful" not in home.chat_bodies[-1]
        return home.chat_bodies[-1]["messages"]

    @property
    def kept(self) -> int:
        """How many messages the gateway says that it keeps."""
        listed = self.http.get("/v1/sessions", headers=self.person.headers).json()["data"]
        return {session["id"]: session["messages"] for session in listed}.get(self.session_id, 0)


@pytest.fixture
def talk(http, alice, replicas) -> Conversation:
    return Conversation(http, alice, replicas)


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def system(text: str) -> dict[str, Any]:
    return {"role": "system", "content": text}


def assistant(text: str | None, **fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **fields}


def chunks_of(response: httpx.Response) -> list[dict[str, Any]]:
    events = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line.startswith("data: ")]
    return [json.loads(event) for event in events if event != "[DONE]"]


def reply_of(response: httpx.Response) -> str:
    """The text of a whole answer or of a stream."""
    if response.headers["content-type"].startswith("application/json"):
        return response.json()["choices"][0]["message"]["content"]
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks_of(response))


def refusal_of(response: httpx.Response) -> tuple[int, str, str | None]:
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]


# --- What the model is sent ------------------------------------------------------------------------------------------


@STREAMED
def test_only_the_new_turn_is_sent_and_the_model_reads_the_whole(store, talk, streamed) -> None:
    first = talk.say("My name is Ada.", stream=streamed)
    assert talk.sent == [user("My name is Ada.")]
    second = talk.say("What is my name?", stream=streamed)
    assert talk.sent == [user("My name is Ada."), first, user("What is my name?")]
    talk.say("And yours?", stream=not streamed)
    assert talk.sent == [
        *(user("My name is Ada."), first),
        *(user("What is my name?"), second),
        user("And yours?"),
    ]
    assert talk.kept == 6


def test_true_is_the_session_of_the_cookie(http, alice, replicas) -> None:
    """httpx keeps cookies by itself."""
    talk = Conversation(http, alice, replicas)
    body = {"model": CHAT_MODEL, "messages": [user("One")], "ark_stateful": True}
    first = http.post("/v1/chat/completions", json=body, headers=alice.headers)
    assert first.headers["x-arkroute-session-state"] == "new"
    session_id = first.cookies["ark_session_id"]
    body["messages"] = [user("Two")]
    second = http.post("/v1/chat/completions", json=body, headers=alice.headers)
    assert second.headers["x-arkroute-session-state"] == "hit"
    assert "set-cookie" not in second.headers
    assert talk.sent == [user("One"), assistant(reply_of(first)), user("Two")]
    assert talk.http.get("/v1/sessions", headers=alice.headers).json()["data"][0]["id"] == session_id


def test_true_without_a_cookie_begins_anew_each_time(http, alice, replicas) -> None:
    sessions = set()
    for _ in range(3):
        http.cookies.clear()
        body = {"model": CHAT_MODEL, "messages": [user("Hello!")], "ark_stateful": True}
        response = http.post("/v1/chat/completions", json=body, headers=alice.headers)
        assert response.headers["x-arkroute-session-state"] == "new"
        sessions.add(response.cookies["ark_session_id"])
    assert len(sessions) == 3


def test_a_clients_own_uuid_is_the_sessions_id_in_either_case(talk) -> None:
    first = talk.post("One", ark_stateful=talk.session_id.upper())
    assert first.headers["x-arkroute-session-state"] == "new"
    assert first.headers["set-cookie"].startswith(f"ark_session_id={talk.session_id};")
    second = talk.post("Two")
    assert second.headers["x-arkroute-session-state"] == "hit"
    assert talk.sent == [user("One"), assistant(reply_of(first)), user("Two")]


def test_the_clients_uuid_wins_over_its_cookie(http, talk) -> None:
    first = talk.say("One")
    body = {"model": CHAT_MODEL, "messages": [user("Two")], "ark_stateful": talk.session_id}
    headers = {**talk.person.headers, "cookie": f"ark_session_id={uuid4()}"}
    response = http.post("/v1/chat/completions", json=body, headers=headers)
    assert response.headers["x-arkroute-session-state"] == "hit"
    assert response.headers["set-cookie"].startswith(f"ark_session_id={talk.session_id};")
    assert talk.sent == [user("One"), first, user("Two")]


def test_a_new_system_message_replaces_the_old(talk) -> None:
    first = talk.say(system("Be brief."), {"role": "developer", "content": "In English."}, "One")
    second = talk.say("Two")
    assert talk.sent == [
        *(system("Be brief."), {"role": "developer", "content": "In English."}),
        *(user("One"), first, user("Two")),
    ]
    talk.say(user("Three"), system("Be verbose."))
    assert talk.sent == [system("Be verbose."), user("One"), first, user("Two"), second, user("Three")]
    talk.say("Four")
    assert talk.sent[0] == system("Be verbose.")
    assert [message["content"] for message in talk.sent if message["role"] == "system"] == ["Be verbose."]


@STREAMED
def test_calls_of_tools_are_kept_and_their_results_follow(talk, streamed) -> None:
    talk.post("Weather? upstream:tool_call", tools=[WEATHER], stream=streamed)
    talk.say({"role": "tool", "tool_call_id": "call_fake1", "content": "12 degrees"}, tools=[WEATHER])
    called = {
        "id": "call_fake1",
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
    }
    assert talk.sent == [
        user("Weather? upstream:tool_call"),
        assistant(None, tool_calls=[called]),
        {"role": "tool", "tool_call_id": "call_fake1", "content": "12 degrees"},
    ]


def test_several_messages_of_one_turn_and_their_parts_are_kept_as_they_came(talk) -> None:
    parts = {"role": "user", "content": [{"type": "text", "text": "Look:"}], "name": "ada"}
    first = talk.say("One", assistant("Quoted."), parts)
    talk.say("Two")
    assert talk.sent == [user("One"), assistant("Quoted."), parts, first, user("Two")]


@pytest.mark.parametrize("absent", [False, None])
def test_false_and_null_are_as_if_it_were_not_there(talk, absent) -> None:
    talk.say("One", ark_stateful=absent)
    assert talk.sent == [user("One")]
    assert talk.kept == 0


def test_the_kept_part_is_counted_and_charged_as_if_it_had_been_sent(talk) -> None:
    """Where the server does not count, our estimate of the whole prompt is what it read."""
    for replica in talk.replicas:
        replica.behaviour = Behaviour(usage=False)
    first = talk.say(system("S" * 300), "A" * 3000)
    talk.say("B" * 600)
    (stateful,) = Receipt.objects.order_by("-created_at")[:1]
    whole = [system("S" * 300), user("A" * 3000), first, user("B" * 600)]
    talk.say(*whole, ark_stateful=False)
    (stateless,) = Receipt.objects.order_by("-created_at")[:1]
    assert stateful.usage["input_tokens"] >= 1300
    # Each of the two parts is rounded up.
    assert stateful.usage["input_tokens"] - stateless.usage["input_tokens"] in (0, 1)


def test_the_openai_client_talks_without_resending_history(gateway_url, talk) -> None:
    """As the public examples do: the same UUID with every turn, streamed or not."""
    with openai.OpenAI(api_key=talk.person.key, base_url=f"{gateway_url}/v1", max_retries=0) as client:
        extra = {"ark_stateful": talk.session_id}
        first = client.chat.completions.create(model=CHAT_MODEL, messages=[user("One")], extra_body=extra)
        stream = client.chat.completions.create(
            model=CHAT_MODEL,
            messages=[user("Two")],
            extra_body=extra,
            stream=True,
            stream_options={"include_usage": True},
        )
        assert list(stream)[-1].usage.credits == 1
        client.chat.completions.create(model=CHAT_MODEL, messages=[user("Three")], extra_body=extra)
    reply = first.choices[0].message.content
    assert talk.sent == [user("One"), assistant(reply), user("Two"), assistant(reply), user("Three")]


# --- Turns that are not kept -----------------------------------------------------------------------------------------


@STREAMED
@pytest.mark.parametrize(
    "fault",
    ["upstream:status=400", "upstream:status=400 upstream:code=content_policy_violation", "upstream:status=429"],
)
def test_a_turn_that_fails_leaves_no_trace_and_can_be_sent_again(store, talk, streamed, fault) -> None:
    first = talk.say("One")
    assert talk.post(fault, stream=streamed).status_code >= 400
    assert talk.kept == 2
    talk.say("Two", stream=streamed)
    assert talk.sent == [user("One"), first, user("Two")]


def test_a_turn_that_the_balance_does_not_cover_leaves_no_trace(http, make_person, replicas) -> None:
    talk = Conversation(http, make_person("poor@example.com", credits=1), replicas)
    first = talk.say("One")
    for _ in range(2):
        assert refusal_of(talk.post("Two"))[:2] == (402, "insufficient_credits")
    assert talk.kept == 2
    assert talk.sent == [user("One")]
    assert first["content"]


@pytest.mark.parametrize("cut", ["die_after=3", "error_after=3", "bad_chunk_after=3"])
def test_a_stream_that_is_cut_is_not_kept(talk, cut) -> None:
    first = talk.say("One")
    response = talk.post(f"upstream:{cut} upstream:chunk_delay=0.02", stream=True)
    assert response.status_code == 200
    assert "error" in chunks_of(response)[-1]
    talk.say("Two")
    assert talk.sent == [user("One"), first, user("Two")]


def say_when_free(talk: Conversation, text: str) -> None:
    """The turn before may need a moment to notice that its client has left."""
    until = monotonic() + 5
    while (response := talk.post(text)).status_code == 409 and monotonic() < until:
        sleep(0.02)
    assert response.status_code == 200, response.text


def test_a_turn_whose_client_leaves_a_stream_is_not_kept(store, gateway_url, talk) -> None:
    first = talk.say("One")
    body = {
        "model": CHAT_MODEL,
        "messages": [user("upstream:chunk_delay=0.2")],
        "ark_stateful": talk.session_id,
        "stream": True,
    }
    with (
        httpx.Client(base_url=gateway_url, timeout=10) as leaving,
        leaving.stream("POST", "/v1/chat/completions", json=body, headers=talk.person.headers) as response,
    ):
        next(response.iter_text())
    say_when_free(talk, "Two")
    assert talk.sent == [user("One"), first, user("Two")]


def test_a_turn_whose_client_leaves_while_it_waits_is_not_kept(gateway_url, talk) -> None:
    first = talk.say("One")
    body = {"model": CHAT_MODEL, "messages": [user("upstream:hang")], "ark_stateful": talk.session_id}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{gateway_url}/v1/chat/completions", json=body, headers=talk.person.headers, timeout=0.3)
    say_when_free(talk, "Two")
    assert talk.sent == [user("One"), first, user("Two")]


def wait_for_chats(talk: Conversation, count: int) -> None:
    until = monotonic() + 5
    while sum(replica.chats for replica in talk.replicas) < count and monotonic() < until:
        sleep(0.01)


def test_a_second_turn_in_parallel_is_refused_and_costs_nothing(store, talk) -> None:
    first = talk.say("One")
    answers: list[httpx.Response] = []

    def take_long() -> None:
        with httpx.Client(base_url=talk.http.base_url, timeout=10) as http:
            slow = Conversation(http, talk.person, talk.replicas)
            slow.session_id = talk.session_id
            answers.append(slow.post("Two upstream:delay=0.5", stream=True))

    slow_turn = threading.Thread(target=take_long)
    slow_turn.start()
    wait_for_chats(talk, 2)
    holds = Hold.objects.count()
    refused = talk.post("Three")
    assert refusal_of(refused)[:2] == (409, "session_busy")
    assert Hold.objects.count() == holds
    # Another session goes on meanwhile.
    assert talk.post("Hello!", ark_stateful=str(uuid4())).status_code == 200
    slow_turn.join()
    assert answers[0].status_code == 200
    talk.say("Three")
    assert talk.sent == [
        *(user("One"), first),
        *(user("Two upstream:delay=0.5"), assistant(reply_of(answers[0]))),
        user("Three"),
    ]


def test_a_session_that_is_deleted_during_a_turn_stays_forgotten(store, talk) -> None:
    talk.say("My PIN is 4711.")

    def take_long() -> None:
        with httpx.Client(base_url=talk.http.base_url, timeout=10) as http:
            slow = Conversation(http, talk.person, talk.replicas)
            slow.session_id = talk.session_id
            slow.say("Remember it. upstream:delay=0.3")

    slow_turn = threading.Thread(target=take_long)
    slow_turn.start()
    wait_for_chats(talk, 2)
    assert talk.http.delete(f"/v1/sessions/{talk.session_id}", headers=talk.person.headers).status_code == 200
    slow_turn.join()
    assert talk.kept == 0
    talk.say("What is my PIN?")
    assert talk.sent == [user("What is my PIN?")]


# --- Bounds and refusals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bound", [("MOST_MESSAGES", 4), ("MOST_BYTES", 200)], ids=["messages", "bytes"])
def test_beyond_the_bound_a_turn_is_refused_and_nothing_is_cut_off(talk, monkeypatch, bound) -> None:
    monkeypatch.setattr(conversation, *bound)
    first = talk.say("One")
    holds, money = Hold.objects.count(), talk.person.money()
    refused = talk.post("Two", user("x" * 150), user("Three"))
    assert refusal_of(refused)[:2] == (400, "context_length_exceeded")
    assert f"DELETE /v1/sessions/{talk.session_id}" in refused.json()["error"]["message"]
    assert (Hold.objects.count(), talk.person.money()) == (holds, money)
    assert talk.kept == 2
    talk.say("Two")
    assert talk.sent == [user("One"), first, user("Two")]


def test_what_is_neither_true_nor_a_uuid_is_refused(talk) -> None:
    for value, code in (
        ("yes", "invalid_value"),
        ("", "invalid_value"),
        ("5f0c1c526d7a4f0e9d0e3c1f4f5f9d11", "invalid_value"),
        ("5f0c1c52-6d7a-4f0e-9d0e-3c1f4f5f9d11\n", "invalid_value"),
        ("../5f0c1c52-6d7a-4f0e-9d0e-3c1f4f5f9d11", "invalid_value"),
        (1, "invalid_type"),
        ([], "invalid_type"),
        ({"id": "x"}, "invalid_type"),
    ):
        assert refusal_of(talk.post("Hello!", ark_stateful=value)) == (422, code, "ark_stateful"), value


def test_several_answers_cannot_be_gone_on_from(talk) -> None:
    assert refusal_of(talk.post("Hello!", n=2)) == (422, "invalid_value", "n")
    assert talk.post("Hello!", n=1).status_code == 200


def test_a_model_that_does_not_run_on_servers_of_our_own_keeps_nothing(talk, upstream) -> None:
    """A vendor's with credentials, one that a stand-in answers for, and the sandbox."""
    for model in ("gpt-5.4-mini", "gemini-3.8-flash", "sandbox-chat"):
        assert refusal_of(talk.post("Hello!", model=model)) == (422, "invalid_value", "ark_stateful"), model
    assert not Hold.objects.exists()


def test_a_vendors_model_keeps_nothing_even_if_a_stand_in_of_ours_would_answer(http, alice, settings) -> None:
    with FakeReplica("a", models=("smollm2-135m-instruct",)) as engine:
        settings.ENGINE_URL = engine.base_url.removesuffix("/v1")
        talk = Conversation(http, alice, [engine])
        assert refusal_of(talk.post("Hello!", model="gpt-5.5")) == (422, "invalid_value", "ark_stateful")
        # A name of a vendor's that the engine's own model goes by is another matter.
        assert talk.say("Hello!", model="gpt-4o")["content"] == "replica a answers"
        assert talk.kept == 2


def test_it_is_no_model_of_another_kind_that_is_talked_to(talk) -> None:
    assert refusal_of(talk.post("Hello!", model=EMBEDDING_MODEL)) == (422, "invalid_value", "model")


@pytest.fixture
def mortal_redis(settings) -> Iterator[Redis]:
    """A server that the test may kill, and a gateway that knows of no other."""
    server = Redis()
    settings.REDIS_URL = server.url
    sessions._shared.clear()
    yield server
    sessions._shared.clear()
    server.stop()


def test_while_the_store_is_away_a_turn_is_refused_and_other_chats_go_on(talk, mortal_redis) -> None:
    first = talk.say("One")
    assert first["content"]
    mortal_redis.kill()
    refused = talk.post("Two")
    assert refusal_of(refused)[:2] == (503, "overloaded")
    assert "sessions cannot be reached" in refused.json()["error"]["message"]
    assert int(refused.headers["retry-after"]) >= 1
    listed = talk.http.get("/v1/sessions", headers=talk.person.headers)
    assert refusal_of(listed)[:2] == (503, "overloaded")
    money = talk.person.money()
    plain = talk.post("Three", ark_stateful=None)
    assert plain.status_code == 200
    assert "x-arkroute-session-state" not in plain.headers
    assert talk.person.money()[0] == money[0] - 1000


@pytest.mark.parametrize("moment", ["in a whole answer", "in a stream"])
def test_an_answer_stands_even_if_its_turn_cannot_be_kept(talk, mortal_redis, caplog, moment) -> None:
    first = talk.say("One")
    answers: list[httpx.Response] = []

    def take_long() -> None:
        with httpx.Client(base_url=talk.http.base_url, timeout=10) as http:
            slow = Conversation(http, talk.person, talk.replicas)
            slow.session_id = talk.session_id
            answers.append(slow.post("Two upstream:delay=0.3", stream=moment == "in a stream"))

    slow_turn = threading.Thread(target=take_long)
    slow_turn.start()
    wait_for_chats(talk, 2)
    mortal_redis.kill()
    slow_turn.join()
    assert answers[0].status_code == 200
    assert reply_of(answers[0]) == first["content"]
    assert "x-arkroute-session-state" not in answers[0].headers
    assert "this turn of its session is not kept" in caplog.text
    assert talk.session_id not in caplog.text
