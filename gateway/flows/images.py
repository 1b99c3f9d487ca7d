"""Pictures: read the request, hold, ask, store, settle, answer."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from time import perf_counter, time
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from gateway.call import Call
from gateway.catalog.schema import Model
from gateway.charge import charging, check_balance
from gateway.errors import Overloaded, ProviderError
from gateway.flows import image_events
from gateway.flows.image_events import token_counts
from gateway.flows.results import Result, rows_of, take_results
from gateway.inputs import note_inputs
from gateway.limits.allowed import find_model
from gateway.media import signed_url
from gateway.prices import honoured
from gateway.pricing import Quote, quote
from gateway.providers.base import Deployment, ImageProvider, ImageStreamProvider
from gateway.providers.registry import get_provider
from gateway.requests.images import AskedImage, add_pictures, can_make, fit_image, refit_image
from gateway.routing.deployments import find_deployments
from gateway.routing.execute import execute, explain, note_failure
from gateway.together import together
from gateway.types import ImageAnswer, ImageRequest, PartialPicture, Usage

Got = TypeVar("Got")

# A provider that has been asked is paid for its pictures, whoever waits for them: when the client leaves, the call goes
# on until they are there. Seconds, longer than any provider may take.
LINGER_SECONDS = 1800.0


async def generate(call: Call, asked: AskedImage) -> dict[str, Any]:
    """OpenAI's images object: our own links with a top-level `url` of the first, or `b64_json`.

    The latter are bytes, which msgspec's JSON encoder writes as base64. Raises a `GatewayError`; then nothing was
    charged. Pictures are stored before they are charged: what is paid for can be fetched. Where a provider made only
    some of those asked for, these are answered and charged. So are those of a client that leaves (a cancellation is
    put off by `call.linger`) when a provider that we pay has been asked; before that it pays nothing.
    """
    job = await _read(call, asked)
    deployments = await _find_deployments(job)
    async with charging(call, job.quote()) as charge:
        made = await execute(call, deployments, lambda deployment: _paid(call, deployment, _make(deployment, job)))
        results = await take_results(call, made.answer.pictures, inline=job.request.b64)
        usage = replace(made.answer.usage, images=len(results))
        await charge.capture(usage, also=rows_of(call, results))
    data = [_render(result, made.request) for result in results]
    rendered: dict[str, Any] = {
        "created": int(time()),
        "model": made.request.model,
        "data": data,
        "size": made.request.size,
        "output_format": results[0].mime.removeprefix("image/"),
    }
    if made.request.quality != "auto":
        rendered["quality"] = made.request.quality
    if usage.reported:
        rendered["usage"] = token_counts(usage)
    if not made.request.b64:
        rendered["url"] = data[0]["url"]
    return rendered


async def stream(call: Call, asked: AskedImage) -> AsyncGenerator[list[bytes], None]:
    """The events of OpenAI's stream as JSON: sketches, where they are asked for and made, then each picture.

    Before the first it raises like `generate`, and a client that leaves pays as there; where that ends the work
    (`aclose`) after sketches were seen, it pays for the pictures that they are of. A provider that fails after its
    sketches (raised as a `GatewayError`) has made no picture: nothing is charged.
    """
    job = await _read(call, asked)
    deployments = await _find_deployments(job)
    async with charging(call, job.quote()) as charge:
        opened = await execute(call, deployments, lambda deployment: _paid(call, deployment, _open(deployment, job)))
        seen: set[int] = set()
        async with aclosing(opened.parts):
            try:
                part = opened.first
                while isinstance(part, PartialPicture):
                    seen.add(part.picture)
                    yield [image_events.sketch(asked.event, part, opened.request)]
                    part = await _next(call, opened.parts)
                results = await take_results(call, part.pictures, inline=True)
            except ProviderError as error:
                note_failure(call, error)
                raise explain(error) from error
            except (GeneratorExit, asyncio.CancelledError) as left:
                if seen:
                    await charge.capture(Usage(images=len(seen), reported=False), cut_by=left)
                raise
        usage = replace(part.usage, images=len(results))
        charged = await charge.capture(usage)
    for event in image_events.pictures(asked.event, results, opened.request, usage, charged):
        yield [event]


class _Job(Struct):
    """What is asked for, and the request for it to the model of the client's choice."""

    asked: AskedImage
    model: Model
    request: ImageRequest

    def quote(self) -> Quote:
        return honoured(self.model, lambda model: quote(model, self.request))

    def for_deployment(self, deployment: Deployment) -> ImageRequest:
        """The request as the model there can make it. A stand-in paints what the model that it stands for would."""
        if deployment.stand_in or deployment.model is self.model:
            return self.request
        return refit_image(self.asked, deployment.model, self.request)


