"""Every provider's adapter has what its models' types need."""

import pytest

from gateway.catalog import list_models
from gateway.errors import ProviderNotConfigured
from gateway.providers.base import ChatProvider, EmbeddingProvider, ImageProvider
from gateway.providers.registry import PROVIDERS, get_provider

PROTOCOLS = {"chat": ChatProvider, "embedding": EmbeddingProvider, "image": ImageProvider}


@pytest.mark.parametrize("name", PROVIDERS)
def test_an_adapter_can_do_what_the_catalogue_promises(name: str) -> None:
    types = {model.type for model in list_models() if model.provider == name}
    lacking = {kind for kind in types & set(PROTOCOLS) if not isinstance(get_provider(name), PROTOCOLS[kind])}
    assert lacking == set()


def test_a_provider_without_an_adapter_is_not_configured() -> None:
    with pytest.raises(ProviderNotConfigured, match="`nobody`"):
        get_provider("nobody")
