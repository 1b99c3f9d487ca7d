"""Where a model can be answered, in order of preference."""

from django.conf import settings

from gateway.catalog import get_model
from gateway.catalog.schema import Model
from gateway.errors import ProviderNotConfigured
from gateway.providers.base import Deployment
from gateway.providers.registry import PROVIDERS

# What answers for a model whose provider has no credentials, while stand-ins are on.
STAND_INS = {
    "chat": "smollm2-135m-instruct",
    "embedding": "sandbox-embedding",
    "transcription": "sandbox-transcription",
    "image": "sandbox-image",
    "video": "sandbox-video",
}
# The chat stand-in that can call tools, which the engine's small model cannot.
TOOL_STAND_IN = "sandbox-chat"


def find_deployments(model: Model, *, tools: bool = False) -> list[Deployment]:
    """The places to try, best first. `tools` says that the request offers some.

    Raises `ProviderNotConfigured` where there is none.
    """
    own = _own_deployments(model)
    if own:
        return own
    if settings.ARKROUTE_STAND_INS:
        name = TOOL_STAND_IN if tools and model.type == "chat" else STAND_INS[model.type]
        return [_stand_in(deployment) for deployment in _own_deployments(get_model(name))]
    raise ProviderNotConfigured(
        f"`{model.id}` is not available here: its provider `{model.provider}` has no credentials. "
        "Choose another model from GET /v1/models.",
        retry_after=300,
    )


def is_available(model: Model) -> bool:
    """Whether a call to `model` has somewhere to go: those that have not are not listed."""
    return settings.ARKROUTE_STAND_INS or bool(_own_deployments(model))


def _own_deployments(model: Model) -> list[Deployment]:
    if model.provider not in PROVIDERS:
        return []
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


def _stand_in(deployment: Deployment) -> Deployment:
    return Deployment(
        provider=deployment.provider,
        model=deployment.model,
        base_url=deployment.base_url,
        api_key=deployment.api_key,
        timeout=deployment.timeout,
        stand_in=True,
    )
