"""Sends the mails that are due. The table of notices is the queue.

A notice is claimed before its mail is handed over, so that of several processes one sends it; if that one dies before
it has written that it did, the mail may come twice. A mail server that does not take one is asked again after `PAUSES`;
then the notice is given up, since by then it is no news. Whether the user still wants it, and has an address to send it
to, is looked up at the last moment.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby
from smtplib import SMTPRecipientsRefused
from time import monotonic
from typing import Any

from allauth.account.models import EmailAddress
from django.core.mail import EmailMultiAlternatives
from django.db.models import F, QuerySet
from django.utils import timezone
from msgspec import Struct

from accounts.database import run_in_database_thread
from accounts.models import User
from gateway.models import Notice, NoticeKind
from gateway.notices.looking import look
from gateway.notices.mails import write_mail
from gateway.notices.preferences import preferences_of
from gateway.notices.words import words_of
from gateway.queue import claims

logger = logging.getLogger(__name__)
State = Notice.State

# Seconds from a try in vain to the next one.
PAUSES = (60, 5 * 60, 30 * 60, 2 * 3600, 6 * 3600)
AT_ONCE = 50
# A claim lasts a minute: what cannot be handed over in half of it is given back.
SECONDS = claims.LEASE.total_seconds() / 2
# What was told is remembered for longer than any cause can come again, but for balances, which are told again when they
# fall again.
KEPT = timedelta(days=90)


async def tell() -> None:
    """Looks for what there is to tell, and sends what is due. Raises what the database raises."""
    await run_in_database_thread(look)
    while claimed := await run_in_database_thread(claims.claim_due, _pending(), AT_ONCE):
        if not await _send_all(await run_in_database_thread(_write_mails, claimed)):
            return


def forget_old_notices() -> int:
    """Deletes what was told long ago. Returns how much."""
    old = Notice.objects.filter(created_at__lt=timezone.now() - KEPT).exclude(state=State.PENDING)
    return old.exclude(kind=NoticeKind.LOW_BALANCE).delete()[0]


def _pending() -> "QuerySet[Notice]":
    return Notice.objects.filter(state=State.PENDING)


class _Mail(Struct):
    message: EmailMultiAlternatives
    notices: list[Notice]


async def _send_all(mails: Sequence[_Mail]) -> bool:
    """Whether the mail server could be asked for all of them. If not, the others are due again in a while."""
    left = list(mails)
    began = monotonic()
    answers = True
    while left and answers and monotonic() - began < SECONDS:
        answers = await _send(left.pop(0))
    if notices := [notice for mail in left for notice in mail.notices]:
        await run_in_database_thread(claims.give_back, _pending(), notices, 0 if answers else PAUSES[0])
    return answers


async def _send(mail: _Mail) -> bool:
    """Whether the mail server answered; it may have refused this mail."""
    try:
        await asyncio.to_thread(mail.message.send)
    except SMTPRecipientsRefused as error:
        logger.warning("The mail server refuses the address of user %s: %s", mail.notices[0].user_id, error)
        await run_in_database_thread(_note_failure, mail.notices)
        return True
    except OSError as error:  # smtplib's errors among them
        logger.warning("A mail could not be sent, it is tried again: %s", error)
        await run_in_database_thread(_note_failure, mail.notices)
        return False
    except Exception:
        # A try like others: what can never be sent must come to an end, and keep no other mail waiting.
        logger.exception("The mail to user %s could not be sent", mail.notices[0].user_id)
        await run_in_database_thread(_note_failure, mail.notices)
        return True
    await run_in_database_thread(_end, mail.notices, State.SENT)
    return True


# --- In a database thread --------------------------------------------------------------------------------------------


def _write_mails(claimed: Sequence[Notice]) -> list[_Mail]:
    """Of those that somebody wants and can be reached for; the others are dropped. Videos of one user share a mail."""
    users = _reachable({notice.user_id for notice in claimed})
    preferences = preferences_of(users)
    wanted: list[Notice] = []
    unwanted: list[Notice] = []
    for notice in claimed:
        is_wanted = notice.user_id in users and preferences[notice.user_id].wants(notice.kind)
        (wanted if is_wanted else unwanted).append(notice)
    _end(unwanted, State.DROPPED)
    mails = []
    for _, group in groupby(sorted(wanted, key=_shares_a_mail), key=_shares_a_mail):
        notices = list(group)
        first = notices[0]
        words = words_of(first.kind, [notice.facts for notice in notices])
        mails.append(_Mail(write_mail(users[first.user_id], first.kind, words), notices))
    return mails


def _shares_a_mail(notice: Notice) -> tuple[int, str, int]:
    return notice.user_id, notice.kind, 0 if notice.kind == NoticeKind.VIDEO_ENDED else notice.pk


def _reachable(user_ids: set[int]) -> dict[int, User]:
    """Those whose account is open and whose address is verified."""
    verified = EmailAddress.objects.filter(user_id__in=user_ids, verified=True, email=F("user__email"))
    users = User.objects.filter(pk__in=verified.values("user_id"), is_active=True)
    return users.in_bulk()


def _end(notices: Sequence[Notice], state: str) -> None:
    changes: dict[str, Any] = {"state": state, "claim": "", "facts": {}}
    if state == State.SENT:
        changes["sent_at"] = timezone.now()
    _claimed(notices).update(**changes)


def _note_failure(notices: Sequence[Notice]) -> None:
    for notice in notices:
        tries = notice.tries + 1
        changes: dict[str, Any] = {"tries": tries, "claim": ""}
        if tries > len(PAUSES):
            logger.error("Notice %s of user %s is given up after %s tries", notice.kind, notice.user_id, tries)
            changes |= {"state": State.FAILED, "facts": {}}
        else:
            changes["next_at"] = timezone.now() + timedelta(seconds=PAUSES[tries - 1])
        _claimed([notice]).update(**changes)


def _claimed(notices: Sequence[Notice]) -> "QuerySet[Notice]":
    """Those that are still ours: a slow mail server may have outlasted the claim."""
    claim = {notice.claim for notice in notices}
    return Notice.objects.filter(pk__in=[notice.pk for notice in notices], claim__in=claim)
