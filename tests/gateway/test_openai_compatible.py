"""The adapter for OpenAI-shaped servers, against one that speaks their wire format and fails as they do."""

import asyncio
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import pytest

from gateway.catalog.schema import ChatSpec, EmbeddingSpec, Model
from gateway.errors import ProviderError, ProviderFault
from gateway.providers.base import ChatProvider, Deployment, EmbeddingProvider, TranscriptionProvider
from gateway.providers.http import close_pools, pool
from gateway.providers.openai_compatible import OpenAICompatible
from gateway.providers.openai_errors import ErrorReader, classify
from gateway.providers.sse import EventReader
from gateway.types import ChatRequest, EmbeddingRequest, Usage
from tests.gateway.conftest import KEY
from tests.upstreams.openai import Behaviour, FakeOpenAI, vector_of

adapter = OpenAICompatible()


def make_model(**parts: Any) -> Model:
    defaults: dict[str, Any] = {
        "id": "gpt-test",
        "upstream": "their-gpt",
        "type": "chat",
        "credits": Decimal(1),
        "provider": "openai",
        "vendor": "OpenAI",
        "description": "A model to test with",
        "created": date(2026, 1, 1),
    }
    return Model(**{**defaults, **parts})


def chat_model(**parts: Any) -> Model:
    spec = {"context": 8192, "max_output": 4096, "input_usd": Decimal(1), "output_usd": Decimal(2)}
    return make_model(chat=ChatSpec(**{**spec, **parts}))


def at(upstream: FakeOpenAI, model: Model | None = None, **parts: Any) -> Deployment:
    defaults = {"base_url": upstream.base_url, "api_key": KEY, "timeout": 5.0}
    return Deployment(provider="openai", model=model or chat_model(), **{**defaults, **parts})


def chat_request(prompt: str = "Hello", **parts: Any) -> ChatRequest:
    fields = {name: parts.pop(name) for name in ("stream", "max_tokens", "n") if name in parts}
    messages = parts.pop("messages", [{"role": "user", "content": prompt}])
    body = {"model": "gpt-test", "messages": messages, **parts}
    return ChatRequest(model="gpt-test", messages=messages, body=body, input_tokens=7, **fields)


async def collect(deployment: Deployment, request: ChatRequest) -> list[dict[str, Any]]:
    chunks: list[dict[str, Any]] = []
    async for arrived in adapter.stream_chat(deployment, request):
        assert arrived, "an empty list is no arrival"
        chunks += [json.loads(chunk) for chunk in arrived]
    return chunks


def text_of(chunks: list[dict[str, Any]]) -> str:
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


async def refused(work: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await work
    assert KEY not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)
    return caught.value


def test_it_offers_what_such_servers_have() -> None:
    assert isinstance(adapter, ChatProvider)
    assert isinstance(adapter, EmbeddingProvider)
    assert isinstance(adapter, TranscriptionProvider)


# --- Chat ----------------------------------------------------------------------------------------------------------


async def test_a_chat_is_passed_on_and_its_answer_comes_back(upstream: FakeOpenAI) -> None:
    upstream.behaviour = Behaviour(cached_tokens=4)
    answer = await adapter.chat(at(upstream), chat_request("Hi"))
    assert answer.body["choices"][0]["message"]["content"] == upstream.behaviour.reply
    assert answer.usage == Usage(input_tokens=11, output_tokens=10, cached_tokens=4)
    (sent,) = upstream.requests
    assert (sent.method, sent.path) == ("POST", "/v1/chat/completions")
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.body == {"model": "their-gpt", "messages": [{"role": "user", "content": "Hi"}]}


async def test_without_a_key_none_is_sent() -> None:
    with FakeOpenAI() as open_server:
        await adapter.chat(at(open_server, api_key=""), chat_request())
        assert "authorization" not in open_server.requests[0].headers
        await close_pools()


async def test_unknown_fields_pass_through_and_our_own_do_not(upstream: FakeOpenAI) -> None:
    request = chat_request(top_k=5, seed=3, chat_template_kwargs={"thinking": False}, ark_stateful=True)
    await adapter.chat(at(upstream), request)
    sent = upstream.requests[0].body
    assert (sent["top_k"], sent["seed"], sent["chat_template_kwargs"]) == (5, 3, {"thinking": False})
    assert request.body["ark_stateful"] is True, "the request is the caller's"


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
async def test_the_output_limit_goes_under_the_name_that_the_model_wants(upstream: FakeOpenAI, field: str) -> None:
    request = chat_request(max_tokens=50)
    request.body |= {"max_tokens": 99, "max_completion_tokens": 99}
    await adapter.chat(at(upstream, chat_model(max_tokens_field=field)), request)
    sent = upstream.requests[0].body
    assert {name: sent[name] for name in sent if name.startswith("max_")} == {field: 50}


