"""What only a gateway can show: that it takes what the SDK sends, and answers what the SDK's types say."""

from __future__ import annotations

import asyncio
import os
import uuid
from pathlib import Path

import httpx
import pytest

import arkroute
from arkroute import ArkRoute, AsyncArkRoute
from arkroute.types import Answer, ChatCompletionChunk, Record, TextAnswer, VideoTask

POOL = "llama-3.1-8b"


def declared(record: Record) -> set[str]:
    return set(type(record)._declared)


def say(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def test_a_picture_and_its_file(client: ArkRoute, tmp_path: Path) -> None:
    result = client.images.generate(model="sandbox-image", prompt="a cat", size="256x256", n=2)
    assert (result.credits, result.size, len(result.data)) == (2, "256x256", 2)
    assert result.request_id is not None
    assert result.request_id.startswith("req_")
    assert result["data"][0]["url"] == result.url
    path = client.images.download(result.data[1], tmp_path / "cat.png")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_picture_from_pictures(client: ArkRoute, picture: Path) -> None:
    by_form = client.images.edit(model="sandbox-image", image=picture, prompt="winter", size="128x128")
    by_json = client.images.generate(
        model="sandbox-image", image=picture, prompt="winter", size="128x128", response_format="b64_json"
    )
    assert by_form.url
    assert by_json.data[0].b64_json


def test_a_picture_that_is_streamed(client: ArkRoute) -> None:
    stream = client.images.generate(
        model="sandbox-image", prompt="a cat", size="128x128", stream=True, partial_images=1
    )
    assert [event.type for event in stream] == ["image_generation.partial_image", "image_generation.completed"]
    assert stream.credits == 1


def test_a_chat_whole_and_in_pieces(client: ArkRoute) -> None:
    completion = client.chat.completions.create(model="sandbox-chat", messages=say("hi there"))
    assert (completion.text, completion.credits) == ("You said: hi there", 1)
    assert completion.usage is not None
    assert completion.usage.total_tokens > 0
    with client.chat.completions.create(
        model="sandbox-chat", messages=say("hi there"), stream=True, stream_options={"include_usage": True}
    ) as stream:
        pieces = list(stream)
    assert "".join(piece.text for piece in pieces) == completion.text
    assert len(pieces) > 3
    assert stream.credits == 1


def test_a_call_of_a_tool_and_its_answer(client: ArkRoute) -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": parameters}}]
    messages: list[dict[str, object]] = [{"role": "user", "content": "What is the weather in Lisbon?"}]
    first = client.chat.completions.create(model="sandbox-chat", messages=messages, tools=tools).choices[0].message
    assert first.tool_calls is not None
    assert first.tool_calls[0].function.name == "get_weather"
    messages += [first, {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "sunny"}]
    assert client.chat.completions.create(model="sandbox-chat", messages=messages, tools=tools).text


def test_embeddings(client: ArkRoute) -> None:
    answer = client.embeddings.create(model="sandbox-embedding", input=["a", "b"], dimensions=8)
    assert [len(row.embedding) for row in answer.data] == [8, 8]
    assert answer.credits == 1


def test_a_recording_in_every_format(client: ArkRoute, recording: Path) -> None:
    speech = client.audio.transcriptions
    plain = speech.create(model="sandbox-transcription", file=recording)
    assert "sandbox speaking" in plain.text
    assert plain.credits == 1
    text = speech.create(model="sandbox-transcription", file=recording, response_format="text")
    assert isinstance(text, TextAnswer)
    assert text.strip() == plain.text
    assert text.credits == 1
    assert "-->" in speech.create(model="sandbox-transcription", file=recording.read_bytes(), response_format="vtt")
    timed = speech.create(
        model="sandbox-transcription",
        file=recording,
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert timed.duration == pytest.approx(2, abs=0.1)
    assert timed.words
    assert timed.segments
    events = list(speech.create(model="gpt-transcribe", file=recording, stream=True))
    assert events[-1].text == "".join(event.delta or "" for event in events)


def test_a_video_from_request_to_file(client: ArkRoute, picture: Path, tmp_path: Path) -> None:
    seen: list[VideoTask] = []
    video = client.videos.create_and_wait(
        model="sandbox-video",
        prompt="waves",
        duration=1,
        aspect_ratio="1:1",
        image=picture,
        on_progress=seen.append,
        poll_interval=0.2,
    )
    assert (video.status, video.progress, video.credits) == ("completed", 100, 1)
    assert (seen[0].status, seen[-1]) == ("processing", video)
    path = client.videos.download(video, tmp_path / "waves.mp4")
    assert path.read_bytes()[4:8] == b"ftyp"
    assert client.videos.download(video) == path.read_bytes()


def test_a_video_that_is_not_there_yet_then_cancelled(client: ArkRoute) -> None:
    task = client.videos.create(model="sandbox-video", prompt="sandbox:delay=20 waves", duration=1)
    assert task.price == 1
    with pytest.raises(arkroute.ConflictError) as early:
        client.videos.download(task)
    assert early.value.code == "task_not_ready"
    with pytest.raises(arkroute.VideoTimeoutError):
        client.videos.wait(task, timeout=0)
    assert client.videos.cancel(task).status == "cancelled"
    with pytest.raises(arkroute.VideoFailedError) as ended:
        client.videos.wait(task)
    assert ended.value.code == "cancelled"


def test_models_and_account(client: ArkRoute) -> None:
    models = client.models.list()
    model = client.models.retrieve("dall-e-3")
    assert {"sandbox-image", POOL} <= {one.id for one in models.data}
    assert model.pricing.credits == 2
    account = client.account.retrieve()
    assert account.credits.available == account.credits.balance - account.credits.held
    for record in (models.data[0], model, account, account.key, account.credits):
        assert not declared(record) - set(record), f"{type(record).__name__} declares what does not come"
    assert isinstance(account, Answer)


def test_the_models_need_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARKROUTE_API_KEY")
    with ArkRoute() as client:
        assert client.models.list().data


def test_a_session_stays_where_it_is(client: ArkRoute) -> None:
    session = client.session()
    for state in ("new", "hit", "hit"):
        session.chat.completions.create(model=POOL, messages=say("hi"))
        assert session.state == state
    assert session.id in {one.id for one in client.sessions.list().data}

    again = client.session(session.id)
    list(again.chat.completions.create(model=POOL, messages=say("hi"), stream=True))
    assert (again.state, again.id) == ("hit", session.id)
    session.delete()
    assert session.id not in {one.id for one in client.sessions.list().data}
    with pytest.raises(arkroute.NotFoundError):
        client.sessions.delete(str(uuid.uuid4()))

    plain = client.chat.completions.with_raw_response.create(model=POOL, messages=say("hi"))
    assert plain.headers["x-arkroute-session-state"] == "new"


def test_a_stateful_session_keeps_the_conversation(client: ArkRoute) -> None:
    with client.session(stateful=True) as session:
        for question in ("My name is Ada.", "What is my name?"):
            session.chat.completions.create(model=POOL, messages=say(question))
        [kept] = [one for one in client.sessions.list().data if one.id == session.id]
        assert kept.messages == 4
        assert not declared(kept) - set(kept)
    assert session.id not in {one.id for one in client.sessions.list().data}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("content_policy_violation", arkroute.BadRequestError),
        ("invalid_api_key", arkroute.AuthenticationError),
        ("insufficient_credits", arkroute.InsufficientCreditsError),
        ("key_not_allowed", arkroute.PermissionDeniedError),
        ("model_not_found", arkroute.NotFoundError),
        ("session_busy", arkroute.ConflictError),
        ("invalid_value", arkroute.UnprocessableEntityError),
        ("rate_limit_exceeded", arkroute.RateLimitError),
        ("provider_error", arkroute.InternalServerError),
        ("overloaded", arkroute.InternalServerError),
    ],
)
def test_refusals_are_errors_of_their_kind(client: ArkRoute, code: str, kind: type[arkroute.APIStatusError]) -> None:
    once = client.with_options(max_retries=0)
    with pytest.raises(arkroute.APIStatusError) as caught:
        once.chat.completions.create(model="sandbox-chat", messages=say(f"sandbox:fail={code}"), stream=True)
    assert type(caught.value) is kind
    assert caught.value.code == code
    assert caught.value.request_id
    assert caught.value.message


