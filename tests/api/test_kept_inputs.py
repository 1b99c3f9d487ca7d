"""What requests say, kept with their receipts where the key's owner has turned that on."""

import json

import pytest

from accounts.models import User
from gateway.models import KeptInput, Receipt, VideoTask

pytestmark = pytest.mark.usefixtures("audited")
CHAT = {"model": "sandbox-chat", "messages": [{"role": "user", "content": "a secret"}]}


def test_every_kind_of_request_is_kept_with_its_receipt_also_one_that_failed(http, alice, charlie) -> None:
    User.objects.filter(pk=alice.user.pk).update(keeps_inputs=True)

    def post(path: str, **request: object) -> str:
        return http.post(path, headers=alice.headers, **request).headers["x-request-id"]

    failing = CHAT | {"messages": [{"role": "user", "content": "sandbox:fail=overloaded"}]}
    said = {
        post("/v1/chat/completions", json=CHAT): "a secret",
        post("/v1/chat/completions", json=failing): "sandbox:fail=overloaded",
        post("/v1/chat/completions", json=CHAT | {"stream": True}): "a secret",
        post("/v1/responses", json={"model": "sandbox-chat", "input": "a secret"}): "a secret",
        post("/v1/images/generations", json={"model": "sandbox-image", "prompt": "a cat"}): "a cat",
        post("/v1/embeddings", json={"model": "sandbox-embedding", "input": "a word"}): "a word",
        post("/v1/video/generations", json={"model": "sandbox-video", "prompt": "a fox"}): "a fox",
    }
    kept = {one.pk: one.body for one in KeptInput.objects.filter(account_id=alice.user.pk)}
    assert kept.keys() == said.keys()
    for request_id, words in said.items():
        assert words in kept[request_id]
        assert json.loads(kept[request_id])["model"].startswith("sandbox-")
    unended = VideoTask.objects.values_list("request_id", flat=True)
    assert set(Receipt.objects.values_list("pk", flat=True)) == kept.keys() - set(unended)


def test_nothing_is_kept_otherwise(http, alice) -> None:
    assert http.post("/v1/chat/completions", json=CHAT, headers=alice.headers).status_code == 200
    assert not KeptInput.objects.exists()