async def test_a_system_prompt_is_put_in_only_where_there_is_none(upstream: FakeOpenAI) -> None:
    deployment = at(upstream, chat_model(system_prompt="Be brief."))
    await adapter.chat(deployment, chat_request("Hi"))
    assert [one["role"] for one in upstream.requests[-1].body["messages"]] == ["system", "user"]
    for role in ("system", "developer"):
        messages = [{"role": role, "content": "Rhyme."}, {"role": "user", "content": "Hi"}]
        await adapter.chat(deployment, chat_request(messages=messages))
        assert upstream.requests[-1].body["messages"] == messages


async def test_an_effort_is_put_in_only_where_there_is_none(upstream: FakeOpenAI) -> None:
    deployment = at(upstream, chat_model(reasoning_effort="low"))
    await adapter.chat(deployment, chat_request())
    await adapter.chat(deployment, chat_request(reasoning_effort="high"))
    assert [one.body["reasoning_effort"] for one in upstream.requests] == ["low", "high"]


async def test_a_whole_answer_is_asked_for_without_stream_options(upstream: FakeOpenAI) -> None:
    request = chat_request(stream_options={"include_usage": True})
    request.body["stream"] = True
    await adapter.chat(at(upstream), request)
    assert not {"stream", "stream_options"} & set(upstream.requests[0].body)


@pytest.mark.parametrize(
    "behaviour", [Behaviour(usage=False), Behaviour(bad_usage=True), Behaviour(prompt_tokens=0, completion_tokens=0)]
)
async def test_usage_that_is_missing_or_nonsense_is_counted_by_us(upstream: FakeOpenAI, behaviour: Behaviour) -> None:
    upstream.behaviour = behaviour
    behaviour.reply = "äöü1"  # seven bytes
    answer = await adapter.chat(at(upstream), chat_request())
    assert answer.usage == Usage(input_tokens=7, output_tokens=3, reported=False)
    behaviour.tool_call = True
    answer = await adapter.chat(at(upstream), chat_request())
    assert answer.usage.output_tokens > 20


async def test_connections_are_kept_between_calls_and_replaced_when_stale(upstream: FakeOpenAI) -> None:
    before = upstream.connections
    for _ in range(3):
        await adapter.chat(at(upstream), chat_request())
    assert upstream.connections == before + 1
    upstream.behaviour = Behaviour(close_idle=True)
    for _ in range(3):
        await adapter.chat(at(upstream), chat_request())
    assert len(upstream.requests) == 6


# --- Streams -------------------------------------------------------------------------------------------------------


async def test_a_stream_comes_back_chunk_by_chunk_with_usage_at_its_end(upstream: FakeOpenAI) -> None:
    chunks = await collect(at(upstream), chat_request(stream=True, stream_options={"include_obfuscation": False}))
    assert text_of(chunks) == upstream.behaviour.reply
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == 10
    sent = upstream.requests[0].body
    assert sent["stream"] is True
    assert sent["stream_options"] == {"include_obfuscation": False, "include_usage": True}


async def test_the_connection_of_a_stream_is_used_again(upstream: FakeOpenAI) -> None:
    upstream.behaviour = Behaviour(reply="one", chunk_delay=0.01)  # the body's end comes after [DONE]
    before = upstream.connections
    for _ in range(3):
        await collect(at(upstream), chat_request(stream=True))
        async with asyncio.timeout(5):
            while not pool().idle_connections:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
    assert upstream.connections == before + 1


@pytest.mark.parametrize(
    "behaviour",
    [Behaviour(crlf=True), Behaviour(comments=True), Behaviour(split=1), Behaviour(split=7, crlf=True, comments=True)],
    ids=["crlf", "comments", "single bytes", "all at once"],
)
async def test_a_stream_may_be_written_in_any_way(upstream: FakeOpenAI, behaviour: Behaviour) -> None:
    upstream.behaviour = behaviour
    chunks = await collect(at(upstream), chat_request(stream=True))
    assert text_of(chunks) == behaviour.reply
    assert chunks[-1]["usage"]["prompt_tokens"] == 11


