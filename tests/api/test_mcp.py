"""The tools at `/mcp`, called by the official client in both eras of the protocol."""

import asyncio
import base64
import io
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import httpx2
import pytest
from jsonschema import Draft202012Validator
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, ImageContent
from PIL import Image

from accounts.keys import issue_key
from api.mcp import pictures, visit
from api.mcp.tools import TOOLS
from billing.models import Hold
from gateway.media import signed_url, store_now
from gateway.models import Receipt
from gateway.providers.sandbox import images as sandbox_images
from gateway.providers.sandbox import videos as sandbox_videos
from tests.api.conftest import Person
from tests.pictures import data_uri, picture

pytestmark = pytest.mark.usefixtures("audited")
ERAS = {"auto": "2026-07-28", "legacy": "2025-11-25"}
CAT = {"model": "sandbox-image", "prompt": "a cat"}  # 1 credit
CLIP = {"model": "sandbox-video", "prompt": "a cat", "duration": 1}  # 1 credit


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(autouse=True)
def quick_results(monkeypatch: pytest.MonkeyPatch, settings: Any, gateway_url: str) -> None:
    settings.PUBLIC_URL = gateway_url
    monkeypatch.setattr(sandbox_images, "paint", lambda prompt, width, height, *more: Image.new("RGB", (width, height)))
    monkeypatch.setattr(sandbox_videos, "FRAMES_PER_SECOND", 2)
    monkeypatch.setattr(sandbox_videos, "frame_size", lambda *shape: (160, 90))


@pytest.fixture
def agent(gateway_url: str, era: str) -> Callable[..., Any]:
    """Does what is told it with a client of its own, by a person's key."""

    def agent(person: Person, work: Callable[[Client], Awaitable[Any]], **headers: str) -> Any:
        async def run() -> Any:
            async with (
                httpx2.AsyncClient(headers={**person.headers, **headers}, timeout=30) as http,
                Client(streamable_http_client(f"{gateway_url}/mcp", http_client=http), mode=era) as client,
            ):
                assert client.protocol_version == ERAS[era]
                return await work(client)

        return asyncio.run(run())

    return agent


@pytest.fixture
def call(agent: Callable[..., Any]) -> Callable[..., CallToolResult]:
    """One tool's result."""

    def call(person: Person, tool: str, arguments: dict[str, Any], **headers: str) -> CallToolResult:
        return agent(person, lambda client: client.call_tool(tool, arguments), **headers)

    return call


def text_of(result: CallToolResult) -> str:
    return result.content[0].text


def pictures_in(result: CallToolResult) -> list[Image.Image]:
    shown = [block for block in result.content if isinstance(block, ImageContent)]
    return [Image.open(io.BytesIO(base64.b64decode(block.data))) for block in shown]


def test_the_tools_are_listed_as_a_model_needs_them(agent, alice) -> None:
    tools = {tool.name: tool for tool in agent(alice, lambda client: client.list_tools()).tools}
    assert list(tools) == list(TOOLS)
    for tool in tools.values():
        assert tool.title
        assert len(tool.description) > 100
        Draft202012Validator.check_schema(tool.input_schema)
        Draft202012Validator.check_schema(tool.output_schema)
        costs = tool.name in ("generate_image", "edit_image", "generate_video")
        assert tool.annotations.read_only_hint is not costs
        if costs:
            assert (tool.annotations.destructive_hint, tool.annotations.idempotent_hint) == (False, False)
            for model in tool.input_schema["properties"]["model"]["enum"]:
                assert f"`{model}`: " in tool.description
    assert "`nano-banana-2`: Google's fast all-round picture model" in tools["generate_image"].description
    assert tools["generate_image"].input_schema["properties"]["model"]["default"] == "nano-banana-2"
    assert "kling-v3" in tools["generate_video"].input_schema["properties"]["model"]["enum"]


def test_a_key_is_offered_what_it_may_use(agent, call, alice) -> None:
    key = Person(alice.user, issue_key(alice.user, "limited", allowed_models=["sandbox-image", "chat"]).secret)
    tools = {tool.name: tool for tool in agent(key, lambda client: client.list_tools()).tools}
    assert "generate_video" not in tools
    assert tools["edit_image"].input_schema["properties"]["model"]["enum"] == ["sandbox-image"]
    listed = call(key, "list_models", {}).structured_content["models"]
    assert {model["type"] for model in listed} == {"chat", "image"}
    assert call(key, "generate_image", {"prompt": "a cat"}).structured_content["model"] == "sandbox-image"
    refused = call(key, "generate_video", CLIP)
    assert text_of(refused).startswith("403 key_not_allowed: ")


