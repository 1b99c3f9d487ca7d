"""Which models a key is offered, and how a model that has to choose is told of each."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import pairwise
from typing import TypeVar

from accounts.callers import Caller
from gateway.catalog import Model, list_models
from gateway.catalog.schema import ImageSpec, ModelType, VideoSpec
from gateway.pricing import describe_price
from gateway.requests.videos import DEFAULT_MODEL
from gateway.routing.deployments import is_available

Value = TypeVar("Value")

# What is made with where the agent names no model, if the key may use it.
USUAL = {"image": "nano-banana-2", "video": DEFAULT_MODEL}


def offered(caller: Caller, kind: ModelType | None = None) -> list[Model]:
    """The models of a type, or all, that can be called here, by this key and today."""
    today = datetime.now(UTC).date()
    allowed = caller.allowed_models
    return [
        model
        for model in list_models()
        if (kind is None or model.type == kind)
        and (not allowed or model.id in allowed or model.type in allowed)
        and not model.is_retired(today)
        and is_available(model)
    ]


def usual(models: list[Model]) -> str:
    """The id of the one to take where none is named. Raises `IndexError` where there are none."""
    found = [model.id for model in models if model.id == USUAL.get(model.type)]
    return found[0] if found else models[0].id


def values_of(models: list[Model], values: Callable[[Model], Iterable[Value]]) -> list[Value]:
    """What any of the models takes, each value once."""
    return list(dict.fromkeys(value for model in models for value in values(model)))


def image_spec(model: Model) -> ImageSpec:
    assert model.image is not None, "a model of type image"
    return model.image


def video_spec(model: Model) -> VideoSpec:
    assert model.video is not None, "a model of type video"
    return model.video


def list_of(models: list[Model]) -> str:
    """The models in lines of Markdown."""
    return "\n".join(f"- `{model.id}`: {model.description} {details(model)}." for model in models)


def details(model: Model) -> str:
    """Price and abilities in one line: `2 credits a picture (4K x2); up to 14 reference pictures`."""
    parts = [f"{price_text(model)}{_factors(model)}"]
    if model.image is not None:
        parts += _image(model.image)
    elif model.video is not None:
        parts += _video(model.video)
    return "; ".join(parts)


def price_text(model: Model) -> str:
    """`2 credits a picture`, `25 credits for 5 s`."""
    price = describe_price(model)
    unit = {"image": "a picture", "video": f"for {price.get('seconds')} s"}.get(model.type, f"per {price['unit']}")
    return f"{price['credits']} credit{'' if price['credits'] == 1 else 's'} {unit}"


def _factors(model: Model) -> str:
    """What changes the price."""
    words = [
        f"{'' if name in ('tier', 'resolution') else f'{name} '}{value} x{factor:f}"
        for name, factors in model.multipliers.items()
        for value, factor in factors.items()
    ]
    return f" ({', '.join(words)})" if words else ""


def _image(spec: ImageSpec) -> list[str]:
    parts = [f"sizes {', '.join(spec.tiers)}"]
    if spec.max_inputs:
        parts.append(f"edits up to {spec.max_inputs} picture{'s' if spec.max_inputs > 1 else ''}")
    if spec.mask:
        parts.append("takes a mask")
    return parts


def _video(spec: VideoSpec) -> list[str]:
    frames = ["text"] if spec.text_input else []
    frames += ["first frame"] if spec.image_input else []
    frames += ["first and last frame"] if spec.last_frame else []
    parts = [f"{_ranges(spec.durations)} s", ", ".join(spec.resolutions), f"from {', '.join(frames)}"]
    if spec.audio:
        parts.append("sound by default" if spec.default_audio else "sound on request")
    return parts


def _ranges(numbers: tuple[int, ...]) -> str:
    """`2-12`, `5, 10`."""
    if len(numbers) > 2 and all(later == earlier + 1 for earlier, later in pairwise(numbers)):
        return f"{numbers[0]}-{numbers[-1]}"
    return ", ".join(map(str, numbers))
