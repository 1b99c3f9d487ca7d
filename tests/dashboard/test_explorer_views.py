"""What the explorer shows of chats, embeddings and transcriptions, as far as it can be read without a browser."""

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from gateway.catalog import get_model
from gateway.catalog.parameters import parameters

pytestmark = pytest.mark.django_db

STATIC = Path(settings.BASE_DIR) / "static"
SCRIPTS = STATIC / "explorer"
# What would make elements of a text.
WRITES_HTML = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser")
# The one that shows what the server has escaped.
SHOWS_CODE = "code.js"
# The scripts of a panel, with the parts of it that they name.
PARTS_OF = {
    "chat": ["chat.js"],
    "embedding": ["embedding.js"],
    "transcription": ["transcription.js", "recording.js", "microphone.js", "transcript.js"],
}
NAMED = re.compile(r"\bparts\.(\w+)|const \{ ([\w, ]+) \} = this\.parts;")


@pytest.fixture(scope="module")
def panels() -> dict[str, str]:
    """Each panel's HTML up to the next panel's."""
    page = Client().get("/explorer/").content.decode()
    _, *pieces = re.split(r'(?=<div[^>]* data-view=")', page)
    return {re.findall(r'data-view="(\w+)"', piece)[0]: piece for piece in pieces}


@pytest.mark.parametrize("kind", PARTS_OF)
def test_a_panel_has_the_parts_that_its_scripts_name(kind: str, panels: dict[str, str]) -> None:
    named: set[str] = set()
    for script in PARTS_OF[kind]:
        for one, several in NAMED.findall((SCRIPTS / script).read_text()):
            named.update([one] if one else several.split(", "))
    assert named
    assert named <= set(re.findall(r'data-part="(\w+)"', panels[kind]))


@pytest.mark.parametrize(("name", "parts"), [("gpt-5.5", ["text", "image_url"]), ("smollm2-135m-instruct", ["text"])])
def test_a_chat_model_says_whether_messages_may_hold_pictures(name: str, parts: list[str]) -> None:
    message = parameters(get_model(name))["properties"]["messages"]["items"]
    (several,) = [kind for kind in message["properties"]["content"]["anyOf"] if kind["type"] == "array"]
    assert several["items"]["properties"]["type"]["examples"] == parts


def test_what_models_say_becomes_text_and_never_html() -> None:
    writing = {script.name for script in SCRIPTS.glob("*.js") if WRITES_HTML.search(script.read_text())}
    assert writing <= {SHOWS_CODE}


def test_the_parser_of_markdown_is_the_one_that_is_named_beside_it() -> None:
    folder = STATIC / "vendor" / "streaming-markdown"
    listed = json.loads((folder / "VENDOR.json").read_text())
    for file in listed:
        assert sha256((folder / file["file"]).read_bytes()).hexdigest() == file["sha256"], file
    assert {file["file"] for file in listed} | {"VENDOR.json"} == {file.name for file in folder.iterdir()}
