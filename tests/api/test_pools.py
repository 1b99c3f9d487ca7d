"""Models on servers of one's own: which replica answers, what happens when one fails, what is charged."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from gateway.models import Receipt
from gateway.pools import Health, find_pool, health
from gateway.pools.draining import drain, follow_drains, undrain
from gateway.providers.http import close_pools
from tests.arkroute.conftest import find_free_port
from tests.upstreams.openai import Behaviour, vector_of
from tests.upstreams.replica import FakeReplica

CHAT, EMBEDDING = "house-llama", "house-embedder"


@pytest.fixture
def start_pool(settings) -> Iterator[Callable[..., list[FakeReplica]]]:
    """Starts replicas named `a`, `b`… that serve both models. Sessions are off: each request is a new choice."""
    settings.SESSIONS_ENABLED = False
    with ExitStack() as stack:

        def start(*replicas: FakeReplica, api_key: str = "") -> list[FakeReplica]:
            running = [stack.enter_context(replica) for replica in replicas]
            settings.SELFHOSTED_POOLS = {
                "gpus": {
                    "replicas": [replica.base_url for replica in running],
                    "api_key": api_key,
                    "models": {
                        CHAT: {"upstream": "their-llama", "credits": 1.5},
                        EMBEDDING: {"upstream": "their-llama", "type": "embedding", "credits": 0.1, "dimensions": 8},
                    },
                }
            }
            return running

        yield start


@pytest.fixture
def pair(start_pool) -> list[FakeReplica]:
    """Two replicas, of which `a` is tried first: the other seems to be busy."""
    pair = start_pool(FakeReplica("a"), FakeReplica("b"))
    known()[1].in_flight = 1
    return pair


def known() -> tuple[Any, ...]:
    pool = find_pool("gpus")
    assert pool is not None
    return pool.replicas


def chat(http: httpx.Client, person, text: str = "Hello!", model: str = CHAT, **fields: Any) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": text}], **fields}
    return http.post("/v1/chat/completions", json=body, headers=person.headers)


def text_of(response: httpx.Response) -> str:
    if not response.headers["content-type"].startswith("text/event-stream"):
        return response.json()["choices"][0]["message"]["content"]
    blocks = [block.removeprefix("data: ") for block in response.text.strip().split("\n\n")]
    assert blocks.pop() == "[DONE]"
    return "".join(choice["delta"].get("content", "") for block in blocks for choice in json.loads(block)["choices"])


OWN_FIELDS = {
    "n_predict": 9999,
    "n_cmpl": 4,
    "id_slot": 1,
    "cache_prompt": False,
    "best_of": 8,
    "use_beam_search": True,
    "priority": -1,
    "kv_transfer_params": {},
}


def test_what_the_gateway_decides_is_not_for_the_client_to_decide(http, alice, pair) -> None:
    """How much is written, how often, where: a server's own names for it would pass the price by."""
    response = chat(http, alice, max_tokens=5, seed=1, **OWN_FIELDS)
    assert response.status_code == 200, response.text
    sent = pair[0].requests[-1].body
    assert (sent["max_tokens"], sent["seed"]) == (5, 1)
    assert not OWN_FIELDS.keys() & sent.keys()
    ignored = response.headers["x-arkroute-ignored-params"].split(", ")
    assert sorted(ignored) == sorted(name for name in OWN_FIELDS if OWN_FIELDS[name])


def test_a_server_that_writes_without_end_is_given_an_end(http, alice, pair, settings) -> None:
    settings.SELFHOSTED_POOLS["gpus"]["models"][CHAT] |= {"default_output": 20, "max_output": 50}
    settings.SELFHOSTED_POOLS = {**settings.SELFHOSTED_POOLS}
    for asked in ({}, {"max_tokens": 9}, {"max_tokens": 9999}):
        assert chat(http, alice, **asked).status_code == 200
    sent = [one.body["max_tokens"] for replica in pair for one in replica.requests if one.method == "POST"]
    assert sorted(sent) == [9, 20, 50]


def test_several_answers_are_all_counted_though_the_server_counts_one(http, alice, pair, settings) -> None:
    """As llama.cpp does."""
    models = settings.SELFHOSTED_POOLS["gpus"]["models"]
    models[CHAT] |= {"input_usd": 0, "output_usd": 2000, "max_output": 10_000}
    settings.SELFHOSTED_POOLS = {**settings.SELFHOSTED_POOLS}
    answer = "word " * 3000
    for replica in pair:
        replica.behaviour = Behaviour(reply=answer, completion_tokens=900)
    receipt = Receipt.objects.get(pk=chat(http, alice, n=4).headers["x-request-id"])
    assert receipt.usage["output_tokens"] > 3 * 900


