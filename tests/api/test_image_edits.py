"""`POST /v1/images/edits`: OpenAI's form of image-to-image, and its JSON."""

import base64
import io
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from PIL import Image

from gateway.models import Receipt
from tests.pictures import data_uri, mask, picture
from tests.upstreams.bytedance import FakeByteDance
from tests.upstreams.pictures import PictureServer

OPENAI = "gpt-image-2"
RED, GREEN, BLUE = ((255, 0, 0), (0, 255, 0), (0, 0, 255))
Files = list[tuple[str, tuple[str, bytes]]]


def edit(http: httpx.Client, person: Any, files: Files | None = None, **fields: Any) -> httpx.Response:
    if files is None:
        files = [("image", ("cat.png", picture()))]
    data = {"model": OPENAI, "prompt": "a hat", **fields}
    return http.post("/v1/images/edits", data=data, files=files, headers=person.headers)


def edit_json(http: httpx.Client, person: Any, **fields: Any) -> httpx.Response:
    body = {"model": OPENAI, "prompt": "a hat", **fields}
    return http.post("/v1/images/edits", json=body, headers=person.headers)


def assert_refused(response: httpx.Response, code: str, param: str) -> None:
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (422, code, param), response.text


@pytest.fixture
def client(gateway_url: str, alice) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=alice.key, base_url=f"{gateway_url}/v1", max_retries=0) as client:
        yield client


# --- What reaches the vendor ---------------------------------------------------------------------------------------


def test_a_form_reaches_openai_with_its_picture_its_mask_and_its_fields(http, alice, upstream) -> None:
    files = [("image", ("cat.png", picture())), ("mask", ("mask.png", mask()))]
    response = edit(http, alice, files, n="2", quality="low", background="opaque", size="1536x1024", user="u-1")
    assert response.status_code == 200, response.text
    assert len(response.json()["data"]) == 2
    sent = upstream.requests[-1]
    assert sent.path == "/v1/images/edits"
    assert sent.files == [("image[]", "image/png", picture()), ("mask", "image/png", mask())]
    assert sent.body == {
        **{"model": "gpt-image-2", "prompt": "a hat", "n": "2", "size": "1536x1024", "quality": "low"},
        **{"background": "opaque", "output_format": "png", "user": "u-1"},
    }
    receipt = Receipt.objects.get()
    assert (receipt.endpoint, receipt.captured) == ("/v1/images/edits", 2 * 1500)


@pytest.mark.parametrize("name", ["image", "image[]", "image[0]", "images[]"])
def test_several_pictures_under_any_usual_name(http, alice, upstream, name) -> None:
    pictures = [picture(colour=colour) for colour in (RED, GREEN, BLUE)]
    response = edit(http, alice, [(name, (f"{number}.png", data)) for number, data in enumerate(pictures)])
    assert response.status_code == 200, response.text
    assert [data for _, _, data in upstream.requests[-1].files] == pictures


def test_the_type_of_a_file_is_what_its_bytes_show(http, alice, upstream) -> None:
    assert edit(http, alice, [("image", ("cat.png", picture(kind="WEBP")))]).status_code == 200
    assert upstream.requests[-1].files[0][1] == "image/webp"


def test_an_edit_may_come_as_json(http, alice, upstream, settings) -> None:
    with PictureServer() as site:
        settings.FETCH_ALLOWED_PRIVATE_HOSTS = [f"127.0.0.1:{site.port}"]
        pictures = [{"image_url": data_uri(picture())}, {"image_url": site.add("/a.png", picture(colour=BLUE))}]
        response = edit_json(http, alice, images=pictures, mask={"image_url": data_uri(mask())}, output_compression=80)
    assert response.status_code == 422, "PNG cannot be compressed: the vendor says so"
    response = edit_json(http, alice, images=pictures[:1], mask=data_uri(mask()), input_fidelity=None)
    assert response.status_code == 200, response.text
    assert upstream.requests[0].files == [
        ("image[]", "image/png", picture()),
        ("image[]", "image/png", picture(colour=BLUE)),
        ("mask", "image/png", mask()),
    ]


def test_image_to_image_in_a_generation_takes_a_mask_too(http, alice, upstream) -> None:
    body = {"model": OPENAI, "prompt": "a hat", "image": data_uri(picture()), "mask": data_uri(mask())}
    response = http.post("/v1/images/generations", json=body, headers=alice.headers)
    assert response.status_code == 200, response.text
    assert [name for name, _, _ in upstream.requests[-1].files] == ["image[]", "mask"]


def test_other_vendors_are_given_the_picture_as_they_want_it(http, alice, settings) -> None:
    with FakeByteDance() as fake:
        settings.PROVIDERS = {"bytedance": {"api_keys": ["ark-edits"], "base_url": fake.base_url}}
        settings.FETCH_ALLOWED_PRIVATE_HOSTS = [f"127.0.0.1:{fake.port}"]
        response = edit(http, alice, model="seedream-4.5", n="2")
        assert response.status_code == 200, response.text
        assert [one.body["image"] for one in fake.requests if one.method == "POST"] == [data_uri(picture())] * 2


# --- What is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["seedream-4.5", "nano-banana-2", "qwen-image-2.0", "kling-image-v2-1"])
def test_a_model_that_cannot_use_a_mask_says_so(http, alice, name) -> None:
    files = [("image", ("cat.png", picture())), ("mask", ("mask.png", mask()))]
    assert_refused(edit(http, alice, files, model=name), "invalid_value", "mask")
    assert alice.money()[:2] == (500_000, 0)


