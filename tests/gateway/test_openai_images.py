"""OpenAI's pictures: what it is sent, by its own SDK's types, and what becomes of its answers and its sketches."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from openai.types import image_edit_params, image_generate_params

from gateway.catalog import get_model, list_models
from gateway.errors import ProviderError, ProviderFault
from gateway.providers.base import Deployment, ImageProvider, ImageStreamProvider
from gateway.providers.openai import OpenAI
from gateway.types import ImageAnswer, ImageRequest, InputImage, PartialPicture, Usage
from tests.gateway.conftest import KEY
from tests.upstreams.contract import deploy, image_request, png, secrets_of
from tests.upstreams.openai import PNG, Behaviour, FakeOpenAI
from tests.upstreams.sdk_types import check_request

adapter = OpenAI()
MODELS = [model.id for model in list_models() if model.provider == "openai" and model.type == "image"]


def at(upstream: FakeOpenAI, name: str = "gpt-image-2") -> Deployment:
    return deploy(upstream, get_model(name), KEY)


def asked(name: str = "gpt-image-2", *, body: dict[str, Any] | None = None, **parts: Any) -> ImageRequest:
    request = image_request(get_model(name), **parts)
    request.body |= body or {}
    return request


async def draw(upstream: FakeOpenAI, request: ImageRequest) -> tuple[list[PartialPicture], ImageAnswer]:
    """The sketches, and the answer after them."""
    parts = [part async for part in adapter.stream_images(at(upstream), request)]
    answer = parts.pop()
    assert isinstance(answer, ImageAnswer)
    sketches = [part for part in parts if isinstance(part, PartialPicture)]
    assert len(sketches) == len(parts), "only the last is an answer"
    return sketches, answer


async def refused(work: Any, upstream: FakeOpenAI) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await work
    for secret in secrets_of(upstream, KEY):
        assert secret not in str(caught.value)
    return caught.value


def test_it_draws_whole_and_with_sketches() -> None:
    assert isinstance(adapter, ImageProvider)
    assert isinstance(adapter, ImageStreamProvider)


@pytest.mark.parametrize("name", MODELS)
async def test_every_model_is_asked_as_openai_documents_it(upstream: FakeOpenAI, name: str) -> None:
    spec = get_model(name).image
    assert spec is not None
    for quality in ("auto", *spec.qualities):
        for output_format in spec.formats:
            request = asked(name, quality=quality, output_format=output_format, n=2)
            answer = await adapter.generate_images(at(upstream, name), request)
            assert [(one.data, one.mime) for one in answer.pictures] == [(PNG, f"image/{output_format}")] * 2
    for sent in upstream.requests:
        assert sent.path == "/v1/images/generations"
        assert sent.body["model"] == get_model(name).upstream
        check_request(image_generate_params.ImageGenerateParamsNonStreaming, sent.body)


async def test_openai_s_own_options_go_along_and_ours_do_not(upstream: FakeOpenAI) -> None:
    theirs = {"background": "opaque", "moderation": "low", "output_compression": 40, "complexity": "low"}
    ours = {"response_format": "url", "image": None, "mask": None, "size": "1K", "stream": False, "partial_images": 0}
    request = asked(size="1536x1024", quality="low", output_format="webp", body=theirs | ours)
    answer = await adapter.generate_images(at(upstream), request)
    assert answer.usage == Usage(input_tokens=9, output_tokens=196, output_image_tokens=196, images=1)
    [sent] = upstream.requests
    assert sent.body == {
        "model": "gpt-image-2",
        "prompt": request.prompt,
        "n": 1,
        "size": request.size,
        "quality": "low",
        "output_format": "webp",
        **theirs,
    }


async def test_what_openai_does_not_know_comes_back_as_its_refusal(upstream: FakeOpenAI) -> None:
    error = await refused(adapter.generate_images(at(upstream), asked(body={"style": "vivid"})), upstream)
    assert (error.kind, error.status, error.param) == (ProviderFault.BAD_REQUEST, 400, "style")


async def test_pictures_are_made_from_pictures(upstream: FakeOpenAI) -> None:
    inputs = [InputImage(png(), "image/png"), InputImage(b"\r\n--x\r\n", "image/jpeg")]
    request = asked("gpt-image-1.5", body={"image": ["data:…"], "input_fidelity": "high", "a name": "x"})
    request.inputs, request.prompt = inputs, 'Sea, "blue"\r\nüber'
    answer = await adapter.generate_images(at(upstream, "gpt-image-1.5"), request)
    assert answer.pictures[0].data == PNG
    [sent] = upstream.requests
    assert sent.path == "/v1/images/edits"
    assert sent.files == [("image[]", one.mime, one.data) for one in inputs]
    assert sent.body["prompt"] == 'Sea, "blue"\r\nüber'
    assert (sent.body["n"], sent.body["input_fidelity"]) == ("1", "high")
    assert not {"image", "a name", "mask"} & set(sent.body)


async def test_a_mask_goes_along_with_the_pictures(upstream: FakeOpenAI) -> None:
    request = asked(inputs=1, mask=InputImage(png(), "image/png"))
    await adapter.generate_images(at(upstream), request)
    [sent] = upstream.requests
    assert [name for name, _, _ in sent.files] == ["image[]", "mask"]
    fields = {**sent.body, "n": int(sent.body["n"]), "image": [png()], "mask": png()}
    check_request(image_edit_params.ImageEditParamsNonStreaming, fields)


async def test_fewer_pictures_than_asked_for_are_what_came(upstream: FakeOpenAI) -> None:
    upstream.behaviour = Behaviour(most_images=3)
    answer = await adapter.generate_images(at(upstream), asked(n=4))
    assert (len(answer.pictures), answer.usage.images) == (3, 3)


@pytest.mark.parametrize("edit", [False, True])
async def test_sketches_come_before_the_picture(upstream: FakeOpenAI, edit: bool) -> None:
    sketches, answer = await draw(upstream, asked(inputs=int(edit), partial_images=2, output_format="webp"))
    assert sketches == [PartialPicture(PNG, "image/webp", 0, 0), PartialPicture(PNG, "image/webp", 1, 0)]
    assert [(one.data, one.mime) for one in answer.pictures] == [(PNG, "image/webp")]
    assert answer.usage == Usage(input_tokens=9, output_tokens=196, output_image_tokens=196, images=1)
    [sent] = upstream.requests
    assert sent.path == f"/v1/images/{'edits' if edit else 'generations'}"
    if edit:
        assert (sent.body["stream"], sent.body["partial_images"]) == ("true", "2")
    else:
        check_request(image_generate_params.ImageGenerateParamsStreaming, sent.body)


async def test_a_stream_without_sketches_is_the_picture(upstream: FakeOpenAI) -> None:
    sketches, answer = await draw(upstream, asked())
    assert (sketches, len(answer.pictures)) == ([], 1)


async def test_several_pictures_in_one_stream_are_counted_together(upstream: FakeOpenAI) -> None:
    sketches, answer = await draw(upstream, asked(n=2, partial_images=1))
    assert [sketch.picture for sketch in sketches] == [0, 1]
    assert answer.usage == Usage(input_tokens=18, output_tokens=392, output_image_tokens=392, images=2)


@pytest.mark.parametrize("behaviour", [Behaviour(split=1), Behaviour(crlf=True), Behaviour(comments=True)])
async def test_it_does_not_matter_how_the_stream_is_cut(upstream: FakeOpenAI, behaviour: Behaviour) -> None:
    upstream.behaviour = behaviour
    sketches, answer = await draw(upstream, asked(partial_images=3))
    assert (len(sketches), answer.pictures[0].data) == (3, PNG)


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (Behaviour(die_after=1), ProviderFault.BROKEN),
        (Behaviour(most_images=0), ProviderFault.BROKEN),
        (Behaviour(bad_chunk_after=1), ProviderFault.BROKEN),
        (Behaviour(error_after=1, code="moderation_blocked"), ProviderFault.CONTENT_POLICY),
        (Behaviour(error_in_200=True, code="rate_limit_exceeded"), ProviderFault.RATE_LIMITED),
        (Behaviour(status=503), ProviderFault.OVERLOADED),
        (Behaviour(html=True), ProviderFault.BROKEN),
    ],
)
async def test_a_stream_that_fails_gives_no_picture(
    upstream: FakeOpenAI, behaviour: Behaviour, kind: ProviderFault
) -> None:
    upstream.behaviour = behaviour
    assert (await refused(draw(upstream, asked(partial_images=2)), upstream)).kind is kind


async def test_leaving_a_stream_closes_the_connection(upstream: FakeOpenAI) -> None:
    upstream.behaviour = Behaviour(stall_after=1)
    async with aclosing(adapter.stream_images(at(upstream), asked(partial_images=2))) as parts:
        assert isinstance(await anext(parts), PartialPicture)
    async with asyncio.timeout(5):
        while upstream.open_connections:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    "body", ['{"data": []}', '{"data": [{"url": "https://x"}]}', '{"data": [{"b64_json": "!"}]}', "{}", "[]"]
)
async def test_pictures_that_are_none_are_broken(upstream: FakeOpenAI, body: str) -> None:
    upstream.behaviour = Behaviour(raw_body=body)
    work = adapter.generate_images(at(upstream), asked())
    assert (await refused(work, upstream)).kind is ProviderFault.BROKEN


async def test_a_refused_picture_is_content_policy(upstream: FakeOpenAI) -> None:
    upstream.behaviour = Behaviour(status=400, code="moderation_blocked", error_type="image_generation_user_error")
    error = await refused(adapter.generate_images(at(upstream), asked()), upstream)
    assert error.kind is ProviderFault.CONTENT_POLICY