def wait_until(condition: Callable[[], object]) -> None:
    deadline = monotonic() + 10
    while not condition():
        assert monotonic() < deadline
        sleep(0.01)


def attempts() -> list[str]:
    """What each try of the last request came to; empty where it answered."""
    return [attempt["error"] for attempt in Receipt.objects.latest("created_at").attempts]


def follow() -> None:
    async def work() -> None:
        await follow_drains()
        await close_pools()

    asyncio.run(work())


# --- An answer -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_of_a_pool_answers_for_its_credits(http, alice, start_pool, stream) -> None:
    (replica,) = start_pool(FakeReplica("a"))
    before = alice.money()
    response = chat(http, alice, stream=stream)
    assert response.status_code == 200
    assert text_of(response) == replica.reply
    assert response.headers["x-arkroute-model"] == "gpus/their-llama"
    assert replica.chat_bodies[0]["model"] == "their-llama"
    assert alice.money() == (before[0] - 1500, 0, before[2] + 1)
    receipt = Receipt.objects.get()
    assert (receipt.model, receipt.served_by, receipt.captured) == (CHAT, "gpus/their-llama", 1500)


def test_the_answer_names_the_model_as_it_was_asked_for_also_by_an_alias(http, alice, start_pool, settings) -> None:
    start_pool(FakeReplica("a"))
    settings.MODEL_ALIASES = {"gpt-5.5": CHAT}
    answer = chat(http, alice, model="gpt-5.5")
    assert answer.json()["model"] == "gpt-5.5"
    assert answer.headers["x-arkroute-model"] == "gpus/their-llama"


def test_its_models_are_listed_first(http, start_pool, settings) -> None:
    start_pool(FakeReplica("a"))
    settings.ARKROUTE_STAND_INS = False
    chat_model, embedding_model, *_ = http.get("/v1/models").json()["data"]
    assert (chat_model["id"], chat_model["provider"], chat_model["pricing"]["credits"]) == (CHAT, "gpus", 1.5)
    assert (embedding_model["id"], embedding_model["type"]) == (EMBEDDING, "embedding")


def test_embeddings_come_from_a_pool_too(http, alice, start_pool) -> None:
    start_pool(FakeReplica("a", kind="tei"))
    body = {"model": EMBEDDING, "input": ["one", "two"], "encoding_format": "float"}
    response = http.post("/v1/embeddings", json=body, headers=alice.headers)
    assert [row["embedding"] for row in response.json()["data"]] == [vector_of("one", 8), vector_of("two", 8)]
    assert response.headers["x-arkroute-model"] == "gpus/their-llama"
    assert response.headers["x-arkroute-credits"] == "0.1"


def test_the_key_of_the_pool_opens_its_servers(http, alice, start_pool) -> None:
    (replica,) = start_pool(FakeReplica("a", api_key="secret"), api_key="secret")
    assert chat(http, alice).status_code == 200
    assert replica.requests[-1].headers["authorization"] == "Bearer secret"


# --- A replica that fails ------------------------------------------------------------------------------------------

