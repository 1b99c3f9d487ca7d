"""Where a model can be answered, in order of preference."""

from django.conf import settings
from msgspec.structs import replace

from gateway.catalog import get_model
from gateway.catalog.schema import Model
from gateway.errors import ProviderNotConfigured
from gateway.providers.base import Deployment
from gateway.providers.registry import PROVIDERS

# What answers for a model whose provider has no credentials, while stand-ins are on: the first that is there.
STAND_INS = {
    "chat": ("smollm2-135m-instruct", "sandbox-chat"),
    "embedding": ("sandbox-embedding",),
    "transcription": ("sandbox-transcription",),
    "image": ("sandbox-image",),
    "video": ("sandbox-video",),
}


def find_deployments(model: Model, *, tools: bool = False) -> list[Deployment]:
    """The places to try, best first. `tools` says that the request offers some.

    Raises `ProviderNotConfigured` where there is none.
    """
    own = _own_deployments(model)
    if own:
        return own
    if settings.ARKROUTE_STAND_INS:
        models = [get_model(name) for name in STAND_INS[model.type]]
        able = [one for one in models if not tools or one.chat is None or one.chat.tools]
        return [replace(deployment, stand_in=True) for one in able for deployment in _own_deployments(one)]
    raise ProviderNotConfigured(
        f"`{model.id}` is not available here: nothing is set up to answer it. Choose another from GET /v1/models."
    )


def is_available(model: Model) -> bool:
    """Whether a call to `model` has somewhere to go: those that have not are not listed."""
    return settings.ARKROUTE_STAND_INS or bool(_own_deployments(model))


def _own_deployments(model: Model) -> list[Deployment]:
    if model.provider not in PROVIDERS or (model.chat is not None and model.chat.api != "chat_completions"):
        return []  # no adapter speaks its protocol
    timeout = settings.PROVIDER_TIMEOUT_SECONDS or model.timeout_seconds
    if model.provider == "sandbox":
        return [Deployment(provider="sandbox", model=model, timeout=timeout)] if settings.ARKROUTE_STAND_INS else []
    if model.provider == "engine":
        return [Deployment(provider="engine", model=model, base_url=f"{settings.ENGINE_URL}/v1", timeout=timeout)]
    access = settings.PROVIDERS.get(model.provider, {"api_keys": [], "base_url": ""})
    return [
        Deployment(provider=model.provider, model=model, base_url=access["base_url"], api_key=api_key, timeout=timeout)
        for api_key in access["api_keys"]
    ]
