"""Where a model can be answered, in order of preference."""

from django.conf import settings
from msgspec.structs import replace

from gateway.catalog import get_model
from gateway.catalog.schema import Model
from gateway.errors import Overloaded, ProviderNotConfigured
from gateway.pools import find_pool
from gateway.pools.health import look_first
from gateway.providers.base import Deployment
from gateway.providers.registry import PROVIDERS
from gateway.requests.support import check_support, lacks

# What answers for a model whose provider has no credentials, while stand-ins are on: the first that is there.
STAND_INS = {
    "chat": ("smollm2-135m-instruct", "sandbox-chat"),
    "embedding": ("all-minilm-l6-v2", "sandbox-embedding"),
    "transcription": ("whisper-base", "sandbox-transcription"),
    "image": ("sandbox-image",),
    "video": ("sandbox-video",),
}


async def find_deployments(model: Model, request: object = None) -> list[Deployment]:
    """The places to try for `request`, best first.

    Raises `ProviderNotConfigured` where there is none, `Overloaded` where all are being drained, and `InvalidValue` for
    what `model` does not take.
    """
    check_support(model, request)
    pool = find_pool(model.provider)
    if pool is not None:
        await look_first(pool)
    own = _own_deployments(model)
    if own:
        return own
    if settings.ARKROUTE_STAND_INS:
        return await _stand_ins(model, request)
    if pool is not None and pool.serves(model):
        raise Overloaded(f"All servers of `{model.id}` are being drained. Nothing was charged; try again later.")
    raise ProviderNotConfigured(
        f"`{model.id}` is not available here: nothing is set up to answer it. Choose another from GET /v1/models."
    )


def is_available(model: Model) -> bool:
    """Whether a call to `model` has somewhere to go: those that have not are not listed."""
    return settings.ARKROUTE_STAND_INS or bool(_own_deployments(model))


async def _stand_ins(model: Model, request: object) -> list[Deployment]:
    """What answers in the place of `model`: those stand-ins that can do what `request` asks for."""
    found: list[Deployment] = []
    for name in STAND_INS[model.type]:
        stand_in = get_model(name)
        if not lacks(stand_in, request):
            if (pool := find_pool(stand_in.provider)) is not None:
                await look_first(pool)
            found += _own_deployments(stand_in)
    return [replace(deployment, stand_in=True) for deployment in found]


def _own_deployments(model: Model) -> list[Deployment]:
    timeout = settings.PROVIDER_TIMEOUT_SECONDS or model.timeout_seconds
    pool = find_pool(model.provider)
    if pool is not None:
        return [
            Deployment(
                provider=pool.name,
                model=model,
                base_url=replica.url,
                api_key=replica.api_key,
                timeout=timeout,
                replica=replica,
            )
            for replica in pool.rank(model)
        ]
    if model.provider not in PROVIDERS or (model.chat is not None and model.chat.api != "chat_completions"):
        return []  # no adapter speaks its protocol
    if model.provider == "sandbox":
        return [Deployment(provider="sandbox", model=model, timeout=timeout)] if settings.ARKROUTE_STAND_INS else []
    access = settings.PROVIDERS.get(model.provider, {"api_keys": [], "base_url": ""})
    return [
        Deployment(provider=model.provider, model=model, base_url=access["base_url"], api_key=api_key, timeout=timeout)
        for api_key in access["api_keys"]
    ]
