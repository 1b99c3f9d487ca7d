"""What a user has here: shown on the user's own page."""

from collections.abc import Iterator

from django.urls import reverse
from django.utils.timesince import timesince

from accounts.admin_parts import Fact, Link, user_facts
from accounts.models import User
from gateway.models import Receipt, StoredPicture, VideoTask

# Counting stops here.
MOST = 1000


@user_facts("gateway.view_receipt")
def requests_of(user: User) -> Iterator[Fact]:
    last = Receipt.objects.filter(account_id=user.pk).order_by("-created_at").first()
    text = f"the last one {timesince(last.created_at, depth=1)} ago, {last.model}: {last.outcome}" if last else "none"
    failed = Link("Failed ones", f"{_list('receipt', user)}&status=failed")
    yield Fact("Requests", text, (Link("Receipts", _list("receipt", user)), failed))


@user_facts("gateway.view_videotask")
def videos_of(user: User) -> Iterator[Fact]:
    under_way = VideoTask.objects.filter(account_id=user.pk, ended_at__isnull=True)[:MOST].count()
    yield Fact("Videos", f"{under_way} under way", (Link("Videos", _list("videotask", user)),))


@user_facts("gateway.view_storedpicture")
def pictures_of(user: User) -> Iterator[Fact]:
    count = StoredPicture.objects.filter(account_id=user.pk)[:MOST].count()
    text = f"{count} in our storage" if count < MOST else f"{MOST} or more in our storage"
    yield Fact("Pictures", text, (Link("Pictures", _list("storedpicture", user)),))


def _list(model: str, user: User) -> str:
    return f"{reverse(f'admin:gateway_{model}_changelist')}?account={user.pk}"
