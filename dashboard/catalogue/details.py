"""What a model can do, line by line, for its own page."""

from dashboard.catalogue.offers import span, time_text
from gateway.catalog import list_models
from gateway.catalog.schema import (
    ChatSpec,
    EmbeddingSpec,
    ImageSpec,
    Model,
    TranscriptionSpec,
    VideoSpec,
)

Details = list[tuple[str, str]]


def details_of(model: Model) -> Details:
    """Names and values."""
    match getattr(model, model.type):
        case ChatSpec() as spec:
            return _chat(spec)
        case EmbeddingSpec() as spec:
            return [
                ("Dimensions", f"{spec.dimensions:,}{' or fewer' if spec.shortens else ''}"),
                ("Longest text", f"{spec.context:,} tokens"),
                ("Texts in a request", f"up to {spec.max_inputs:,}"),
            ]
        case TranscriptionSpec() as spec:
            return [
                ("Formats", ", ".join(spec.formats)),
                ("Times", "of words and segments" if spec.words else "of segments"),
                ("Longest recording", f"{time_text(spec.max_seconds)}, {spec.max_megabytes} MB"),
            ]
        case ImageSpec() as spec:
            return _image(spec)
        case VideoSpec() as spec:
            return _video(spec)
    return []


def leads_to(model: Model) -> Model | None:
    """The model that `model` is but another name for, at the same provider; None where it is one of its own."""
    return next(
        (
            other
            for other in list_models()
            if other.id == model.upstream != model.id and (other.provider, other.type) == (model.provider, model.type)
        ),
        None,
    )


def _chat(spec: ChatSpec) -> Details:
    tools = "yes" if spec.tools else "by force: with tool_choice" if spec.forced_tools else "no"
    return [
        ("Context", f"{spec.context:,} tokens"),
        ("Longest answer", f"{spec.max_output:,} tokens"),
        ("Reads images", "yes" if spec.vision else "no"),
        ("Tools", tools),
    ]


def _image(spec: ImageSpec) -> Details:
    sizes = f"{len(spec.sizes)} sizes" if spec.sizes else f"any, {spec.min_side:,} to {spec.max_side:,} pixels a side"
    inputs = f"up to {spec.max_inputs}" if spec.max_inputs else "none"
    return [
        ("Sizes", sizes),
        ("Images in a request", f"up to {spec.max_n}"),
        ("Reference images", f"{inputs}{', with a mask' if spec.mask else ''}"),
        ("Files", ", ".join(spec.formats)),
    ]


def _video(spec: VideoSpec) -> Details:
    begins = [name for name, takes in (("text", spec.text_input), ("an image", spec.image_input)) if takes]
    sound = "no"
    if spec.audio:
        sound = f"in {span(spec.audio_in)}" if spec.audio_in else "yes"
        sound += ", unless turned off" if spec.default_audio else ""
    return [
        ("Begins with", " or ".join(begins)),
        ("Lengths", f"{span(spec.durations)} s"),
        ("Resolutions", ", ".join(spec.resolutions)),
        ("Ratios", ", ".join(spec.ratios)),
        ("Last frame", "yes" if spec.last_frame else "no"),
        ("Sound", sound),
        ("Usually takes", f"about {time_text(spec.typical_seconds)}"),
    ]
