"""All vendors' contracts: each vendor's module adds its own here."""

from tests.upstreams import alibaba, bytedance, google, kling, openai
from tests.upstreams.contract import Contract

CONTRACTS: tuple[Contract, ...] = (
    *alibaba.CONTRACTS,
    *bytedance.CONTRACTS,
    *google.CONTRACTS,
    *kling.CONTRACTS,
    *openai.CONTRACTS,
)


def find_contract(provider: str, capability: str) -> Contract:
    found = [one for one in CONTRACTS if (one.provider, one.capability) == (provider, capability)]
    assert len(found) == 1, f"{len(found)} contracts for {capability} of {provider}"
    return found[0]