def test_a_picture_is_shown_linked_and_charged_once(call, alice) -> None:
    result = call(alice, "generate_image", {**CAT, "size": "2K", "n": 2})
    assert not result.is_error
    made = result.structured_content
    assert (made["model"], made["size"], made["credits"]) == ("sandbox-image", "2048x2048", 2)
    assert [shown.size for shown in pictures_in(result)] == [(1024, 1024)] * 2
    assert sum(len(block.data) for block in result.content[1:]) < 1_000_000
    for one in made["images"]:
        whole = httpx.get(one["url"]).content
        assert Image.open(io.BytesIO(whole)).size == (2048, 2048)
    receipt = Receipt.objects.get()
    assert (receipt.pk, receipt.endpoint, receipt.captured) == (made["request_id"], "/mcp/generate_image", 2000)
    assert alice.money()[:2] == (498_000, 0)


def test_a_picture_is_changed_by_its_link_or_sent_along(call, alice) -> None:
    made = call(alice, "generate_image", CAT).structured_content
    sources = [made["images"][0]["url"], data_uri(picture())]
    result = call(alice, "edit_image", {**CAT, "images": sources})
    assert not result.is_error, text_of(result)
    assert len(pictures_in(result)) == 1
    assert Receipt.objects.filter(endpoint="/mcp/edit_image", outcome="succeeded").count() == 1
    changed = made["images"][0]["url"].replace(".png", "0.png")
    refused = call(alice, "edit_image", {**CAT, "images": [changed]})
    assert text_of(refused).startswith("422 invalid_image_url: `images`: This is no link to a file of ours.")


def test_a_video_is_waited_for_and_its_progress_told(agent, alice, job_loop) -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def note(*words: Any) -> None:
        told.append(words)

    result = agent(alice, lambda client: client.call_tool("generate_video", CLIP, progress_callback=note))
    made = result.structured_content
    assert (made["status"], made["progress"], made["credits"], made["error"]) == ("completed", 100, 1, None)
    assert httpx.get(made["video_url"]).headers["content-type"] == "video/mp4"
    values = [progress for progress, _, _ in told]
    assert values
    assert values == sorted(set(values)), "the protocol wants them to grow"
    assert {(total, message) for _, total, message in told} == {(100, f"`sandbox-video` is making {made['id']}")}
    receipt = Receipt.objects.get()
    assert (receipt.pk, receipt.endpoint, receipt.captured) == (made["request_id"], "/mcp/generate_video", 1000)


def test_a_video_is_returned_before_its_end_and_asked_for_later(call, alice, http, job_loop) -> None:
    begun = call(alice, "generate_video", {**CLIP, "image": data_uri(picture()), "wait_seconds": 0}).structured_content
    assert begun["status"] == "processing"
    assert "Call `get_video` with this `id`" in begun["next"]
    ended = call(alice, "get_video", {"id": begun["id"], "wait_seconds": 20}).structured_content
    assert (ended["status"], ended["id"], ended["request_id"]) == ("completed", begun["id"], begun["request_id"])
    assert http.get(f"/v1/video/status/{begun['id']}", headers=alice.headers).json()["status"] == "completed"


def test_a_video_that_fails_is_an_error_and_free(call, alice, job_loop) -> None:
    result = call(alice, "generate_video", {**CLIP, "prompt": "sandbox:fail=content_policy_violation"})
    assert result.is_error
    assert text_of(result).startswith("The video failed. content_policy_violation: ")
    assert alice.money()[:2] == (500_000, 0)


def test_nobody_sees_a_video_of_somebody_else(call, alice, make_person) -> None:
    begun = call(alice, "generate_video", {**CLIP, "wait_seconds": 0}).structured_content
    bob = make_person("bob@example.com")
    assert text_of(call(bob, "get_video", {"id": begun["id"]})).startswith("404 task_not_found: ")


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("generate_image", {**CAT, "size": "2K", "n": 3}),
        ("edit_image", {**CAT, "images": [data_uri(picture())]}),
        ("generate_video", {**CLIP, "duration": 7, "wait_seconds": 0}),
    ],
)
def test_an_estimate_is_what_the_call_costs_and_costs_nothing(call, alice, tool, arguments) -> None:
    told = call(alice, "estimate_cost", {"tool": tool, "arguments": arguments}).structured_content
    assert alice.money()[:2] == (500_000, 0)
    assert (told["available"], told["affordable"]) == (500, True)
    assert sum(line["credits"] for line in told["breakdown"]) == told["credits"]
    assert not call(alice, tool, arguments).is_error
    assert Hold.objects.get().amount == told["credits"] * 1000


def test_models_are_listed_by_type(call, alice) -> None:
    listed = call(alice, "list_models", {"type": "video"}).structured_content["models"]
    assert {model["type"] for model in listed} == {"video"}
    [kling] = [model for model in listed if model["id"] == "kling-v3"]
    assert kling["details"] == (
        "40 credits for 5 s (1080p x1.25, audio on x1.5); 3-15 s; 720p, 1080p; "
        "from text, first frame, first and last frame; sound on request"
    )


