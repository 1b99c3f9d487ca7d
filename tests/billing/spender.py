"""A process that spends, for the tests that race several of them or kill one.

race ACCOUNT COUNT AMOUNT   waits for a line, holds and captures so often at once, prints how many succeeded
crash ACCOUNT CAUSE STEP    holds, then captures, and is killed at a step: `hold written`, `hold committed`,
                            `capture written` (in its transaction, before the COMMIT), `capture committed`
spend ACCOUNT               holds and captures until its input ends; prints `captured <cause>` for each that was
                            acknowledged, `unavailable` for each that was not
"""

import asyncio
import os
import signal
import sys
import traceback
import uuid
from datetime import datetime, timedelta

import django
from django.utils import timezone

django.setup()

from billing import ledger  # noqa: E402
from billing.books import Books  # noqa: E402


def soon() -> datetime:
    return timezone.now() + timedelta(minutes=10)


async def race(account: int, count: int, amount: int) -> None:
    print("ready", flush=True)
    sys.stdin.readline()

    async def spend_once() -> bool:
        cause = uuid.uuid4().hex
        try:
            await ledger.hold(account, amount, cause, deadline=soon())
        except ledger.InsufficientCredits:
            return False
        await ledger.capture(cause, account, amount)
        return True

    print(sum(await asyncio.gather(*(spend_once() for _ in range(count)))), flush=True)


async def crash(account: int, cause: str, step: str) -> None:
    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    verb, stage = step.split()
    write = Books.write

    def write_and_die(books: Books) -> None:
        write(books)
        if verb == ("capture" if books.entries else "hold"):
            die()

    if stage == "written":
        Books.write = write_and_die
    await ledger.hold(account, 1_000, cause, deadline=soon())
    if verb == "hold":
        die()
    await ledger.capture(cause, account, 600)
    die()


async def spend(account: int) -> None:
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

    async def keep_spending() -> None:
        while not ended.done():
            cause = uuid.uuid4().hex
            try:
                await ledger.hold(account, 1_000, cause, deadline=soon())
                await ledger.capture(cause, account, 600)
            except ledger.LedgerUnavailable:
                print("unavailable", flush=True)
                await asyncio.sleep(0.05)
            else:
                print("captured", cause, flush=True)

    await asyncio.gather(*(keep_spending() for _ in range(16)))


if __name__ == "__main__":
    mode, account, *rest = sys.argv[1:]
    modes = {"race": race, "crash": crash, "spend": spend}
    try:
        asyncio.run(modes[mode](int(account), *(map(int, rest) if mode == "race" else rest)))
    except BaseException:
        traceback.print_exc()
        os._exit(1)  # a thread may still wait for input