async def test_chunks_are_passed_on_as_they_arrive(upstream: FakeOpenAI) -> None:
    upstream.behaviour = Behaviour(stall_after=4)
    stream = adapter.stream_chat(at(upstream), chat_request(stream=True))
    got = 0
    while got < 4:
        got += len(await anext(stream))
    await stream.aclose()


async def test_tool_calls_come_in_fragments(upstream: FakeOpenAI) -> None:
    upstream.behaviour = Behaviour(tool_call=True)
    tools = [{"type": "function", "function": {"name": "weather"}}]
    chunks = await collect(at(upstream), chat_request(stream=True, tools=tools))
    calls = [call for chunk in chunks for choice in chunk["choices"] for call in choice["delta"].get("tool_calls", [])]
    assert calls[0]["function"]["name"] == "weather"
    assert json.loads("".join(call["function"]["arguments"] for call in calls)) == {"city": "Paris"}


async def test_a_stream_without_done_is_whole_once_the_model_came_to_its_end(upstream: FakeOpenAI) -> None:
    upstream.behaviour = Behaviour(no_done=True)
    assert text_of(await collect(at(upstream), chat_request(stream=True))) == upstream.behaviour.reply


@pytest.mark.parametrize("after", range(12))
async def test_a_stream_that_is_cut_is_broken_after_what_came(upstream: FakeOpenAI, after: int) -> None:
    got: list[bytes] = []

    async def read() -> None:
        async for arrived in adapter.stream_chat(
            at(upstream), chat_request(f"upstream:die_after={after}", stream=True)
        ):
            got.extend(arrived)

    assert (await refused(read())).kind is ProviderFault.BROKEN
    assert len(got) == after


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("upstream:error_after=3", ProviderFault.BROKEN),
        ("upstream:error_after=3 upstream:error_type=overloaded_error", ProviderFault.OVERLOADED),
        ("upstream:error_after=3 upstream:code=429", ProviderFault.RATE_LIMITED),
        ("upstream:error_after=3 upstream:code=content_filter", ProviderFault.CONTENT_POLICY),
        ("upstream:bad_chunk_after=3 upstream:die_after=4", ProviderFault.BROKEN),
    ],
)
async def test_an_error_in_a_stream_ends_it_after_what_came(
    upstream: FakeOpenAI, prompt: str, kind: ProviderFault
) -> None:
    got: list[bytes] = []

    async def read() -> None:
        async for arrived in adapter.stream_chat(at(upstream), chat_request(prompt, stream=True)):
            got.extend(arrived)

    assert (await refused(read())).kind is kind
    assert b"error" not in b"".join(got)
    assert len(got) >= 3


async def test_words_about_errors_are_no_errors(upstream: FakeOpenAI) -> None:
    upstream.behaviour = Behaviour(reply='say {"error": "none"} [DONE] data: x')
    chunks = await collect(at(upstream), chat_request(stream=True))
    assert text_of(chunks) == upstream.behaviour.reply


async def test_a_stall_is_a_timeout(upstream: FakeOpenAI) -> None:
    for stream, marker in ((True, "stall_after=3"), (True, "hang"), (False, "stall_after=1"), (False, "hang")):
        request = chat_request(f"upstream:{marker}", stream=stream)
        deployment = at(upstream, timeout=0.1)
        work = collect(deployment, request) if stream else adapter.chat(deployment, request)
        assert (await refused(work)).kind is ProviderFault.TIMEOUT


