"""What a process owns besides its code: work in the background, and things to put away in order at its end.

The ledger's writer, the HTTP pools and the connections to Redis are made where they are used, at first use, so they are
there under any server, in commands and in tests. This is the one place that knows all of them and closes them.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from enum import Flag, auto
from functools import partial
from typing import ClassVar, NamedTuple

from accounts.database import close_database_threads, run_in_database_thread
from billing import grants, group_commit, ledger
from billing.payments import checkout, stripe_gateway, top_up
from billing.payments import events as payment_events
from gateway import charge, events, idempotency, jobs, limits, media, prices, sessions
from gateway.flows import gallery
from gateway.inputs import forget_expired_inputs
from gateway.notices.sending import forget_old_notices, tell
from gateway.notices.spent_keys import note_spent_keys
from gateway.pools import draining, health, reports
from gateway.providers import http
from gateway.routing.keys import follow_disabled_keys
from gateway.sessions.load import count_sessions
from gateway.tasks.retention import purge_expired
from gateway.webhooks import sending

logger = logging.getLogger(__name__)


# A chore that fails again and again is tried less often, but this often at least. Seconds.
LONGEST_PAUSE = 30.0


class Part(Flag):
    """What a process is there for."""

    REQUESTS = auto()
    JOBS = auto()


class Chore(NamedTuple):
    """Something to do at once and then every so many seconds, if it comes to an end, where it is needed for `part`."""

    name: str
    seconds: float
    work: Callable[[], Awaitable[object]]
    part: Part = Part.REQUESTS | Part.JOBS


CHORES = (
    Chore("renewing the leases of open holds", 30, charge.renew_leases),
    Chore("renewing the leases of calls with a key", 30, idempotency.renew_leases, Part.REQUESTS),
    Chore("following which prices are promised", 1, prices.follow_quotes, Part.REQUESTS),
    Chore("telling Redis which requests are still open", 30, limits.renew_leases, Part.REQUESTS),
    Chore("releasing holds past their deadline", 15, ledger.sweep),
    Chore("asking replicas how they are", 1, health.look_after, Part.REQUESTS),
    Chore("reading which replicas are drained", 1, draining.follow_drains, Part.REQUESTS),
    Chore("following which provider keys are disabled", 1, follow_disabled_keys),
    Chore("counting the sessions of replicas", 5, count_sessions, Part.REQUESTS),
    Chore("reporting how replicas are", 1, reports.report, Part.REQUESTS),
    Chore("forgetting sessions that have ended", 30, sessions.tidy, Part.REQUESTS),
    Chore("bringing videos to their end", 1, jobs.run, Part.JOBS),
    Chore("sending webhooks", 1, sending.run, Part.JOBS),
    Chore("noting which keys have spent their credits", 5, note_spent_keys, Part.REQUESTS),
    Chore("telling users what happened by mail", 60, tell, Part.JOBS),
    Chore(
        "forgetting answers past their day",
        3600,
        partial(run_in_database_thread, idempotency.forget_expired_answers),
        Part.JOBS,
    ),
    Chore("forgetting quotes that are over", 3600, partial(run_in_database_thread, prices.forget_quotes), Part.JOBS),
    Chore("forgetting old notices", 3600, partial(run_in_database_thread, forget_old_notices), Part.JOBS),
    Chore(
        "forgetting prompts past their days", 3600, partial(run_in_database_thread, forget_expired_inputs), Part.JOBS
    ),
    Chore("handling what Stripe told", 5, payment_events.work_off, Part.JOBS),
    Chore("asking Stripe about payments of which nothing was heard", 60, checkout.look_after_unsettled, Part.JOBS),
    Chore("topping accounts up", 15, top_up.run, Part.JOBS),
    Chore("letting granted credits lapse", 300, partial(run_in_database_thread, grants.expire_lapsed), Part.JOBS),
    Chore("forgetting Stripe's old events", 3600, partial(run_in_database_thread, payment_events.purge_old), Part.JOBS),
    Chore("forgetting what was told of old videos", 3600, partial(run_in_database_thread, purge_expired), Part.JOBS),
    Chore("deleting media files past their days", 3600, partial(asyncio.to_thread, media.purge_expired), Part.JOBS),
    Chore(
        "forgetting pictures past their days",
        3600,
        partial(run_in_database_thread, gallery.forget_expired_pictures),
        Part.JOBS,
    ),
)


class Runtime:
    """One process's own. `draining` is true once it was told to end: /readyz says so, requests are still answered."""

    def __init__(self) -> None:
        self.draining = False
        self.parts = Part.REQUESTS | Part.JOBS
        self._chores: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Starts the work in the background on the running event loop, unless it runs already."""
        if not self._chores:
            self._chores = [asyncio.create_task(_repeat(chore)) for chore in CHORES if chore.part & self.parts]

    async def drain(self) -> None:
        """Ends the work in the background and closes what the process opened; the requests have ended before.

        Whatever is used after it is made anew, and `start` starts again.
        """
        for task in self._chores:
            task.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        self._chores = []
        try:
            await charge.renew_leases()
        except Exception:
            logger.exception("what was left to be settled could not be")
        await events.close()
        await limits.close()
        await sessions.close()
        await http.close_pools()
        await stripe_gateway.close()
        # Last, since until here something may still have been settled. They wait for threads, so not on the event loop.
        await asyncio.to_thread(group_commit.close)
        await asyncio.to_thread(close_database_threads)
        self.draining = False


async def _repeat(chore: Chore) -> None:
    pause = chore.seconds
    while True:
        try:
            await chore.work()
            pause = chore.seconds
        except Exception:
            # A database that is away for a minute must not end the chore for good, nor fill the log.
            pause = max(chore.seconds, min(2 * pause, LONGEST_PAUSE))
            logger.exception("%s failed; it is tried again in %s seconds", chore.name, pause)
        await asyncio.sleep(pause)


class _Process:
    """What belongs to this process alone: a forked child makes its own."""

    runtime: ClassVar[Runtime | None] = None

    @classmethod
    def forget(cls) -> None:
        cls.runtime = None


os.register_at_fork(after_in_child=_Process.forget)


def runtime() -> Runtime:
    """This process's runtime, made at the first call."""
    if _Process.runtime is None:
        _Process.runtime = Runtime()
    return _Process.runtime
