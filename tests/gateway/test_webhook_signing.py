"""Webhooks are signed so that what receivers have already, the SDK of OpenAI, takes them; and where they may go."""

import base64
import json
import time

import pytest
from openai import InvalidWebhookSignatureError, OpenAI

from gateway.errors import InvalidValue
from gateway.webhooks.addresses import check_webhook_url
from gateway.webhooks.signing import new_secret, sign

BODY = json.dumps(
    {
        "id": "evt_1",
        "object": "event",
        "type": "video.completed",
        "created_at": 1_767_225_600,
        "data": {"id": "video_1", "prompt": "ein Fuchs im Schnee, 雪の中の狐"},
    },
    ensure_ascii=False,
).encode()


@pytest.fixture(scope="module")
def webhooks():
    """What verifies webhooks at the receiver."""
    with OpenAI(api_key="unused", base_url="http://127.0.0.1:9") as client:
        yield client.webhooks


def test_a_secret_is_32_random_bytes():
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert {len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) for secret in secrets} == {32}
    assert all(secret.startswith("whsec_") for secret in secrets)


def test_the_sdk_of_openai_unwraps_a_webhook(webhooks):
    secret = new_secret()
    event = webhooks.unwrap(BODY, sign([secret], "evt_1", int(time.time()), BODY), secret=secret)
    assert event.type == "video.completed"
    assert event.data.id == "video_1"


def test_while_a_secret_is_replaced_both_verify(webhooks):
    old, new = new_secret(), new_secret()
    headers = sign([new, old], "evt_1", int(time.time()), BODY)
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (old, new):
        webhooks.verify_signature(BODY, headers, secret=secret)
    with pytest.raises(InvalidWebhookSignatureError):
        webhooks.verify_signature(BODY, headers, secret=new_secret())


def test_another_body_id_or_time_is_refused(webhooks):
    secret, now = new_secret(), int(time.time())
    headers = sign([secret], "evt_1", now, BODY)
    for body, changed in (
        (BODY + b" ", {}),
        (BODY, {"webhook-id": "evt_2"}),
        (BODY, {"webhook-timestamp": str(now - 1)}),
    ):
        with pytest.raises(InvalidWebhookSignatureError):
            webhooks.verify_signature(body, headers | changed, secret=secret)
    with pytest.raises(InvalidWebhookSignatureError, match="too old"):
        webhooks.verify_signature(BODY, sign([secret], "evt_1", now - 600, BODY), secret=secret)


def test_the_example_of_the_scheme_comes_out_alike():
    """https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"""
    headers = sign(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_nothing_leaves_unsigned():
    with pytest.raises(ValueError, match="no secret"):
        sign([], "evt_1", 1, BODY)


@pytest.mark.parametrize(
    "url", ["https://hooks.example/ark?to=a", "https://hooks.example:8443/", "http://127.0.0.1:81"]
)
def test_a_webhook_goes_to_public_addresses_and_to_those_that_are_allowed(settings, url):
    settings.FETCH_ALLOWED_PRIVATE_HOSTS = ["127.0.0.1:81"]
    assert check_webhook_url(url, "webhook_url") == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example",
        "http://hooks.example/",
        "https://hooks.example:5432/",
        "https://user:secret@hooks.example/",
        "https://169.254.169.254/",
        "https://localhost/",
        "https://hooks.example/\ud800",
        "https://hooks.example/" + "a" * 2000,
    ],
)
def test_a_webhook_goes_nowhere_else(url):
    with pytest.raises(InvalidValue) as refused:
        check_webhook_url(url, "webhook_url")
    assert refused.value.param == "webhook_url"
    assert "secret" not in refused.value.message
