"""A pool of three fake replicas, and what a gateway must be told of it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from tests.upstreams.replica import FakeReplica

# As clients call them; the replicas know them by other names.
CHAT_MODEL = "house-llama"
EMBEDDING_MODEL = "house-embedder"


@contextmanager
def pool_of_three(settings: Any, **behaviour: Any) -> Iterator[list[FakeReplica]]:
    """Replicas `a`, `b` and `c`, of which `settings.SELFHOSTED_POOLS` tells."""
    with ExitStack() as stack:
        replicas = [
            stack.enter_context(FakeReplica(name, models=("their-llama", "their-embedder"), **behaviour))
            for name in "abc"
        ]
        settings.SELFHOSTED_POOLS = {
            "gpus": {
                "replicas": [replica.base_url for replica in replicas],
                "models": {
                    CHAT_MODEL: {"upstream": "their-llama", "type": "chat", "credits": 1},
                    EMBEDDING_MODEL: {"upstream": "their-embedder", "type": "embedding", "credits": "0.1"},
                },
            }
        }
        yield replicas
