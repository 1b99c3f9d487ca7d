"""Tells the owners of keys that were refused for their own limit of credits.

Who refuses a call notes it in memory (`gateway.limits.spending`), which costs the call nothing; a chore of the same
process writes it down. Once a period: `Notice` refuses what was written before.
"""

from datetime import UTC, datetime

from accounts.callers import Caller
from accounts.database import run_in_database_thread
from gateway.limits.periods import beginning, end
from gateway.limits.spending import take_refused
from gateway.models import Notice, NoticeKind
from gateway.notices.looking import named


async def note_spent_keys() -> None:
    """Writes what this process has refused since the last time. Asks the database for nothing where that is nothing."""
    if callers := take_refused():
        await run_in_database_thread(_write, callers)


def _write(callers: list[Caller]) -> None:
    now = datetime.now(UTC)
    Notice.objects.bulk_create([_notice(caller, now) for caller in callers], ignore_conflicts=True)


def _notice(caller: Caller, now: datetime) -> Notice:
    period = caller.credit_period
    return Notice(
        user_id=caller.user_id,
        kind=NoticeKind.KEY_LIMIT,
        cause=f"{caller.line_id} {period} {beginning(period, now):%Y-%m-%d}",
        facts={
            "key": named(caller.key_name, f"{caller.key_prefix}…"),
            "limit": caller.credit_limit,
            "period": period,
            "ends_at": end(period, now).isoformat(),
        },
        next_at=now,
        created_at=now,
    )
