"""Which of many to give up first."""

from collections import OrderedDict
from typing import Generic, TypeVar

from gateway.sessions.store import SHARE_OF_ONCE

Key = TypeVar("Key")


class Recency(Generic[Key]):
    """Keys in the order of their last use: those of sessions that came back apart from those that were seen once."""

    def __init__(self) -> None:
        self._once: OrderedDict[Key, None] = OrderedDict()
        self._proven: OrderedDict[Key, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._once) + len(self._proven)

    def touch(self, key: Key, *, proven: bool) -> None:
        """Notes a use."""
        now_in, before_in = (self._proven, self._once) if proven else (self._once, self._proven)
        before_in.pop(key, None)
        now_in[key] = None
        now_in.move_to_end(key)

    def drop(self, key: Key) -> None:
        self._once.pop(key, None)
        self._proven.pop(key, None)

    def oldest(self) -> list[Key]:
        """The one used least recently of either kind."""
        return [next(iter(keys)) for keys in (self._once, self._proven) if keys]

    def surplus(self, bound: int) -> Key | None:
        """The one to give up; None where there are no more than `bound`."""
        if len(self) <= bound:
            return None
        share = max(1, bound // SHARE_OF_ONCE)
        return next(iter(self._once if len(self._once) > share else self._proven))
