"""Which adapter speaks to which provider."""

from typing import Any

from gateway.errors import ProviderNotConfigured
from gateway.providers.openai_compatible import OpenAICompatible
from gateway.providers.sandbox import Sandbox

PROVIDERS: dict[str, object] = {
    "engine": OpenAICompatible(),
    "openai": OpenAICompatible(),
    "sandbox": Sandbox(),
}


def get_provider(name: str) -> Any:
    """The adapter of a provider. Which protocols of `gateway.providers.base` it has, the types of its models say.

    Raises `ProviderNotConfigured` for a provider without an adapter.
    """
    try:
        return PROVIDERS[name]
    except KeyError:
        raise ProviderNotConfigured(f"The provider `{name}` is not supported here. Choose another model.") from None
