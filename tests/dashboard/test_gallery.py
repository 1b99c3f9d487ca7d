"""The gallery: one's own results, with links that work, and their end."""

import io
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from secrets import token_hex

import pytest
from django.core.files.storage import default_storage
from django.test import Client

from accounts.models import User
from billing.ledger import open_account
from gateway.flows.gallery import forget_expired_pictures, list_pieces
from gateway.media import store_now
from gateway.models import StoredPicture, VideoTask
from tests.dashboard.receipts import make_receipt
from tests.pictures import picture

# The storage is told of deletions by other threads, which see what is committed.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alice() -> User:
    user = User.objects.create_user("alice@example.com")
    open_account(user)
    return user


@pytest.fixture
def browser(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def new_id(kind: str, made: datetime) -> str:
    return f"{kind}_{int(made.timestamp() * 1000):012x}{token_hex(16)}"


def make_picture(user: User, ago: timedelta = timedelta()) -> StoredPicture:
    made = datetime.now(UTC) - ago
    receipt = make_receipt(user, model="sandbox-image", endpoint="/v1/images/generations")
    return StoredPicture.objects.create(
        id=new_id("image", made),
        account_id=user.pk,
        request_id=receipt.pk,
        name=store_now(io.BytesIO(picture()), "image/png"),
        mime="image/png",
        created_at=made,
    )


def make_clip(user: User, ago: timedelta = timedelta(), **fields: object) -> VideoTask:
    made = datetime.now(UTC) - ago
    receipt = make_receipt(user, model="sandbox-video", endpoint="/v1/video/generations")
    values = {
        "id": new_id("video", made),
        "request_id": receipt.pk,
        "account_id": user.pk,
        "api_key_id": 1,
        "endpoint": "/v1/video/generations",
        "model": "sandbox-video",
        "model_id": "sandbox-video",
        "seconds": 5,
        "resolution": "720p",
        "cost": 5000,
        "state": "completed",
        "progress": 100,
        "media": store_now(io.BytesIO(b"clip"), "video/mp4"),
        "next_at": made,
        "deadline": made,
        "created_at": made,
        "ended_at": made,
    }
    return VideoTask.objects.create(**values | fields)


def page_of(browser: Client, path: str = "/gallery/") -> str:
    return unescape(browser.get(path).content.decode())


def sources_on(page: str) -> list[str]:
    return re.findall(r'<(?:img|video)[^>]* src="([^"]+)"', page)


def test_both_kinds_are_shown_the_newest_first_with_links_that_lead_to_them(browser, alice) -> None:
    make_picture(alice, timedelta(hours=2))
    make_clip(alice, timedelta(hours=1))
    make_picture(alice)
    links = sources_on(page_of(browser))
    assert [link.rpartition(".")[2] for link in links] == ["png", "mp4", "png"]
    assert browser.get(links[0].removeprefix("http://testserver")).status_code == 200
    assert len(sources_on(page_of(browser, "/gallery/?kind=image"))) == 2
    assert len(sources_on(page_of(browser, "/gallery/?kind=video"))) == 1


def test_what_is_another_users_forgotten_failed_or_past_its_days_is_not_shown(browser, alice, settings) -> None:
    bob = User.objects.create_user("bob@example.com")
    open_account(bob)
    long_ago = timedelta(days=settings.MEDIA_FILE_DAYS, minutes=1)
    make_picture(bob)
    make_clip(bob)
    make_picture(alice, long_ago)
    make_clip(alice, long_ago)
    make_clip(alice, forgotten=True)
    make_clip(alice, state="failed", progress=0, media="")
    assert "Nothing here yet" in page_of(browser)


def test_pages_follow_each_other_through_both_kinds(alice) -> None:
    made = [(make_clip if at % 3 == 0 else make_picture)(alice, timedelta(minutes=at)).pk for at in range(7)]
    seen, after = [], ""
    for _ in range(4):
        page = list_pieces(alice.pk, after=after, limit=2)
        seen += [piece.id for piece in page.pieces]
        after = page.next_cursor
    assert seen == made
    assert after == ""


def test_a_cursor_that_is_none_shows_the_newest(browser, alice) -> None:
    make_picture(alice)
    assert len(sources_on(page_of(browser, "/gallery/?after=zzz&kind=nonsense"))) == 1


def test_videos_under_way_are_told_of(browser, alice) -> None:
    make_clip(alice, state="running", progress=50, media="", ended_at=None)
    assert "1 video is being made" in page_of(browser)


@pytest.mark.parametrize("make", [make_picture, make_clip])
def test_what_is_deleted_is_gone_with_its_file(browser, alice, make) -> None:
    piece = make(alice)
    name = piece.name if isinstance(piece, StoredPicture) else piece.media
    assert default_storage.exists(name)
    assert browser.post(f"/gallery/{piece.pk}/delete/")["location"] == "/gallery/"
    assert not default_storage.exists(name)
    assert sources_on(page_of(browser)) == []
    assert browser.post(f"/gallery/{piece.pk}/delete/").status_code == 404


@pytest.mark.parametrize("make", [make_picture, make_clip])
def test_nobody_deletes_what_is_another_users(browser, make) -> None:
    bob = User.objects.create_user("bob@example.com")
    open_account(bob)
    piece = make(bob)
    name = piece.name if isinstance(piece, StoredPicture) else piece.media
    assert browser.post(f"/gallery/{piece.pk}/delete/").status_code == 404
    assert browser.get(f"/gallery/{piece.pk}/delete/")["location"] == "/gallery/"
    assert default_storage.exists(name)


def test_a_receipt_shows_what_the_call_made(browser, alice) -> None:
    stored = make_picture(alice)
    assert len(sources_on(page_of(browser, f"/usage/requests/{stored.request_id}/"))) == 1


def test_rows_of_pictures_go_when_their_files_do(alice, settings) -> None:
    kept = make_picture(alice, timedelta(days=settings.MEDIA_FILE_DAYS - 1))
    make_picture(alice, timedelta(days=settings.MEDIA_FILE_DAYS + 1))
    assert forget_expired_pictures() == 1
    assert [row.pk for row in StoredPicture.objects.all()] == [kept.pk]