def test_errors_say_what_to_do_and_cost_nothing(agent, alice) -> None:
    faults = (
        ("generate_image", {**CAT, "n": 11}, "422 invalid_value: `n` must be at most 10."),
        ("generate_image", {"model": "sandbox-image"}, "422 missing_required_parameter: `prompt` is required."),
        ("generate_image", {**CAT, "sise": "2K"}, "422 invalid_value: `sise` is no argument of this tool. It t"),
        ("generate_image", {**CAT, "model": "sandbox-imag"}, "404 model_not_found: There is no model `sandbox"),
        ("edit_image", CAT, "422 missing_required_parameter: `images` is required. Name the picture to edit"),
        ("generate_video", {**CLIP, "duration": 99}, "422 invalid_value: `duration` does not take '99' with "),
        (
            "generate_video",
            {**CLIP, "wait_seconds": 601},
            "422 invalid_value: `wait_seconds` must be at most 600",
        ),
        ("get_video", {"id": "video_0"}, "404 task_not_found: You have no such video task."),
        ("estimate_cost", {"tool": "chat", "arguments": {}}, "422 invalid_value: `tool` does not take 'chat'."),
        ("list_models", {"type": "music"}, "422 invalid_value: `type` does not take 'music'."),
        ("generate_image", {**CAT, "prompt": "sandbox:fail=provider_error"}, "500 provider_error: "),
    )

    async def ask(client: Client) -> list[CallToolResult]:
        return [await client.call_tool(tool, arguments) for tool, arguments, _ in faults]

    for result, (_, _, told) in zip(agent(alice, ask), faults, strict=True):
        assert result.is_error
        assert text_of(result).startswith(told)
        assert result.structured_content is None
        error = result.meta["arkroute/error"]
        assert text_of(result).startswith(f"{error['status']} {error['code']}: {error['message']}")
    assert alice.money()[:2] == (500_000, 0)


def test_without_credits_the_agent_is_told_where_its_user_buys_them(call, charlie) -> None:
    refused = text_of(call(charlie, "generate_image", CAT))
    assert refused.startswith("402 insufficient_credits: This call costs 1 credits and your balance has 0 available.")
    assert "/billing/. Tell your user" in refused


def test_an_unknown_tool_is_an_error_of_the_protocol(agent, alice) -> None:
    async def ask(client: Client) -> None:
        with pytest.raises(MCPError, match="There is no tool `make_coffee`") as caught:
            await client.call_tool("make_coffee", {})
        assert caught.value.code == -32602

    agent(alice, ask)


def test_calls_that_cost_are_counted_as_calls(agent, alice) -> None:
    slow = Person(alice.user, issue_key(alice.user, "slow", requests_per_minute=1).secret)  # a burst of 10

    async def paint(client: Client) -> list[CallToolResult]:
        return [await client.call_tool("generate_image", {**CAT, "size": "64x64"}) for _ in range(11)]

    *made, refused = agent(slow, paint)
    assert not any(one.is_error for one in made)
    assert text_of(refused).startswith("429 rate_limit_exceeded: ")
    assert "Try again in " in text_of(refused)
    assert alice.money()[:2] == (490_000, 0)


def test_a_cap_in_the_clients_settings_holds(call, alice) -> None:
    capped = {"x-arkroute-max-credits": "0.5"}
    assert text_of(call(alice, "generate_image", CAT, **capped)).startswith("402 max_credits_exceeded: ")
    assert not Receipt.objects.exists()


def test_a_client_that_waits_for_a_picture_is_told_that_it_goes_on(agent, alice, monkeypatch) -> None:
    monkeypatch.setattr(visit, "BEAT", 0.05)
    told: list[str | None] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        told.append(message)

    slow = {**CAT, "prompt": "a cat sandbox:delay=0.3"}
    result = agent(alice, lambda client: client.call_tool("generate_image", slow, progress_callback=note))
    assert not result.is_error
    assert told[0] == "`sandbox-image` is at work: 0 s so far"


def test_what_is_shown_is_small_whatever_was_made() -> None:
    file = io.BytesIO()
    Image.effect_noise((1200, 600), 200).save(file, "WEBP")
    data, mime = pictures.scale_down(file.getvalue(), 50_000)
    assert mime == "image/jpeg"
    assert len(data) <= 50_000
    clear, mime = pictures.scale_down(picture(1100, 1100, colour=(10, 20, 30, 40)), 100_000)
    assert mime == "image/png"
    assert Image.open(io.BytesIO(clear)).getpixel((0, 0))[3] == 40
    small = picture(64, 48)
    assert pictures.scale_down(small, 100_000) == (small, "image/png")


def test_a_result_that_cannot_be_shown_is_left_to_its_link(transactional_db) -> None:
    link = signed_url(store_now(io.BytesIO(b"no picture"), "image/png"))
    assert asyncio.run(pictures.show([link])) == []
