"""Pictures that calls leave in our storage for their owner, and which calls came from a page of ours."""

import pytest

from gateway.flows.gallery import list_pieces
from gateway.media import open_stored
from gateway.models import Receipt, StoredPicture

pytestmark = pytest.mark.usefixtures("audited")

PICTURE = {"model": "sandbox-image", "prompt": "a cat", "size": "64x64"}


def test_each_picture_is_found_again_with_its_receipt(http, alice, charlie) -> None:
    response = http.post("/v1/images/generations", json={**PICTURE, "n": 2}, headers=alice.headers)
    assert response.status_code == 200, response.text
    pieces = list_pieces(alice.user.pk).pieces
    assert len({piece.name for piece in pieces}) == 2
    for piece in pieces:
        assert (piece.kind, piece.mime, piece.model) == ("image", "image/png", "sandbox-image")
        assert piece.request_id == response.headers["x-request-id"] == Receipt.objects.get().pk
        assert any(piece.name.rpartition("/")[2].split(".")[0] in shown["url"] for shown in response.json()["data"])
    assert list_pieces(charlie.user.pk).pieces == []


async def test_its_file_is_there(http, alice) -> None:
    http.post("/v1/images/generations", json=PICTURE, headers=alice.headers)
    stored = await StoredPicture.objects.aget()
    found = await open_stored(stored.name)
    found.file.close()
    assert found.mime == stored.mime


def test_pictures_in_the_answer_itself_are_kept_nowhere(http, alice) -> None:
    body = {**PICTURE, "response_format": "b64_json"}
    assert http.post("/v1/images/generations", json=body, headers=alice.headers).status_code == 200
    assert not StoredPicture.objects.exists()


def test_a_call_that_fails_leaves_none(http, alice) -> None:
    body = {**PICTURE, "prompt": "sandbox:fail=provider_error"}
    assert http.post("/v1/images/generations", json=body, headers=alice.headers).status_code == 500
    assert not StoredPicture.objects.exists()
    assert Receipt.objects.get().outcome == "failed"


@pytest.mark.parametrize(
    ("origin", "is_ours"), [("{own}", True), ("https://elsewhere.example", False), ("null", False), (None, False)]
)
def test_a_receipt_knows_whether_a_page_of_ours_called(http, gateway_url, alice, origin, is_ours: bool) -> None:
    headers = alice.headers | ({"origin": origin.format(own=gateway_url)} if origin else {})
    chat = {"model": "sandbox-chat", "messages": [{"role": "user", "content": "Hello!"}]}
    assert http.post("/v1/chat/completions", json=chat, headers=headers).status_code == 200
    assert Receipt.objects.get().from_page is is_ours


def test_so_does_the_receipt_of_a_video(http, gateway_url, alice) -> None:
    body = {"model": "sandbox-video", "prompt": "waves"}
    task = http.post("/v1/video/generations", json=body, headers=alice.headers | {"origin": gateway_url}).json()
    assert http.post(f"/v1/video/cancel/{task['task_id']}", headers=alice.headers).status_code == 200
    assert Receipt.objects.get().from_page
