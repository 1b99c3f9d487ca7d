"""The Explorer: a call of each type, its cost before and after, and what becomes of it when it fails or is stopped."""

import io
import re

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, WebSocket, expect

from tests.arkroute.conftest import ROOT
from tests.browser.accessibility import find_faults
from tests.browser.conftest import Newcomer
from tests.browser.watch import Watch


@pytest.fixture
def key(newcomer: Newcomer) -> str:
    return newcomer.make_key()


def open_explorer(page: Page, key: str, model: str) -> None:
    """Shows a model, the key filled in."""
    page.goto(f"/explorer/?model={model}")
    expect(page.get_by_label("Model", exact=True)).to_have_value(model)
    page.get_by_label("API key").fill(key)
    page.get_by_label("API key").blur()
    expect(page.get_by_text("credits available").first).to_be_visible()


def run(page: Page) -> Locator:
    """Makes the call. Returns where its result appears."""
    page.get_by_role("button", name="Run").click()
    return page.get_by_role("tabpanel", name="Result")


def test_an_image_is_made_of_words_and_of_a_picture(page: Page, key: str) -> None:
    open_explorer(page, key, "sandbox-image")
    page.get_by_label("Prompt").fill("a fox in a misty forest")
    page.get_by_label("Pictures", exact=True).fill("2")
    expect(page.get_by_text("~2 credits", exact=True)).to_be_visible()
    page.get_by_label("Reference").set_input_files(files={"name": "a.png", "mimeType": "image/png", "buffer": square()})
    expect(page.get_by_role("img", name="Image 1")).to_be_visible()
    result = run(page)
    expect(result.get_by_text("2 credits charged · estimate ~2 credits")).to_be_visible()
    expect(result.get_by_text("498 left")).to_be_visible()
    expect(result.get_by_role("img")).to_have_count(2)
    assert find_faults(page) == []
    page.get_by_role("tab", name="JSON").click()
    expect(page.get_by_role("group", name="The answer in JSON")).to_contain_text('"url"')
    page.get_by_role("tab", name="Code").click()
    page.get_by_role("tab", name="Python").click()
    expect(page.get_by_role("tabpanel", name="Python")).to_contain_text("sandbox-image")
    assert key not in page.get_by_role("tabpanel", name="Python").inner_text()


def square() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(file, "png")
    return file.getvalue()


def test_a_chat_is_streamed_and_what_looks_like_html_is_text(page: Page, key: str) -> None:
    said = "<img src=x onerror=alert(1)> <b>loud</b> [click](javascript:alert(2)) **heavy**"
    open_explorer(page, key, "sandbox-chat")
    page.get_by_label("Message", exact=True).fill(said)
    result = run(page)
    expect(result.get_by_text("1 credit charged")).to_be_visible()
    conversation = page.get_by_role("region", name="Conversation")
    expect(conversation.get_by_text("<b>loud</b>").nth(1)).to_be_visible()
    # Of a picture, of bold type, and of a link that runs a program.
    assert conversation.evaluate("(all) => all.querySelectorAll('img, b, [href^=javascript]').length") == 0
    expect(conversation.get_by_text("heavy", exact=True)).to_be_visible()
    assert find_faults(page) == []

    page.get_by_label("Message", exact=True).fill("And once more?")
    run(page)
    expect(page.get_by_text("498 left")).to_be_visible()
    page.get_by_role("button", name="New conversation").click()
    expect(page.get_by_text("Your conversation appears here")).to_be_visible()


def test_texts_become_vectors_that_are_compared(page: Page, key: str) -> None:
    open_explorer(page, key, "sandbox-embedding")
    page.get_by_label("Texts").fill("a lighthouse\na lighthouse\nrye bread")
    result = run(page)
    table = result.get_by_role("table", name="Similarity")
    expect(table.get_by_role("row")).to_have_count(4)
    expect(table).to_contain_text("1.00")
    expect(result.get_by_text("1 credit charged")).to_be_visible()
    assert find_faults(page) == []


def test_a_recording_becomes_text(page: Page, key: str) -> None:
    open_explorer(page, key, "sandbox-transcription")
    page.get_by_label("File", exact=True).set_input_files(ROOT / "tests" / "audio" / "sentence.flac")
    result = run(page)
    expect(result.get_by_role("region", name="Transcript")).to_contain_text("sandbox")
    expect(result.get_by_text("1 credit charged")).to_be_visible()
    assert find_faults(page) == []


