"""The quickstart of the documentation, word for word: only the base URL and the key are changed."""

import json
import shlex

import httpx
import pytest
from openai import OpenAI

CURL_IMAGE = """\
curl -X POST https://api.ark-route.com/v1/images/generations \\
  -H "Authorization: Bearer YOUR_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{
    "model": "nano-banana-2",
    "prompt": "a cat astronaut floating in space, photorealistic",
    "n": 1,
    "size": "1024x1024"
  }'"""

CURL_CHAT = """\
curl -X POST https://api.ark-route.com/v1/chat/completions \\
  -H "Authorization: Bearer YOUR_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{
    "model": "gpt-5.5",
    "messages": [{"role": "user", "content": "Hello!"}],
    "max_tokens": 100
  }'"""


def run_curl(command: str, base_url: str, key: str) -> httpx.Response:
    """What curl would do with this command line."""
    command = command.replace("\\\n", " ").replace("https://api.ark-route.com", base_url).replace("YOUR_API_KEY", key)
    words = shlex.split(command)
    assert words[:3] == ["curl", "-X", "POST"]
    url, headers, data = words[3], {}, ""
    for flag, value in zip(words[4::2], words[5::2], strict=True):
        if flag == "-H":
            name, _, content = value.partition(": ")
            headers[name] = content
        elif flag == "-d":
            data = value
    return httpx.post(url, headers=headers, content=data, timeout=30)


def test_the_curl_example_makes_a_picture(gateway_url, alice) -> None:
    response = run_curl(CURL_IMAGE, gateway_url, alice.key)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert answer["created"] > 1_714_000_000
    assert answer["data"][0]["url"].startswith("http")
    assert "cat astronaut" in answer["data"][0]["revised_prompt"]
    assert response.headers["x-arkroute-credits"] == "2"
    assert response.headers["x-arkroute-stand-in"] == "true"


def test_the_python_example_makes_a_picture(gateway_url, alice) -> None:
    client = OpenAI(api_key=alice.key, base_url=f"{gateway_url}/v1")
    response = client.images.generate(
        model="seedream-4.5",
        prompt="a serene japanese garden at sunset",
        n=1,
        size="1024x1024",
    )
    assert response.data[0].url.startswith("http")
    assert alice.money()[0] == 500_000 - 3_000


@pytest.fixture
def engine(settings, upstream):
    """A server that answers as the engine would."""
    settings.ENGINE_URL = upstream.base_url.removesuffix("/v1")
    settings.PROVIDERS = {"openai": {"api_keys": [], "base_url": ""}}
    return upstream


def test_the_chat_example_is_answered_by_the_engine_and_says_so(gateway_url, alice, engine) -> None:
    response = run_curl(CURL_CHAT, gateway_url, alice.key)
    assert response.status_code == 200, response.text
    assert response.json()["choices"][0]["message"]["content"]
    assert response.json()["model"] == "gpt-5.5"
    assert response.headers["x-arkroute-stand-in"] == "true"
    assert response.headers["x-arkroute-model"].startswith("engine/")
    assert response.headers["x-arkroute-credits"] == "5"
    sent = json.loads(json.dumps(engine.requests[-1].body))
    assert sent["messages"][0] == {"role": "system", "content": "You are a helpful assistant."}


def test_the_python_chat_example(gateway_url, alice, engine) -> None:
    client = OpenAI(api_key=alice.key, base_url=f"{gateway_url}/v1")
    response = client.chat.completions.create(
        model="gpt-5.5",
        messages=[{"role": "user", "content": "Explain quantum computing in one sentence"}],
        max_tokens=100,
    )
    assert response.choices[0].message.content
