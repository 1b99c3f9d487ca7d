"""Where a model can be answered, in order of preference."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from msgspec import Struct
from msgspec.structs import replace

from gateway.catalog import get_model
from gateway.catalog.schema import Model
from gateway.errors import Overloaded, ProviderError, ProviderFault, ProviderNotConfigured
from gateway.pools import find_pool
from gateway.pools.health import look_first
from gateway.pools.pool import Pool
from gateway.providers.base import Deployment
from gateway.providers.registry import PROVIDERS
from gateway.requests.support import check_support, lacks
from gateway.routing import health, keys
from gateway.routing.execute import explain
from gateway.routing.rank import Candidate, Condition, rank, shortest_wait
from gateway.types import ChatRequest

# What answers for a model whose provider has no credentials, while stand-ins are on: the first that is there.
STAND_INS = {
    "chat": ("smollm2-135m-instruct", "sandbox-chat"),
    "embedding": ("all-minilm-l6-v2", "sandbox-embedding"),
    "transcription": ("whisper-base", "sandbox-transcription"),
    "image": ("sandbox-image",),
    "video": ("sandbox-video",),
}
# Another model's vectors cannot be compared with those that a client has stored.
WITHOUT_FALLBACKS = frozenset({"embedding"})


async def find_deployments(model: Model, request: object = None, *, takes_turn: bool = True) -> list[Deployment]:
    """The places to try for `request`, best first: those of `model`, then those of its fallbacks.

    A fallback is there for failures; it does not replace credentials that are missing. Who only wants to see where a
    request would go takes no key's turn. Raises `ProviderNotConfigured` where `model` has no place of its own,
    `Overloaded` or `ProviderFailed` where none may be asked now, and `InvalidValue` for what `model` does not take.
    """
    check_support(model, request)
    places = _find_places(model)
    pool = places.pool
    if pool is not None:
        await look_first(pool)
    own = places.deployments()
    if own:
        several_keys = pool is None and len(own) > 1
        return _ranked([*own, *_fallbacks(places, request)], several_keys=several_keys, takes_turn=takes_turn)
    is_drained = pool is not None and pool.serves(model)
    if is_drained and not _keeps_a_conversation(request) and (others := _fallbacks(places, request)):
        return _ranked(others)
    if settings.ARKROUTE_STAND_INS:
        return await _stand_ins(model, request)
    if is_drained:
        raise Overloaded(f"All servers of `{model.id}` are being drained. Nothing was charged; try again later.")
    raise ProviderNotConfigured(
        f"`{model.id}` is not available here: nothing is set up to answer it. Choose another from GET /v1/models."
    )


def find_again(model: Model, served_by: str, key_fingerprint: str) -> Deployment | None:
    """The place where `model` was asked before, by its label and our key; None where that key is not ours any more."""
    for deployment in _find_places(model).deployments():
        if (deployment.label, keys.known_as(deployment)) == (served_by, key_fingerprint):
            return deployment
    return None


def is_available(model: Model) -> bool:
    """Whether a call to `model` has somewhere to go: those that have not are not listed."""
    return settings.ARKROUTE_STAND_INS or bool(_find_places(model).deployments())


class _Places(Struct, frozen=True):
    """Where the settings have a model answered, one deployment for each key, and its fallbacks.

    A pool's deployments are its replicas, of which each call asks anew.
    """

    model: Model
    own: tuple[Deployment, ...] = ()
    pool: Pool | None = None
    fallbacks: "tuple[_Places, ...]" = ()

    def deployments(self) -> Sequence[Deployment]:
        return self.own if self.pool is None else _replicas(self.model, self.pool)


def _ranked(deployments: list[Deployment], *, several_keys: bool = True, takes_turn: bool = True) -> list[Deployment]:
    """In the order to try."""
    is_retiring = deployments[0].model.retires is not None
    if not (several_keys or is_retiring) and health.all_is_well() and keys.all_are_well():
        return deployments  # nothing could change their order
    candidates = [_candidate(deployment) for deployment in deployments]
    ranked = rank(candidates, day=datetime.now(UTC).date(), turn=keys.next_turn() if takes_turn else 0)
    if ranked:
        return ranked
    wait = shortest_wait(candidates)
    kind = ProviderFault.AUTH if wait is None else ProviderFault.OVERLOADED
    raise explain(ProviderError(kind, "nobody may be asked now", retry_after=wait))


def _candidate(deployment: Deployment) -> Candidate:
    """With what is known of its provider and its key."""
    if not deployment.is_external:
        return Candidate(deployment)
    if keys.is_disabled(deployment):
        return Candidate(deployment, Condition.DISABLED)
    circuit = health.find_circuit(deployment.label)
    if circuit is not None and circuit.wait:
        return Candidate(deployment, Condition.CLOSED, circuit.wait)
    rest = keys.find_rest(deployment)
    if rest is None:
        return Candidate(deployment)
    return Candidate(deployment, Condition.CLOSED if rest.is_stated else Condition.RESTING, rest.seconds)


def _fallbacks(places: _Places, request: object) -> list[Deployment]:
    """Those of other models that can do what `request` asks for."""
    return [
        deployment
        for fallback in places.fallbacks
        if _fits(fallback.model, request)
        for deployment in fallback.deployments()
    ]


def _fits(model: Model, request: object) -> bool:
    if lacks(model, request):
        return False
    if model.chat is None or not isinstance(request, ChatRequest):
        return True
    return request.input_tokens <= model.chat.context and (request.max_tokens or 0) <= model.chat.max_output


def _keeps_a_conversation(request: object) -> bool:
    return isinstance(request, ChatRequest) and bool(request.stateful)


async def _stand_ins(model: Model, request: object) -> list[Deployment]:
    """What answers in the place of `model`: those stand-ins that can do what `request` asks for."""
    found: list[Deployment] = []
    for name in STAND_INS[model.type]:
        stand_in = get_model(name)
        if not lacks(stand_in, request):
            places = _find_places(stand_in)
            if places.pool is not None:
                await look_first(places.pool)
            found += places.deployments()
    return [replace(deployment, stand_in=True) for deployment in found]


# By a model's id. Put together once: settings change under test alone.
_known: dict[str, _Places] = {}


def _find_places(model: Model) -> _Places:
    places = _known.get(model.id)
    if places is None or places.model is not model:
        fallbacks = [_places(fallback) for fallback in _fallback_models(model)]
        places = replace(_places(model), fallbacks=tuple(one for one in fallbacks if one.own or one.pool is not None))
        _known[model.id] = places
    return places


def _fallback_models(model: Model) -> list[Model]:
    """As the catalogue names them; the operator's aliases may lead on from there."""
    found: list[Model] = []
    if model.type not in WITHOUT_FALLBACKS:
        for name in model.fallbacks:
            fallback = get_model(name)
            if fallback.type == model.type and fallback.id not in (model.id, *(one.id for one in found)):
                found.append(fallback)
    return found


def _places(model: Model) -> _Places:
    """Without its fallbacks."""
    pool = find_pool(model.provider)
    return _Places(model, pool=pool) if pool is not None else _Places(model, _keyed_deployments(model))


def _keyed_deployments(model: Model) -> tuple[Deployment, ...]:
    if model.provider not in PROVIDERS:
        return ()  # no adapter speaks its protocol
    timeout = _timeout(model)
    if model.provider == "sandbox":
        return (Deployment(provider="sandbox", model=model, timeout=timeout),) if settings.ARKROUTE_STAND_INS else ()
    access = settings.PROVIDERS.get(model.provider, {"api_keys": [], "base_url": ""})
    return tuple(
        Deployment(provider=model.provider, model=model, base_url=access["base_url"], api_key=api_key, timeout=timeout)
        for api_key in access["api_keys"]
    )


def _replicas(model: Model, pool: Pool) -> list[Deployment]:
    timeout = _timeout(model)
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


def _timeout(model: Model) -> float:
    timeout: float = settings.PROVIDER_TIMEOUT_SECONDS or model.timeout_seconds
    return timeout


def _forget(**kwargs: Any) -> None:
    _known.clear()


setting_changed.connect(_forget)
