"""Which adapter speaks to which provider."""

from typing import Any

from gateway.errors import ProviderNotConfigured
from gateway.pools import find_pool
from gateway.providers.alibaba import Alibaba
from gateway.providers.bytedance import ByteDance
from gateway.providers.google import Google
from gateway.providers.kling import Kling
from gateway.providers.openai import OpenAI
from gateway.providers.sandbox import Sandbox
from gateway.providers.selfhosted import SelfHosted

PROVIDERS: dict[str, object] = {
    "alibaba": Alibaba(),
    "bytedance": ByteDance(),
    "google": Google(),
    "kling": Kling(),
    "openai": OpenAI(),
    "sandbox": Sandbox(),
}
# Of every pool: the engine's, and those that the operator names.
_SELFHOSTED = SelfHosted()


def get_provider(name: str) -> Any:
    """The adapter of a provider. Which protocols of `gateway.providers.base` it has, the types of its models say.

    Raises `ProviderNotConfigured` for a provider without an adapter.
    """
    adapter = PROVIDERS.get(name)
    if adapter is None and find_pool(name) is not None:
        return _SELFHOSTED
    if adapter is None:
        raise ProviderNotConfigured(f"The provider `{name}` is not supported here. Choose another model.")
    return adapter