FAULTS = {
    "500": Behaviour(status=500),
    "502 with a page": Behaviour(status=502, html=True),
    "503": Behaviour(status=503),
    "429": Behaviour(status=429),
    "429 for an hour": Behaviour(status=429, retry_after="3600"),
    "closed without an answer": Behaviour(refuse=True),
    "no HTTP": Behaviour(garbage=True),
    "cut in the head of its answer": Behaviour(die_after=0),
    "an error in a 200": Behaviour(error_in_200=True),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
def test_another_replica_takes_what_one_failed_before_its_first_words(http, alice, pair, fault, stream) -> None:
    pair[0].behaviour = FAULTS[fault]
    response = chat(http, alice, stream=stream)
    assert text_of(response) == pair[1].reply
    assert pair[0].chats >= 1, "on a connection that had been idle it is asked twice"
    assert pair[1].chats == 1
    assert alice.money()[:2] == (500_000 - 1500, 0)
    failed, answered = attempts()
    assert failed
    assert answered == ""
    assert [replica.in_flight for replica in known()] == [0, 1]


@pytest.mark.parametrize("stream", [False, True])
def test_another_replica_takes_the_requests_of_a_dead_one(http, alice, pair, stream) -> None:
    chat(http, alice)
    pair[0].kill()
    assert text_of(chat(http, alice, stream=stream)) == pair[1].reply
    assert len(attempts()) == 2
    assert known()[0].health is Health.DOWN

    chat(http, alice)
    assert attempts() == [""], "it is not tried again at once"


def test_a_request_is_tried_three_times_at_most(http, alice, start_pool) -> None:
    replicas = start_pool(*(FakeReplica(name) for name in "abcd"))
    for replica in replicas:
        replica.behaviour = Behaviour(status=500)
    assert chat(http, alice).status_code == 500
    assert sum(replica.chats for replica in replicas) == 3


@pytest.mark.parametrize("status", [401, 404])
def test_a_replica_with_another_key_or_path_does_not_swallow_requests(http, alice, pair, status) -> None:
    pair[0].behaviour = Behaviour(status=status)
    for _ in range(4):
        assert text_of(chat(http, alice)) == pair[1].reply
    assert pair[0].chats == 3
    assert known()[0].health is Health.DOWN


def test_what_every_replica_would_refuse_is_not_tried_again(http, alice, pair) -> None:
    pair[0].behaviour = Behaviour(status=400)
    assert chat(http, alice).is_error
    assert (pair[0].chats, pair[1].chats) == (1, 0)
    assert known()[0].health is Health.UP
    assert alice.money()[:2] == (500_000, 0)


def test_a_replica_that_is_too_slow_is_not_followed_by_another(http, alice, pair, settings) -> None:
    settings.PROVIDER_TIMEOUT_SECONDS = 0.1
    pair[0].behaviour = Behaviour(hang=True)
    response = chat(http, alice)
    assert response.json()["error"]["code"] == "provider_timeout"
    assert pair[1].chats == 0


def test_after_its_first_words_a_failure_is_told_and_what_came_is_charged(http, alice, pair) -> None:
    pair[0].behaviour = Behaviour(die_after=5)
    response = chat(http, alice, stream=True)
    assert '"error"' in response.text
    assert "[DONE]" not in response.text
    assert pair[1].chats == 0
    assert alice.money()[:2] == (500_000 - 1500, 0)


@pytest.mark.parametrize("stream", [False, True])
def test_where_all_are_dead_nothing_is_charged(http, alice, pair, stream) -> None:
    before = alice.money()
    for replica in pair:
        replica.kill()
    for _ in range(2):
        response = chat(http, alice, stream=stream)
        assert response.status_code == 500
        error = response.json()["error"]
        assert (error["type"], error["code"]) == ("provider_error", "provider_error")
        assert "127.0.0.1" not in error["message"]
    assert alice.money() == before
    pair[1].start_again()
    assert text_of(chat(http, alice, stream=stream)) == pair[1].reply, "also before anybody looked"


# --- Load ----------------------------------------------------------------------------------------------------------


def test_requests_in_flight_are_counted_until_the_client_leaves(http, gateway_url, alice, start_pool) -> None:
    (replica,) = start_pool(FakeReplica("a"))
    replica.behaviour = Behaviour(stall_after=3)
    body = {"model": CHAT, "messages": [{"role": "user", "content": "Hello!"}], "stream": True}
    with httpx.stream("POST", f"{gateway_url}/v1/chat/completions", json=body, headers=alice.headers) as stream:
        parts = stream.iter_bytes()
        next(parts)
        assert known()[0].in_flight == 1
    wait_until(lambda: known()[0].in_flight == 0)
    wait_until(lambda: alice.money()[1] == 0)

    replica.behaviour = Behaviour(hang=True)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{gateway_url}/v1/chat/completions", json={**body, "stream": False}, headers=alice.headers, timeout=0.3
        )
    wait_until(lambda: known()[0].in_flight == 0)
    assert known()[0].health is Health.UP, "a client that leaves says nothing of the server"


def test_new_requests_go_where_fewer_are(http, gateway_url, alice, start_pool) -> None:
    replicas = start_pool(FakeReplica("a"), FakeReplica("b"))
    for replica in replicas:
        replica.behaviour = Behaviour(stall_after=2)
    body = {"model": CHAT, "messages": [{"role": "user", "content": "Hello!"}], "stream": True}
    url = f"{gateway_url}/v1/chat/completions"
    with ExitStack() as stack:
        streams = []
        for _ in range(6):
            stream = stack.enter_context(httpx.stream("POST", url, json=body, headers=alice.headers))
            streams.append(stream.iter_bytes())
            next(streams[-1])
        assert [replica.in_flight for replica in known()] == [3, 3]
    wait_until(lambda: [replica.in_flight for replica in known()] == [0, 0])