async def test_closing_a_stream_closes_the_connection(upstream: FakeOpenAI) -> None:
    stream = adapter.stream_chat(at(upstream), chat_request("upstream:stall_after=2", stream=True))
    await anext(stream)
    before = upstream.open_connections
    await stream.aclose()
    async with asyncio.timeout(5):
        while upstream.open_connections >= before:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_a_whole_answer_to_a_stream_is_broken(upstream: FakeOpenAI) -> None:
    upstream.behaviour = Behaviour(error_in_200=True, error_type="insufficient_quota")
    assert (await refused(collect(at(upstream), chat_request(stream=True)))).kind is ProviderFault.BALANCE
    upstream.behaviour = Behaviour(status=200, html=True)
    assert (await refused(collect(at(upstream), chat_request(stream=True)))).kind is ProviderFault.BROKEN
    upstream.behaviour = Behaviour(status=200, raw_body='{"id": "x", "choices": []}')
    assert (await refused(collect(at(upstream), chat_request(stream=True)))).kind is ProviderFault.BROKEN


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_events_are_read_from_pieces_of_any_size(end: str, size: int) -> None:
    lines = [
        ": hello",
        "",
        "event: x",
        'data: {"a":1}',
        "id: 7",
        "",
        "data:b",
        "data: c",
        "",
        "retry: 5",
        "",
        "data:",
        "",
        "data: last",
    ]
    stream = end.join(lines).encode()
    reader = EventReader()
    found = [data for start in range(0, len(stream), size) for data in reader.feed(stream[start : start + size])]
    assert found == [b'{"a":1}', b"b\nc", b""]
    assert reader.end() == [b"last"]


# --- Errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("upstream:status=400", ProviderFault.BAD_REQUEST),
        ("upstream:status=400 upstream:code=moderation_blocked", ProviderFault.CONTENT_POLICY),
        ("upstream:status=400 upstream:code=context_length_exceeded", ProviderFault.CONTEXT_LENGTH),
        ("upstream:status=401", ProviderFault.AUTH),
        ("upstream:status=404 upstream:code=model_not_found", ProviderFault.AUTH),
        ("upstream:status=422", ProviderFault.BAD_REQUEST),
        ("upstream:status=429 upstream:retry_after=7", ProviderFault.RATE_LIMITED),
        ("upstream:status=429 upstream:error_type=insufficient_quota", ProviderFault.BALANCE),
        ("upstream:status=500", ProviderFault.BROKEN),
        ("upstream:status=503", ProviderFault.OVERLOADED),
        ("upstream:status=502 upstream:html", ProviderFault.BROKEN),
        ("upstream:html", ProviderFault.BROKEN),
        ("upstream:status=302", ProviderFault.BROKEN),
        ("upstream:garbage", ProviderFault.BROKEN),
        ("upstream:refuse", ProviderFault.BROKEN),
    ],
)
async def test_a_failure_before_the_answer_is_named(
    upstream: FakeOpenAI, prompt: str, kind: ProviderFault, stream: bool
) -> None:
    request = chat_request(prompt, stream=stream)
    error = await refused(collect(at(upstream), request) if stream else adapter.chat(at(upstream), request))
    assert error.kind is kind
    assert error.retry_after == (7 if kind is ProviderFault.RATE_LIMITED else None)


@pytest.mark.parametrize("prompt", ["upstream:bad_json", "upstream:die_after=0", "upstream:error_in_200"])
async def test_an_answer_that_is_none_is_broken(upstream: FakeOpenAI, prompt: str) -> None:
    assert (await refused(adapter.chat(at(upstream), chat_request(prompt)))).kind is ProviderFault.BROKEN


async def test_a_refused_key_is_not_repeated_in_the_message(upstream: FakeOpenAI) -> None:
    error = await refused(adapter.chat(at(upstream, api_key="hemmelig-nøkkel"), chat_request()))
    assert error.kind is ProviderFault.AUTH
    assert "hemmelig" not in error.message
    assert "http" not in error.message
    assert "Incorrect API key provided" in error.message