async def _read(call: Call, asked: AskedImage) -> _Job:
    """The request with the pictures that came with it, or were fetched for it.

    The hold needs to know them, and fetching is work: not for those who could not pay for what is asked without them.
    """
    model = find_model(call, asked.fields.model)
    request = fit_image(asked, model)
    call.model = asked.fields.model
    note_inputs(call, asked.body)
    if asked.names_addresses:
        await check_balance(call, _Job(asked, model, request).quote().base)
    began = perf_counter()
    await add_pictures(asked, request, owner=call.caller.user_id)
    call.waited += perf_counter() - began
    return _Job(asked, model, request)


async def _find_deployments(job: _Job) -> list[Deployment]:
    """Those of the model, then those of its fallbacks that can make what is asked for."""
    deployments = [
        deployment
        for deployment in await find_deployments(job.model, job.request)
        if deployment.stand_in or deployment.model is job.model or can_make(deployment.model, job.request)
    ]
    if not deployments:
        raise Overloaded(
            f"`{job.model.id}` cannot be asked now, and its fallbacks take no such pictures. Nothing was charged; "
            "try again later."
        )
    return deployments


async def _paid(call: Call, deployment: Deployment, work: Coroutine[Any, Any, Got]) -> Got:
    """The result of `work` at the deployment. If that is paid, the call outlasts its client from here on."""
    if call.client_left:  # while another was asked, which failed
        work.close()
        raise asyncio.CancelledError
    call.linger = LINGER_SECONDS if deployment.is_external else 0.0
    try:
        return await work
    except BaseException:
        call.linger = 0.0
        raise


class _Made(Struct):
    """An answer, and the request as the model that answered was given it."""

    answer: ImageAnswer
    request: ImageRequest


async def _make(deployment: Deployment, job: _Job) -> _Made:
    request = job.for_deployment(deployment)
    return _Made(await _ask(deployment, request), request)


async def _ask(deployment: Deployment, request: ImageRequest) -> ImageAnswer:
    """All pictures of `request`: where the provider makes fewer in one request, by several at once.

    Where some of these fail, the others' pictures; where all fail, the first one's `ProviderError`.
    """
    provider: ImageProvider = get_provider(deployment.provider)
    spec = deployment.model.image
    assert spec is not None, "a model of type image"
    counts = [min(spec.per_call, request.n - begun) for begun in range(0, request.n, spec.per_call)]
    if len(counts) == 1:
        return await provider.generate_images(deployment, request)
    outcomes = await together(_try(provider, deployment, replace(request, n=count)) for count in counts)
    answers = [outcome for outcome in outcomes if isinstance(outcome, ImageAnswer)]
    if not answers:
        errors = [outcome for outcome in outcomes if isinstance(outcome, ProviderError)]
        # Of them all the one that forbids to ask again, if any does.
        raise max(errors, key=lambda error: error.may_have_begun)
    pictures = [picture for answer in answers for picture in answer.pictures]
    return ImageAnswer(pictures, _total([answer.usage for answer in answers]))


async def _try(provider: ImageProvider, deployment: Deployment, request: ImageRequest) -> ImageAnswer | ProviderError:
    try:
        return await provider.generate_images(deployment, request)
    except ProviderError as error:
        return error


def _total(usages: list[Usage]) -> Usage:
    counts = [name for name in Usage.__struct_fields__ if name != "reported"]
    sums = {name: sum(getattr(usage, name) for usage in usages) for name in counts}
    return Usage(**sums, reported=all(usage.reported for usage in usages))


class _Opened(Struct):
    """A stream whose first part has come, so that a failure before it was still another deployment's chance."""

    first: PartialPicture | ImageAnswer
    parts: AsyncGenerator[PartialPicture | ImageAnswer, None]
    request: ImageRequest


async def _open(deployment: Deployment, job: _Job) -> _Opened:
    request = job.for_deployment(deployment)
    provider = get_provider(deployment.provider)
    spec = deployment.model.image
    assert spec is not None, "a model of type image"
    if request.partial_images and request.n <= spec.per_call and isinstance(provider, ImageStreamProvider):
        parts = provider.stream_images(deployment, request)
    else:
        parts = _at_once(deployment, request)
    try:
        return _Opened(await anext(parts), parts, request)
    except BaseException:
        await parts.aclose()
        raise


async def _at_once(deployment: Deployment, request: ImageRequest) -> AsyncGenerator[PartialPicture | ImageAnswer, None]:
    yield await _ask(deployment, request)


async def _next(call: Call, parts: AsyncGenerator[PartialPicture | ImageAnswer, None]) -> PartialPicture | ImageAnswer:
    """What follows. The wait for it is not our own time."""
    began = perf_counter()
    try:
        return await anext(parts)
    finally:
        call.waited += perf_counter() - began


def _render(result: Result, request: ImageRequest) -> dict[str, Any]:
    shown: dict[str, Any] = {"b64_json": result.data} if request.b64 else {"url": signed_url(result.name)}
    return {**shown, "revised_prompt": result.revised_prompt or request.prompt}