def test_a_limit_is_waited_for(client: ArkRoute) -> None:
    with pytest.raises(arkroute.RateLimitError):
        client.with_options(max_retries=1).chat.completions.create(
            model="sandbox-chat", messages=say("sandbox:fail=rate_limit_exceeded")
        )


def test_who_has_no_credits_is_told_so() -> None:
    with ArkRoute(os.environ["ARKROUTE_POOR_KEY"]) as poor:
        with pytest.raises(arkroute.InsufficientCreditsError) as caught:
            poor.images.generate(model="nano-banana-2", prompt="a cat")
        assert caught.value.code == "insufficient_credits"


def test_a_cap_refuses_what_could_cost_more(client: ArkRoute) -> None:
    with pytest.raises(arkroute.InsufficientCreditsError) as caught:
        client.images.generate(model="sandbox-image", prompt="a cat", max_credits=0.5)
    assert caught.value.code == "max_credits_exceeded"


def test_a_quote_is_what_the_call_costs_and_its_receipt_says_so(client: ArkRoute, recording: Path) -> None:
    quote = client.quotes.create(endpoint="/v1/images/generations", model="sandbox-image", prompt="a cat", n=2)
    assert (quote.credits, quote.ceiling) == (2, 2)
    result = client.images.generate(model="sandbox-image", prompt="a cat", n=2, size="64x64")
    receipt = client.receipts.retrieve(result.request_id)
    assert (receipt.status, receipt.credits, receipt.usage.images) == ("succeeded", 2, 2)
    page = client.receipts.list(limit=1)
    assert page.data[0] == receipt
    for record in (quote, quote.breakdown[0], receipt, receipt.attempts[0], receipt.timings, page):
        assert not declared(record) - set(record), f"{type(record).__name__} declares what does not come"
    spoken = client.quotes.create(endpoint="/v1/audio/transcriptions", model="whisper-1", file=recording)
    assert spoken == {
        **client.quotes.create(endpoint="/v1/audio/transcriptions", model="whisper-1", seconds=2),
        "expires_at": spoken.expires_at,
    }
    newest = next(client.receipts.iterate(limit=1, model="sandbox-image"))
    assert newest.id == receipt.id


