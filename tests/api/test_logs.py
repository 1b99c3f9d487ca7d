"""What must not be in the logs: prompts, keys, and the headers that carry them."""

import logging

from tests.upstreams.openai import Behaviour

CANARY = "canary-7c1d"


def test_no_log_holds_a_prompt_or_a_key_whatever_goes_wrong(http, alice, upstream, caplog, monkeypatch) -> None:
    caplog.set_level(logging.DEBUG)
    headers = {**alice.headers, "cookie": f"session={CANARY}", "x-request-id": "mine"}
    chat = {"model": "gpt-5.4-mini", "messages": [{"role": "user", "content": CANARY}]}
    behaviours = [
        Behaviour(),
        Behaviour(status=500),
        Behaviour(status=401),
        Behaviour(garbage=True),
        Behaviour(die_after=3),
    ]
    for behaviour in behaviours:
        upstream.behaviour = behaviour
        for body in (chat, {**chat, "stream": True}):
            http.post("/v1/chat/completions", json=body, headers=headers)
    upstream.behaviour = Behaviour()
    http.post("/v1/chat/completions", content=CANARY.encode(), headers=headers)
    http.post("/v1/chat/completions", json=chat, headers={"authorization": f"Bearer {alice.key[:-1]}x"})
    http.post("/v1/images/generations", json={"model": "sandbox-image", "prompt": CANARY, "size": "x"}, headers=headers)
    monkeypatch.setattr("api.express.parse_image", lambda body: 1 / 0)  # our own mistake, with a traceback
    assert http.post("/v1/images/generations", json={"prompt": CANARY}, headers=headers).status_code == 500

    assert "ZeroDivisionError" in caplog.text
    for secret in (CANARY, alice.key, alice.key[10:30], "sk-test"):
        assert secret not in caplog.text


def test_our_own_mistake_is_told_without_its_insides(http, alice, caplog, monkeypatch) -> None:
    monkeypatch.setattr("gateway.flows.chat.quote", lambda model, request: 1 / 0)
    body = {"model": "sandbox-chat", "messages": [{"role": "user", "content": "Hello!"}]}
    response = http.post("/v1/chat/completions", json=body, headers=alice.headers)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["type"]) == (500, "internal_error", "server_error")
    assert response.headers["x-request-id"] in error["message"]
    assert "ZeroDivision" not in response.text
    assert response.headers["x-request-id"] in caplog.text
    assert alice.money() == (500_000, 0, 1)