@pytest.mark.parametrize(
    ("files", "code", "param"),
    [
        ([], "missing_required_parameter", "image"),
        ([("mask", ("m.png", mask()))], "missing_required_parameter", "image"),
        ([("image", ("c.png", picture())), ("mask", ("m.png", mask(32, 32)))], "invalid_image", "mask"),
        ([("image", ("c.png", picture())), ("mask", ("m.jpg", picture(kind="JPEG")))], "invalid_image", "mask"),
        ([("image", ("c.png", picture())), *[("mask", ("m.png", mask()))] * 2], "invalid_value", "mask"),
        ([("image", ("c.png", b"<svg/>"))], "invalid_image", "image"),
        ([("image", ("c.png", b""))], "invalid_image", "image"),
        ([("image", ("c.png", picture()))] * 17, "invalid_value", "image"),
        ([("image", ("c.png", picture())), ("markup", ("m.png", mask()))], "invalid_value", "markup"),
    ],
)
def test_pictures_that_do_not_do_are_refused(http, alice, upstream, files, code, param) -> None:
    # A form has to have a file, or httpx would send another kind.
    files = files or [("", ("", b""))]
    response = edit(http, alice, files)
    if files == [("", ("", b""))]:
        response = http.post(
            "/v1/images/edits",
            content=b'--x\r\ncontent-disposition: form-data; name="model"\r\n\r\ngpt-image-2\r\n'
            b'--x\r\ncontent-disposition: form-data; name="prompt"\r\n\r\na hat\r\n--x--\r\n',
            headers={**alice.headers, "content-type": "multipart/form-data; boundary=x"},
        )
    assert_refused(response, code, param)
    assert upstream.requests == []
    assert alice.money()[:2] == (500_000, 0)


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"prompt": ""}, "missing_required_parameter", "prompt"),
        ({"prompt": ["one", "two"]}, "invalid_value", "prompt"),
        ({"n": "eleven"}, "invalid_type", "n"),
        ({"n": "11"}, "invalid_value", "n"),
        ({"size": "huge"}, "invalid_value", "size"),
        ({"quality": "best"}, "invalid_value", "quality"),
        ({"response_format": "png"}, "invalid_value", "response_format"),
        ({"model": "sandbox-chat"}, "invalid_value", "model"),
        ({"partial_images": "2"}, "invalid_value", "partial_images"),
    ],
)
def test_a_field_that_does_not_do_is_named(http, alice, fields, code, param) -> None:
    assert_refused(edit(http, alice, **fields), code, param)


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({}, "missing_required_parameter", "image"),
        ({"images": []}, "missing_required_parameter", "image"),
        ({"images": [{"file_id": "file-1"}]}, "invalid_value", "images"),
        ({"images": [{}]}, "invalid_value", "images"),
        ({"images": "a"}, "invalid_type", "images"),
        ({"image": "https://127.0.0.1/a.png"}, "invalid_image_url", "image"),
        ({"image": data_uri(picture()), "mask": {"image_url": "https://localhost/a.png"}}, "invalid_image_url", "mask"),
        ({"image": data_uri(picture()), "mask": data_uri(b"<svg/>")}, "invalid_image", "mask"),
    ],
)
def test_a_json_edit_that_does_not_do_is_named(http, alice, fields, code, param) -> None:
    assert_refused(edit_json(http, alice, **fields), code, param)
    assert alice.money()[:2] == (500_000, 0)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"--y\r\n\r\n--y--\r\n"])
def test_what_is_no_form_is_refused(http, alice, content) -> None:
    headers = {**alice.headers, "content-type": "multipart/form-data; boundary=x"}
    response = http.post("/v1/images/edits", content=content, headers=headers)
    assert response.status_code in (400, 422)
    assert response.json()["error"]["code"] in ("invalid_json", "missing_required_parameter")


# --- The sandbox, and OpenAI's client ------------------------------------------------------------------------------


def picture_of(response: httpx.Response) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(response.json()["data"][0]["b64_json"]))).convert("RGB")


def test_the_sandbox_draws_on_the_picture(http, alice) -> None:
    fields = {"model": "sandbox-image", "size": "128x96", "response_format": "b64_json"}
    red, blue = (
        picture_of(edit(http, alice, [("image", ("a.png", picture(colour=colour)))], **fields))
        for colour in (RED, BLUE)
    )
    assert red.size == (128, 96)
    assert red.getpixel((64, 20)) != blue.getpixel((64, 20))


def test_the_sandbox_changes_what_the_mask_lets_it(http, alice) -> None:
    files = [("image", ("a.png", picture(256, 192, colour=GREEN))), ("mask", ("m.png", mask(256, 192)))]
    image = picture_of(edit(http, alice, files, model="sandbox-image", size="256x192", response_format="b64_json"))
    kept = [image.getpixel((x, y)) for x in range(140, 256, 8) for y in range(4, 60, 8)]
    changed = [image.getpixel((x, y)) for x in range(4, 116, 8) for y in range(4, 60, 8)]
    assert set(kept) == {GREEN}
    assert GREEN not in changed


def test_openais_client_edits(client) -> None:
    one = client.images.edit(model="sandbox-image", image=("cat.png", picture()), prompt="a hat", size="64x64")
    assert one.data[0].url.startswith("http")
    several = client.images.edit(
        model="sandbox-image",
        image=[("a.png", picture()), ("b.png", picture(colour=BLUE))],
        mask=("mask.png", mask()),
        prompt="a hat",
        size="64x64",
        response_format="b64_json",
    )
    assert Image.open(io.BytesIO(base64.b64decode(several.data[0].b64_json))).size == (64, 64)
    with pytest.raises(openai.UnprocessableEntityError) as caught:
        client.images.edit(model="seedream-4.5", image=picture(), mask=mask(), prompt="a hat")
    assert caught.value.param == "mask"