def test_the_same_key_is_one_call_with_one_charge(client: ArkRoute, picture: Path) -> None:
    key = str(uuid.uuid4())
    edits = [
        client.images.with_raw_response.edit(
            model="sandbox-image", prompt="winter", image=picture, size="64x64", idempotency_key=key
        )
        for _ in range(2)
    ]
    assert [raw.headers.get("idempotent-replayed") for raw in edits] == [None, "true"]
    assert edits[0].content == edits[1].content
    assert edits[0].request_id == edits[1].request_id
    with pytest.raises(arkroute.UnprocessableEntityError) as caught:
        client.images.edit(model="sandbox-image", prompt="summer", image=picture, size="64x64", idempotency_key=key)
    assert caught.value.code == "idempotency_key_reused"


def test_a_lost_answer_is_fetched_without_a_second_charge() -> None:
    """The connection breaks when the request has arrived: the next try finds the call at work, and waits for it."""

    class Impatient(httpx.HTTPTransport):
        tries = 0

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            self.tries += 1
            if self.tries == 1:
                request.extensions["timeout"]["read"] = 0.7
            return super().handle_request(request)

    transport = Impatient()
    with httpx.Client(transport=transport) as theirs:
        client = ArkRoute(http_client=theirs)
        before = client.account.retrieve().credits.balance
        transport.tries = 0
        result = client.images.generate(model="sandbox-image", prompt="sandbox:delay=2 a cat", size="64x64")
        assert transport.tries > 1
        assert before - client.account.retrieve().credits.balance == result.credits == 1


def test_a_wrong_value_names_its_field(client: ArkRoute) -> None:
    with pytest.raises(arkroute.UnprocessableEntityError) as caught:
        client.images.generate(model="sandbox-image", prompt="a cat", size="huge")
    assert (caught.value.param, caught.value.code) == ("size", "invalid_value")


def test_nobody_at_the_address_is_a_connection_error() -> None:
    with (
        ArkRoute(base_url="http://127.0.0.1:9/v1", max_retries=0) as client,
        pytest.raises(arkroute.APIConnectionError),
    ):
        client.account.retrieve()


def test_a_page_in_place_of_the_api_is_unreadable() -> None:
    pages = os.environ["ARKROUTE_BASE_URL"].removesuffix("/v1") + "/docs"
    with ArkRoute(base_url=pages) as client, pytest.raises((arkroute.UnreadableAnswerError, arkroute.NotFoundError)):
        client.models.list()


async def test_all_of_it_in_asyncio(picture: Path, recording: Path, tmp_path: Path) -> None:
    async with AsyncArkRoute() as client:
        result, answer, transcript, video, account = await asyncio.gather(
            client.images.edit(model="sandbox-image", image=picture, prompt="winter", size="128x128"),
            client.embeddings.create(model="sandbox-embedding", input="a"),
            client.audio.transcriptions.create(model="sandbox-transcription", file=recording),
            client.videos.create_and_wait(model="sandbox-video", prompt="waves", duration=1, poll_interval=0.2),
            client.account.retrieve(),
        )
        assert result.data[0].url
        assert len(answer.data) == 1
        assert transcript.text
        assert account.email == "sdk@example.com"
        assert (await client.videos.download(video, tmp_path / "waves.mp4")).stat().st_size > 1000
        assert (await client.images.download(result.data[0], tmp_path / "cat.png")).stat().st_size > 100
        stream = await client.chat.completions.create(model="sandbox-chat", messages=say("hi"), stream=True)
        pieces: list[ChatCompletionChunk] = [piece async for piece in stream]
        assert "".join(piece.text for piece in pieces) == "You said: hi"
        async with client.session(stateful=True) as session:
            await session.chat.completions.create(model=POOL, messages=say("hi"))
            assert session.state == "new"