def error_of(status: int, body: Any, **headers: str) -> ProviderError:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return classify(
        status, content, {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    )


LONG = ProviderFault.CONTEXT_LENGTH


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": {"code": 400, "type": "exceed_context_size_error", "message": "the request exceeds"}}, LONG),
        (400, {"object": "error", "message": "This model's maximum context length is 4096 tokens.", "code": 400}, LONG),
        (400, {"error": {"message": "The decoder prompt is longer than the maximum model length of 4096."}}, LONG),
        (400, {"message": "The input (9 tokens) is longer than the model's context length (5 tokens)."}, LONG),
        (500, {"error": {"message": "input is too large to process. increase the physical batch size"}}, LONG),
        (413, {"error": "`inputs` must have less than 512 tokens. Given: 1010", "error_type": "Validation"}, LONG),
        (
            413,
            {"error": "batch size 40 > maximum allowed batch size 32", "error_type": "Validation"},
            ProviderFault.BAD_REQUEST,
        ),
        (429, {"error": "Model is overloaded", "error_type": "overloaded"}, ProviderFault.OVERLOADED),
        (424, {"error": "Inference failed", "error_type": "backend"}, ProviderFault.BROKEN),
        (400, {"error": {"code": "billing_hard_limit_reached"}}, ProviderFault.BALANCE),
        (402, {"error": {"message": "Pay"}}, ProviderFault.BALANCE),
        (429, {"error": {"type": "insufficient_quota", "code": "credit_balance_exhausted"}}, ProviderFault.BALANCE),
        (500, {"error": {"code": "slow_down"}}, ProviderFault.OVERLOADED),
        (
            503,
            {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}},
            ProviderFault.OVERLOADED,
        ),
        (529, b"", ProviderFault.OVERLOADED),
        (403, {"error": {"code": "unsupported_country_region_territory"}}, ProviderFault.AUTH),
        (404, {"detail": "Not Found"}, ProviderFault.AUTH),
        (422, {"detail": [{"loc": ["body"], "msg": "field required"}]}, ProviderFault.BAD_REQUEST),
        (400, b"<html>Bad Request</html>", ProviderFault.BROKEN),
        (429, b"slow down", ProviderFault.RATE_LIMITED),
        (400, b"\xff\xfe", ProviderFault.BROKEN),
        (500, {"error": None}, ProviderFault.BROKEN),
        (500, [1], ProviderFault.BROKEN),
        (400, {"error": {"message": None, "code": [], "type": 5, "param": {}}}, ProviderFault.BAD_REQUEST),
    ],
)
def test_every_servers_errors_are_understood(status: int, body: Any, kind: ProviderFault) -> None:
    error = error_of(status, body)
    assert error.kind is kind
    assert error.status == status
    assert error.message


def test_the_field_at_fault_is_kept_and_long_messages_are_cut() -> None:
    error = error_of(400, {"error": {"message": "x" * 9999, "param": "messages[0].role"}})
    assert error.param == "messages[0].role"
    assert len(error.message) == 500
    assert error_of(422, {"detail": [{"msg": "field required"}]}).message == "field required"


def test_addresses_and_keys_are_taken_out_of_messages() -> None:
    message = "Key sk-abcdef***wxyz is wrong, see https://example.com/v1/keys?x=1 or wss://10.0.0.1:80, Bearer abc"
    assert error_of(401, {"error": message}).message == "Key … is wrong, see … or … …"


def test_the_wish_to_wait_is_read_in_every_form() -> None:
    def wish(**headers: str) -> float | None:
        return error_of(429, {}, **headers).retry_after

    assert wish(retry_after="7") == 7
    assert wish(retry_after="1.5") == 1.5
    assert wish(retry_after_ms="250", retry_after="7") == 0.25
    in_a_minute = wish(retry_after=format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True))
    assert in_a_minute is not None
    assert 55 < in_a_minute <= 60
    for nonsense in ("", "0", "-5", "soon", "1e999", "Mon, 01 Jan 1990 00:00:00 GMT", "é"):
        assert wish(retry_after=nonsense) is None
    assert wish(retry_after_ms="nan") is None


async def test_an_answer_that_was_filtered_away_is_content_policy(upstream: FakeOpenAI) -> None:
    upstream.behaviour = Behaviour(filtered=True)
    for work in (adapter.chat(at(upstream), chat_request()), collect(at(upstream), chat_request())):
        assert (await refused(work)).kind is ProviderFault.CONTENT_POLICY


async def test_an_answer_that_was_filtered_in_the_middle_is_delivered(upstream: FakeOpenAI) -> None:
    upstream.behaviour = Behaviour(finish_reason="content_filter")
    answer = await adapter.chat(at(upstream), chat_request())
    assert answer.body["choices"][0]["finish_reason"] == "content_filter"
    chunks = await collect(at(upstream), chat_request())
    assert text_of(chunks) == upstream.behaviour.reply
    assert chunks[-2]["choices"][0]["finish_reason"] == "content_filter"