def test_a_video_is_followed_live_to_its_end_over_a_reload(page: Page, key: str) -> None:
    sockets: list[WebSocket] = []
    page.on("websocket", lambda socket: sockets.append(socket))
    open_explorer(page, key, "sandbox-video")
    page.get_by_label("Prompt").fill("a sailboat at dawn")
    page.get_by_label("Seconds").select_option(index=0)
    result = run(page)
    expect(result.get_by_text("Live", exact=True)).to_be_visible()
    assert "task=" in page.url
    page.reload()
    expect(result.get_by_role("progressbar")).to_be_visible()
    expect(result.get_by_text("Completed", exact=True)).to_be_visible()
    expect(result.get_by_text(re.compile(r"credits? charged"))).to_be_visible()
    expect(result.get_by_role("link", name="Download the clip")).to_be_visible()
    clip = result.locator("video")
    page.wait_for_function("(video) => video.duration > 0", arg=clip.element_handle())
    expect(result.get_by_role("region", name="Events")).to_contain_text("video.completed")
    assert len(sockets) == 2
    assert all("/ws/video/" in socket.url for socket in sockets)
    assert find_faults(page) == []


def test_a_call_that_is_stopped_leaves_the_form_as_it_was(page: Page, key: str) -> None:
    open_explorer(page, key, "sandbox-image")
    page.get_by_label("Prompt").fill("a fox sandbox:delay=30")
    run(page)
    stop = page.get_by_role("button", name="Stop")
    expect(stop).to_be_focused()
    # Sooner it would be taken for the second click of two.
    expect(page.get_by_text("1 s", exact=True)).to_be_visible()
    stop.click()
    expect(page.get_by_role("tabpanel", name="Result").get_by_text("Stopped")).to_be_visible()
    expect(page.get_by_role("button", name="Run")).to_be_focused()
    expect(page.get_by_label("Prompt")).to_have_value("a fox sandbox:delay=30")


def test_a_failure_says_why_and_that_nothing_was_charged(page: Page, key: str, watch: Watch) -> None:
    open_explorer(page, key, "sandbox-image")
    page.get_by_label("Prompt").fill("sandbox:fail=provider_error")
    with watch.expecting("answer: 500 POST .*/v1/images/generations"):
        run(page)
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("Not charged")
    expect(alert).to_contain_text("provider_error")
    expect(alert.get_by_role("button", name="Copy the request id")).to_be_visible()
    assert find_faults(page) == []
    alert.get_by_role("link", name="Receipt").click()
    expect(page.get_by_role("heading", name="What went wrong")).to_be_visible()


def test_the_key_stays_in_this_browser_until_it_is_forgotten(page: Page, key: str) -> None:
    open_explorer(page, key, "sandbox-image")
    page.reload()
    expect(page.get_by_label("API key")).to_have_value(key)
    page.get_by_role("button", name="Forget key").click()
    expect(page.get_by_label("API key")).to_have_value("")
    assert key not in page.evaluate("JSON.stringify([localStorage, sessionStorage])")
    page.reload()
    expect(page.get_by_label("API key")).to_have_value("")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_label("API key")).to_be_focused()
    expect(page.get_by_label("API key")).to_have_accessible_description(re.compile("Paste an API key"))


def test_the_history_leads_back_to_a_call(page: Page, key: str) -> None:
    open_explorer(page, key, "sandbox-embedding")
    page.get_by_label("Texts").fill("rye bread")
    run(page)
    expect(page.get_by_text("1 credit charged")).to_be_visible()
    page.goto("/explorer/?model=sandbox-image")
    page.get_by_role("button", name="rye bread").click()
    expect(page.get_by_label("Model", exact=True)).to_have_value("sandbox-embedding")
    expect(page.get_by_label("Texts")).to_have_value("rye bread")
    page.get_by_role("button", name="Clear all").click()
    expect(page.get_by_role("button", name="rye bread")).to_be_hidden()


def test_a_visitor_is_told_how_to_come_by_a_key(page: Page) -> None:
    page.goto("/explorer/")
    expect(page.get_by_text(re.compile(r"~\d"))).to_be_visible()
    page.get_by_role("link", name="Sign up for a key").click()
    expect(page.get_by_role("heading", name="Create your account")).to_be_visible()
