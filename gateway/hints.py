"""Hints that there is something new of a task, carried by Channels from whoever wrote it to whoever waits for it.

One channel for each event loop, whatever the number of tasks and followers, and one message for all tasks of a
transaction. A hint may be lost, or Redis be away: so each loop also asks the database, in one query, every few seconds.
"""

import asyncio
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

from channels.layers import get_channel_layer

from accounts.database import run_in_database_thread
from gateway.models import VideoTask

logger = logging.getLogger(__name__)

GROUP = "video.tasks"
# Seconds after which it is looked whether something was missed.
LOOK_AGAIN = 5.0
# Seconds that a hint may take; after one that failed none is tried until followers look for themselves.
TELL_SECONDS = 1.0
MOST_IN_A_QUERY = 1000


class Interrupted(Exception):
    """This process is about to end: another one tells the rest."""


class News:
    """What one follower waits for. `seen` is the number of the last event that it knows."""

    def __init__(self, listener: "_Listener", task_id: str, seen: int) -> None:
        self.task_id = task_id
        self.seen = seen
        self.come = asyncio.Event()
        self._listener = listener

    def forget(self) -> None:
        """Waits anew: what has come is about to be read. Raises `Interrupted`."""
        if self._listener.interrupted:
            raise Interrupted
        self.come.clear()

    async def come_within(self, seconds: float) -> bool:
        """Waits until there may be something new; false if nothing was heard for so long."""
        try:
            async with asyncio.timeout(seconds):
                return await self.come.wait()
        except TimeoutError:
            return False


@contextmanager
def waiting_for(task_id: str, seen: int) -> Iterator[News]:
    """Hears of a task until it is left."""
    listener = _listener()
    news = News(listener, task_id, seen)
    listener.add(news)
    try:
        yield news
    finally:
        listener.remove(news)


async def tell(task_ids: Iterable[str]) -> None:
    """Tells the followers of these tasks, in whatever process, that there is something new."""
    listener = _listener()
    names = list(task_ids)
    if not names or monotonic() < listener.silent_until:
        return
    layer: Any = get_channel_layer()
    try:
        async with asyncio.timeout(TELL_SECONDS):
            await layer.group_send(GROUP, {"type": "tasks.changed", "tasks": names})
    except Exception as error:  # whatever the layer's backend raises where it is away
        listener.silent_until = monotonic() + LOOK_AGAIN
        logger.warning("Followers of tasks cannot be told, and look for themselves: %r", error)


def interrupt() -> None:
    """Sends all followers of this loop away, so that it can end; and those who still come."""
    _listener().interrupt()


async def close() -> None:
    """Ends the listening of this loop."""
    listener = _listeners.pop(asyncio.get_running_loop(), None)
    if listener is not None:
        await listener.close()


class _Listener:
    """What one event loop hears. It begins with the first follower, and ends with the loop."""

    def __init__(self) -> None:
        self.interrupted = False
        self.silent_until = 0.0
        self._waiting: dict[str, set[News]] = {}
        self._work: list[asyncio.Task[None]] = []
        self._channel = ""

    def add(self, news: News) -> None:
        if not self._work:
            self._work = [asyncio.create_task(self._hear()), asyncio.create_task(self._look_now_and_then())]
        self._waiting.setdefault(news.task_id, set()).add(news)

    def remove(self, news: News) -> None:
        others = self._waiting[news.task_id]
        others.remove(news)
        if not others:
            del self._waiting[news.task_id]

    def interrupt(self) -> None:
        self.interrupted = True
        self._wake(list(self._waiting))

    async def close(self) -> None:
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        if self._channel:
            await self._leave()

    def _wake(self, task_ids: Iterable[str]) -> None:
        for task_id in task_ids:
            for news in self._waiting.get(task_id, ()):
                news.come.set()

    async def _hear(self) -> None:
        layer: Any = get_channel_layer()
        while True:
            try:
                self._channel = self._channel or await layer.new_channel()
                await layer.group_add(GROUP, self._channel)
                # What was written before we could hear it.
                self._wake(list(self._waiting))
                while True:
                    message = await layer.receive(self._channel)
                    self._wake(message["tasks"])
            except Exception as error:
                logger.warning("Hints of tasks cannot be heard; the database is asked now and then: %r", error)
            await asyncio.sleep(LOOK_AGAIN)

    async def _look_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(LOOK_AGAIN)
            try:
                await self._look()
                await self._stay()
            except Exception as error:
                logger.warning("It cannot be looked whether hints of tasks were lost: %r", error)

    async def _look(self) -> None:
        names = list(self._waiting)
        for start in range(0, len(names), MOST_IN_A_QUERY):
            some = names[start : start + MOST_IN_A_QUERY]
            going_on = await run_in_database_thread(_last_events, some)
            for name in some:
                for news in self._waiting.get(name, ()):
                    if going_on.get(name, news.seen + 1) > news.seen:
                        news.come.set()

    async def _stay(self) -> None:
        """Members of a group are forgotten after a day, and when Redis starts anew."""
        if self._channel:
            layer: Any = get_channel_layer()
            async with asyncio.timeout(LOOK_AGAIN):
                await layer.group_add(GROUP, self._channel)

    async def _leave(self) -> None:
        layer: Any = get_channel_layer()
        try:
            async with asyncio.timeout(TELL_SECONDS):
                await layer.group_discard(GROUP, self._channel)
        except Exception as error:
            logger.warning("A channel is told of tasks for another day, though nobody hears it: %r", error)


def _last_events(task_ids: list[str]) -> dict[str, int]:
    """The number of the last event of those tasks that go on."""
    going_on = VideoTask.objects.filter(pk__in=task_ids, ended_at=None)
    return dict(going_on.values_list("pk", "last_event"))


# A channel belongs to the event loop that hears it.
_listeners: WeakKeyDictionary[asyncio.AbstractEventLoop, _Listener] = WeakKeyDictionary()


def _listener() -> _Listener:
    loop = asyncio.get_running_loop()
    listener = _listeners.get(loop)
    if listener is None:
        listener = _listeners[loop] = _Listener()
    return listener