async def test_a_vendor_with_errors_of_its_own_has_them_read_its_way(upstream: FakeOpenAI) -> None:
    def classify_theirs(status: int, body: bytes, headers: Any, *, secrets: Any) -> ProviderError:
        assert (status, json.loads(body), KEY in secrets) == (418, {"kettle": "dry"}, True)
        return ProviderError(ProviderFault.OVERLOADED, "theirs", status=status)

    def find_theirs(answer: Any, *, secrets: Any) -> ProviderError | None:
        return ProviderError(ProviderFault.BALANCE, "theirs") if "kettle" in answer else None

    theirs = OpenAICompatible(ErrorReader(classify_theirs, find_theirs))
    upstream.behaviour = Behaviour(status=418, raw_body='{"kettle": "dry"}')
    assert (await refused(theirs.chat(at(upstream), chat_request()))).kind is ProviderFault.OVERLOADED
    upstream.behaviour = Behaviour(raw_body='{"kettle": "dry"}')
    assert (await refused(theirs.chat(at(upstream), chat_request()))).kind is ProviderFault.BALANCE


async def test_a_vendor_s_own_error_in_a_stream_is_found(upstream: FakeOpenAI) -> None:
    def find_theirs(answer: Any, *, secrets: Any) -> ProviderError | None:
        return ProviderError(ProviderFault.BALANCE, "theirs") if answer.get("code") == "Arrearage" else None

    class Theirs(FakeOpenAI):
        def fault_error(self, behaviour: Behaviour) -> dict[str, Any]:
            return {"code": "Arrearage", "message": "pay"}

    theirs = OpenAICompatible(ErrorReader(find=find_theirs))
    with Theirs(api_key=KEY) as server:
        server.behaviour = Behaviour(error_after=3)
        chunks: list[bytes] = []

        async def read() -> None:
            async for arrived in theirs.stream_chat(at(server), chat_request()):
                chunks.extend(arrived)

        assert (await refused(read())).kind is ProviderFault.BALANCE
        assert len(chunks) == 3
        await close_pools()


# --- Embeddings ----------------------------------------------------------------------------------------------------


def embedding_model() -> Model:
    return make_model(type="embedding", embedding=EmbeddingSpec(dimensions=8))


def embedding_request(inputs: list[Any], **body: Any) -> EmbeddingRequest:
    body = {"model": "gpt-test", "input": inputs, **body}
    return EmbeddingRequest(model="gpt-test", inputs=inputs, body=body, input_tokens=5)


@pytest.mark.parametrize("behaviour", [Behaviour(), Behaviour(base64=True)], ids=["floats", "base64"])
@pytest.mark.parametrize("inputs", [["one"], ["one", "two", "three"], [[1, 2], [3]]])
async def test_each_input_gets_its_vector(upstream: FakeOpenAI, behaviour: Behaviour, inputs: list[Any]) -> None:
    upstream.behaviour = behaviour
    request = embedding_request(inputs, encoding_format="base64", ark_stateful=False)
    answer = await adapter.embed(at(upstream, embedding_model()), request)
    assert answer.vectors == [vector_of(one, 8) for one in inputs]
    assert answer.usage == Usage(input_tokens=11)
    sent = upstream.requests[0]
    assert sent.path == "/v1/embeddings"
    assert sent.body == {"model": "their-gpt", "input": inputs, "encoding_format": "float"}


async def test_dimensions_are_passed_on_and_missing_usage_is_our_estimate(upstream: FakeOpenAI) -> None:
    upstream.behaviour = Behaviour(usage=False)
    answer = await adapter.embed(at(upstream, embedding_model()), embedding_request(["one"], dimensions=3))
    assert len(answer.vectors[0]) == 3
    assert answer.usage == Usage(input_tokens=5, reported=False)


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(drop_vector=True),
        Behaviour(bad_json=True),
        Behaviour(error_in_200=True),
        Behaviour(raw_body='{"data": "none"}'),
        Behaviour(raw_body='{"data": [{"embedding": []}, {"embedding": []}]}'),
        Behaviour(raw_body='{"data": [{"embedding": "!"}, {"embedding": "!"}]}'),
        Behaviour(raw_body='{"data": [{"embedding": "AAA="}, {"embedding": "AAA="}]}'),
        Behaviour(raw_body='{"data": [{"embedding": [null]}, {"embedding": [1]}]}'),
    ],
)
async def test_embeddings_that_are_none_are_broken(upstream: FakeOpenAI, behaviour: Behaviour) -> None:
    upstream.behaviour = behaviour
    work = adapter.embed(at(upstream, embedding_model()), embedding_request(["one", "two"]))
    assert (await refused(work)).kind is ProviderFault.BROKEN
