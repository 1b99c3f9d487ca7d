"""The reference of the API: a page made of the OpenAPI description."""

import json
import re
import shlex
from html import unescape

import pytest
from django.test import Client

from api.openapi.document import read_document
from dashboard.reference.fields import fields_of
from dashboard.reference.operations import list_tags

pytestmark = pytest.mark.django_db

DOCUMENT = read_document()
OPERATIONS = {operation.id: operation for tag in list_tags(DOCUMENT) for operation in tag.operations}


@pytest.fixture(scope="module")
def html(django_db_setup, django_db_blocker) -> str:
    with django_db_blocker.unblock():
        return Client().get("/docs/api/").content.decode()


def test_every_operation_is_there_and_can_be_linked_to(html) -> None:
    described = {told["operationId"] for item in DOCUMENT["paths"].values() for told in item.values()}
    assert OPERATIONS.keys() == described
    for operation_id in described:
        assert f'id="{operation_id}"' in html
        assert html.count(f'href="#{operation_id}"') == 3  # two menus, and its own mark
    identifiers = re.findall(r'\sid="([^"]+)"', html)
    assert len(identifiers) == len(set(identifiers))
    assert html.count("<h1") == 1
    for link in re.findall(r'href="#([^"]+)"', html):
        assert f'id="{link}"' in html, link


def test_the_description_can_be_downloaded(html) -> None:
    for address in ("/openapi.json", "/openapi.yaml"):
        assert f'href="{address}" download=' in html
    assert Client().get("/docs/api").status_code == 200
    assert 'href="/docs/api/"' in Client().get("/docs/errors/").content.decode()


def test_every_error_of_an_operation_is_told(html) -> None:
    section = html.partition('aria-labelledby="createImage"')[2].partition("</section>")[0]
    for code in ("invalid_api_key", "insufficient_credits", "invalid_image_url", "provider_timeout", "overloaded"):
        assert f"<code>{code}</code>" in section
    statuses = {failure.status for failure in OPERATIONS["createImage"].failures}
    assert statuses == {"400", "401", "402", "403", "404", "409", "413", "415", "422", "429", "500", "503"}


def test_fields_say_what_they_take() -> None:
    fields = {field.name: field for field in OPERATIONS["createChatCompletion"].bodies[0].fields}
    assert [*fields][:2] == ["model", "messages"]
    assert (fields["model"].kind, fields["model"].is_required) == ("string", True)
    assert fields["messages"].kind == "array of objects"
    assert [field.name for field in fields["messages"].fields][:2] == ["role", "content"]
    assert (fields["temperature"].kind, fields["temperature"].bounds) == ("number", "0 to 2")
    assert fields["stop"].kind == "string or array of strings"
    form = {field.name: field for field in OPERATIONS["createTranscription"].bodies[0].fields}
    assert form["file"].kind == "file"
    assert form["timestamp_granularities"].values == ["segment", "word"]


def test_each_of_several_shapes_has_a_name() -> None:
    bodies = {body.media_type: body for body in OPERATIONS["createTranscription"].answers[0].bodies}
    assert [field.name for field in bodies["application/json"].fields] == ["Transcript", "VerboseTranscript"]
    assert [field.name for field in bodies["text/event-stream"].fields] == ["TranscriptDelta", "TranscriptDone"]
    assert fields_of(DOCUMENT, {"type": "string"}) == []


def test_the_calls_can_be_pasted() -> None:
    for operation in OPERATIONS.values():
        words = shlex.split(operation.call.code.replace("\\\n", " "))
        assert words[0] == "curl"
        address = next(word for word in words if word.startswith("http://testserver/"))
        assert re.sub(r"\$[A-Z_]+", "x", address) == "http://testserver" + re.sub(r"{\w+}", "x", operation.path)
        method = words[words.index("-X") + 1] if "-X" in words else "GET"
        assert method == operation.method
        assert ("Authorization: Bearer YOUR_API_KEY" in words) == (operation.key != "No key")
        if "-d" in words:
            json.loads(words[words.index("-d") + 1])
    upload = OPERATIONS["createTranscription"].call.code
    assert '-F "model=gpt-transcribe"' in upload
    assert '-F "file=@speech.flac"' in upload
    assert OPERATIONS["streamVideoEvents"].call.code.startswith("curl -N ")


def test_the_page_shows_the_calls_as_they_are(html) -> None:
    shown = re.search(r'id="call-createImage">(.*?)</code>', html, re.DOTALL)
    assert shown
    assert unescape(re.sub(r"<[^>]+>", "", shown[1])) == OPERATIONS["createImage"].call.code


def test_words_are_no_html_of_their_own(html) -> None:
    assert "&lt;width&gt;x&lt;height&gt;" in html
    assert "<width>" not in html