def test_a_server_that_still_loads_its_model_is_not_asked(http, alice, start_pool) -> None:
    loading, ready = start_pool(FakeReplica("a", kind="llama.cpp", loading=True), FakeReplica("b"))
    for _ in range(6):
        assert text_of(chat(http, alice)) == ready.reply
    assert loading.chats == 0


def test_a_drained_replica_ends_what_it_has_and_gets_nothing_new(http, gateway_url, alice, pair) -> None:
    pair[0].behaviour = Behaviour(chunk_delay=0.05)
    body = {"model": CHAT, "messages": [{"role": "user", "content": "Hello!"}], "stream": True}
    url = f"{gateway_url}/v1/chat/completions"
    with httpx.stream("POST", url, json=body, headers=alice.headers) as stream:
        parts = stream.iter_bytes()
        first = next(parts)
        drain("gpus", pair[0].base_url)
        follow()
        assert text_of(chat(http, alice)) == pair[1].reply
        whole = first + b"".join(parts)
    assert b"[DONE]" in whole
    assert pair[0].chats == 1

    undrain("gpus", pair[0].base_url)
    follow()
    assert text_of(chat(http, alice)) == pair[0].reply


def test_where_all_are_drained_it_is_said(http, alice, start_pool, settings) -> None:
    settings.ARKROUTE_STAND_INS = False
    (replica,) = start_pool(FakeReplica("a"))
    drain("gpus", replica.base_url)
    follow()
    response = chat(http, alice)
    assert response.json()["error"]["code"] == "overloaded"
    assert replica.chats == 0


# --- The engine in production, and what balancers are told -----------------------------------------------------------


@pytest.fixture
def production(settings) -> int:
    """Nobody said where an engine is. The port at which one would be looked for."""
    port = find_free_port()
    settings.ARKROUTE_STAND_INS = False
    settings.ENGINE_URL, settings.ENGINE_IS_IMPLIED = f"http://127.0.0.1:{port}", True
    return port


def test_without_an_engine_its_models_are_neither_listed_nor_answered(http, alice, production) -> None:
    response = chat(http, alice, model="smollm2-135m-instruct")
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "provider_not_configured"
    assert alice.money()[:2] == (500_000, 0)
    assert {model["provider"] for model in http.get("/v1/models").json()["data"]} & {"engine"} == set()
    assert http.get("/v1/models/smollm2-135m-instruct").status_code == 404
    assert http.get("/readyz").json() == {"status": "ready", "database": "ok"}


def test_an_engine_that_is_found_counts(http, alice, production, settings) -> None:
    with FakeReplica("engine", kind="llama.cpp", models=("smollm2-135m-instruct",)) as engine:
        settings.ENGINE_URL = engine.base_url.removesuffix("/v1")
        assert text_of(chat(http, alice, model="smollm2-135m-instruct")) == engine.reply
        listed = [model["id"] for model in http.get("/v1/models").json()["data"] if model["provider"] == "engine"]
        assert listed == ["smollm2-135m-instruct"], "and only what it has"
        assert http.get("/readyz").json()["engine"] == "ok"
        engine.kill()
        chat(http, alice, model="smollm2-135m-instruct")
        assert http.get("/readyz").json() == {"status": "degraded", "database": "ok", "engine": "unreachable"}


def test_readiness_names_a_pool_without_a_server(transactional_db, http, start_pool, production, monkeypatch) -> None:
    monkeypatch.setattr(health, "UP_INTERVAL", 0)
    monkeypatch.setattr(health, "OTHER_INTERVAL", 0)
    mortal, other = start_pool(FakeReplica("a"), FakeReplica("b"))
    assert http.get("/readyz").json() == {"status": "ready", "database": "ok", "pool:gpus": "ok"}
    mortal.kill()
    assert http.get("/readyz").json()["pool:gpus"] == "ok"
    other.kill()
    answer = http.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "degraded", "database": "ok", "pool:gpus": "unreachable"}
    other.start_again()
    assert http.get("/readyz").json()["status"] == "ready"
