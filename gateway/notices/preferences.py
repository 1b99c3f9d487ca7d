"""What each user wants to be told, and the links by which a mail can be turned off without signing in."""

from collections.abc import Iterable

from django.conf import settings
from django.core.signing import BadSignature, Signer

from accounts.models import User
from gateway.models import NoticeKind, NoticePreferences

MILLICREDITS = 1000
MOST_THRESHOLDS = 5
HIGHEST_THRESHOLD = 1_000_000
PATH = "notices/off"


def preferences_of(user_ids: Iterable[int]) -> dict[int, NoticePreferences]:
    """For each of the users; unsaved defaults where one has chosen nothing."""
    wanted = list(user_ids)
    chosen = NoticePreferences.objects.in_bulk(wanted)
    return {id_: chosen.get(id_) or NoticePreferences(user_id=id_) for id_ in wanted}


def preferences_of_one(user_id: int) -> NoticePreferences:
    return preferences_of([user_id])[user_id]


def low_balance_below(user_id: int) -> int | None:
    """The user's lowest threshold in millicredits: with less than it posted, pages say that credits run low.

    None where the user does not want to be told.
    """
    thresholds = preferences_of_one(user_id).thresholds
    return min(thresholds) * MILLICREDITS if thresholds else None


def turn_off(user_id: int, kind: NoticeKind) -> None:
    """Mails of that kind are not sent any more; all others are as before. Of a deleted account nothing is written."""
    if not User.objects.filter(pk=user_id, is_active=True).exists():
        return
    preferences = preferences_of_one(user_id)
    if kind == NoticeKind.LOW_BALANCE:
        preferences.thresholds = []
    else:
        setattr(preferences, kind.value, False)
    preferences.save()


def off_link(user_id: int, kind: str) -> str:
    """The address that turns off mails of that kind for that user. It holds for good, as mails are kept."""
    return f"{settings.PUBLIC_URL}/{PATH}/{_signer().sign(f'{user_id}:{kind}')}/"


def read_off_token(token: str) -> tuple[int, NoticeKind] | None:
    """The user and the kind that an `off_link` is of; None where it is none of ours."""
    try:
        user_id, _, kind = _signer().unsign(token).partition(":")
    except BadSignature:
        return None
    return int(user_id), NoticeKind(kind)


def _signer() -> Signer:
    return Signer(sep=".", salt="gateway.notices")
