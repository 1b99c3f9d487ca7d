"""Days, weeks and months of the calendar in UTC, by which a key's credits are counted. Weeks begin on Monday."""

from datetime import datetime, timedelta

from accounts.models import ApiKey

Period = ApiKey.Period


def beginning(period: str, now: datetime) -> datetime:
    """The first moment of the period that `now`, in UTC, lies in."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if period == Period.DAY:
        return midnight
    if period == Period.WEEK:
        return midnight - timedelta(days=midnight.weekday())
    return midnight.replace(day=1)


def end(period: str, now: datetime) -> datetime:
    """The moment at which the next one begins: what was spent is forgotten then."""
    start = beginning(period, now)
    if period == Period.DAY:
        return start + timedelta(days=1)
    if period == Period.WEEK:
        return start + timedelta(days=7)
    return (start + timedelta(days=32)).replace(day=1)
