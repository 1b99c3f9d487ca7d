"""Where money meets a task, as `gateway.charge` is where it meets a call that is waited for.

A task is held for before it exists, and charged or released in the transaction in which it ends: these are the
ledger's verbs for both, with the receipt that is written along. A clip costs what was quoted for it, whatever its
provider makes.
"""

from datetime import datetime, timedelta
from typing import Any

from billing import ledger
from billing.verbs import Capture, Hold, Record, Release
from gateway.models import Receipt, VideoTask
from gateway.types import Usage

# A hold outlives its task's deadline by this: for the job loop to notice. Where none runs, the sweeper releases it.
GRACE = timedelta(minutes=10)


def hold(task: VideoTask, also: tuple[Any, ...]) -> Hold:
    """Sets the task's cost aside, and writes `also` (the task among them) if it could."""
    return Hold(
        account_id=task.account_id,
        hold_id=task.request_id,
        amount=task.cost,
        deadline=task.deadline + GRACE,
        also=also,
    )


def capture(task: VideoTask, now: datetime) -> Capture:
    """Charges the task's cost."""
    receipt = _receipt(task, Receipt.Outcome.SUCCEEDED, now, captured=task.cost)
    return Capture(account_id=task.account_id, hold_id=task.request_id, amount=task.cost, also=(receipt,))


def release(task: VideoTask, now: datetime) -> Release:
    receipt = _receipt(task, Receipt.Outcome.FAILED, now)
    return Release(account_id=task.account_id, hold_id=task.request_id, also=(receipt,))


def record_late(task: VideoTask, now: datetime) -> Record:
    """The receipt of a task whose hold was released before it came to its end."""
    return Record(also=(_receipt(task, Receipt.Outcome.LATE, now),))


def _receipt(task: VideoTask, outcome: Receipt.Outcome, now: datetime, *, captured: int = 0) -> ledger.NewRow:
    seconds = (task.duration or float(task.seconds)) if captured else 0.0
    values = {
        "id": task.request_id,
        "account_id": task.account_id,
        "api_key_id": task.api_key_id,
        "endpoint": task.endpoint,
        "model": task.model_id,
        "served_by": task.served_by,
        "stand_in": task.stand_in,
        "from_page": task.from_page,
        "outcome": outcome.value,
        "error_code": task.error_code,
        "quote": task.cost,
        "captured": captured,
        "overrun": 0,
        "usage": Usage(seconds=seconds, reported=task.duration is not None).as_dict(),
        "attempts": task.attempts,
        "milliseconds": int((now - task.created_at).total_seconds() * 1000),
        "overhead_microseconds": 0,
        "created_at": now,
    }
    return ledger.NewRow(Receipt, values)
