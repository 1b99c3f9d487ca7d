"""Works on the rows of a table that fall due, as many at once as it may, until it is told to end.

The table is the queue (`claims`): any number of workers in any number of processes share it, and none has
to be told of what another left behind.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine
from time import monotonic
from typing import Any, Generic, TypeVar

from django.db import Error as DatabaseError
from django.db import models

from accounts.database import run_in_database_thread
from gateway.queue import claims

logger = logging.getLogger(__name__)
Row = TypeVar("Row", bound=models.Model)

# Seconds between two looks at a table where nothing was due.
PAUSE = 0.5
# How long an end waits for steps that are better finished than cut off. Seconds.
END_SECONDS = 20.0
# Between two tries of a database that is away: doubled each time, that long at most. Seconds.
AWAY_PAUSE, LONGEST_AWAY_PAUSE = 1.0, 8.0
# Until a row is tried again whose step went wrong unexpectedly. Seconds.
AFTER_TROUBLE = 15.0


class Worker(Generic[Row]):
    """`waiting` are the rows that can fall due. `step` takes one that this worker has claimed as far as it goes now.

    At most `most` at once, and of them no more of one kind than its `share`. A step that raises is logged, and its row
    is due again a while later.
    """

    def __init__(
        self,
        waiting: Callable[[], "models.QuerySet[Row]"],
        step: Callable[[Row], Awaitable[None]],
        most: int,
        share: claims.Share | None = None,
    ) -> None:
        self._waiting = waiting
        self._step = step
        self._most = most
        self._share = share
        self._steps: dict[asyncio.Task[None], Row] = {}
        self._something_is_due = asyncio.Event()
        self._renewed = monotonic()

    def wake(self) -> None:
        """Something fell due this moment: it is looked for at once. From the worker's own event loop."""
        self._something_is_due.set()

    async def run(self) -> None:
        """Until it is cancelled; then what is under way is given a moment to come to its end.

        A database that is away ends nothing: a step may hold what must be written when it is back.
        """
        pause = AWAY_PAUSE
        try:
            while True:
                try:
                    await self._renew()
                    await self._claim_and_start()
                    pause = AWAY_PAUSE
                except DatabaseError as error:
                    logger.error("The database cannot be asked what is due; it is tried again: %s", error)
                    # Our claims may have run out when it is back: first of all they are renewed.
                    self._renewed = -math.inf
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_AWAY_PAUSE)
        finally:
            await self._end()

    async def _claim_and_start(self) -> None:
        # Not one by one, where there is much to do: a claim is a transaction.
        while (room := self._most - len(self._steps)) < max(1, self._most // 4):
            await asyncio.wait(self._steps, return_when=asyncio.FIRST_COMPLETED, timeout=PAUSE)
            await self._renew()
        self._something_is_due.clear()
        held = list(self._steps.values())
        claiming = run_in_database_thread(claims.claim_due, self._waiting(), room, self._share, held)
        claimed = await self._to_the_end(claiming)
        for row in claimed:
            task = asyncio.create_task(self._try(row))
            self._steps[task] = row
            task.add_done_callback(self._forget)
        if self._share and claimed:
            return  # the next look passes over those that have their share now, and finds what is behind them
        if len(claimed) < room:
            await self._pause()

    async def _to_the_end(self, claiming: Coroutine[Any, Any, list[Row]]) -> list[Row]:
        """The rows that are claimed. If this is cancelled meanwhile, nobody has them."""
        task = asyncio.create_task(claiming)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            try:
                await self._give_back(await task, 0.0)
            except DatabaseError:
                logger.warning("whether something was claimed at the end is not known")
            raise

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(PAUSE):
                await self._something_is_due.wait()
        except TimeoutError:
            pass

    async def _try(self, row: Row) -> None:
        try:
            await self._step(row)
        except Exception:
            logger.exception("%s %s could not be worked on", type(row).__name__, row.pk)
            await self._give_back([row], AFTER_TROUBLE)

    def _forget(self, task: "asyncio.Task[None]") -> None:
        self._steps.pop(task, None)
        if self._share:
            self._something_is_due.set()  # one that was passed over may have its turn

    async def _renew(self) -> None:
        if monotonic() - self._renewed < claims.LEASE.total_seconds() / 4:
            return
        self._renewed = monotonic()
        if self._steps:
            await run_in_database_thread(claims.renew, self._waiting(), list(self._steps.values()))

    async def _end(self) -> None:
        if not self._steps:
            return
        _, unfinished = await asyncio.wait(list(self._steps), timeout=END_SECONDS)
        rows = [self._steps[task] for task in unfinished]
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        await self._give_back(rows, 0.0)

    async def _give_back(self, rows: list[Row], seconds: float) -> None:
        """Lets somebody else have them after so many seconds, rather than at the end of the lease."""
        if not rows:
            return
        try:
            await run_in_database_thread(claims.give_back, self._waiting(), rows, seconds)
        except DatabaseError:
            logger.warning("%d rows are due again when their claims run out", len(rows))
