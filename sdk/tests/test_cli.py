"""The command `arkroute`, against a gateway in this process."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from arkroute import ArkRoute
from arkroute.cli import main
from tests.gateway import KEY, URL, FakeGateway, Reply, answer, events, refusal, stream_of

Run = Callable[..., FakeGateway]
PICTURE = {"b64_json": base64.b64encode(b"png").decode(), "revised_prompt": "p"}


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeGateway]:
    """`gateway(reply, …)`: the command's requests are answered by it from then on."""
    monkeypatch.setenv("ARKROUTE_API_KEY", KEY)
    monkeypatch.setenv("ARKROUTE_BASE_URL", URL)

    def start(*replies: Reply) -> FakeGateway:
        fake = FakeGateway(*replies)
        monkeypatch.setattr(
            "arkroute.cli.command.ArkRoute", partial(ArkRoute, http_client=httpx.Client(transport=fake))
        )
        return fake

    return start


def pieces(*texts: str) -> list[dict[str, Any]]:
    return [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in texts]


def pipe(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_chat_streams_and_tells_its_cost_on_request(gateway: Run, capsys: pytest.CaptureFixture[str]) -> None:
    fake = gateway(stream_of(*events(*pieces("Hel", "lo"), {"choices": [], "usage": {"credits": 1}})))
    assert main(["chat", "say", "hello", "-m", "m", "-s", "be brief", "--max-tokens", "9", "-v"]) == 0
    assert capsys.readouterr() == ("Hello\n", "1 credit (req_1)\n")
    assert fake.sent == {
        "model": "m",
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "say hello"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 9,
    }


def test_chat_reads_what_is_piped_in_and_prints_json(
    gateway: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    completion = {"id": "c", "choices": [{"message": {"content": "Grüße"}}]}
    fake = gateway(answer(completion))
    pipe(monkeypatch, "from a pipe")
    assert main(["chat", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == completion
    assert fake.sent["messages"] == [{"role": "user", "content": "from a pipe"}]
    assert "stream" not in fake.sent


def test_a_stream_that_breaks_keeps_what_came_and_exits_with_7(
    gateway: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = {"error": {"message": "It failed.", "code": "provider_error"}}
    gateway(stream_of(*events(*pieces("Hel"), failed, done=False)))
    assert main(["chat", "hi"]) == 7
    assert capsys.readouterr() == ("Hel", "arkroute: It failed. (provider_error, req_1)\n")


def test_image_prints_links(gateway: Run, capsys: pytest.CaptureFixture[str]) -> None:
    fake = gateway(answer({"data": [{"url": "https://x/1"}, {"url": "https://x/2"}]}))
    assert main(["image", "a cat", "-n", "2", "--size", "2K"]) == 0
    assert capsys.readouterr().out == "https://x/1\nhttps://x/2\n"
    assert fake.sent == {"model": "nano-banana-2", "prompt": "a cat", "n": 2, "size": "2K"}


def test_image_writes_files(gateway: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    source = tmp_path / "in.png"
    source.write_bytes(b"source")
    fake = gateway(answer({"data": [PICTURE, PICTURE], "output_format": "png"}, x_arkroute_credits="4"))
    assert main(["image", "a cat", "-n", "2", "-o", str(tmp_path / "cat"), "-i", str(source), "-v"]) == 0
    written = [tmp_path / "cat-1.png", tmp_path / "cat-2.png"]
    assert capsys.readouterr() == ("".join(f"{path}\n" for path in written), "4 credits (req_1)\n")
    assert [path.read_bytes() for path in written] == [b"png", b"png"]
    assert fake.sent["response_format"] == "b64_json"
    assert fake.sent["image"] == base64.b64encode(b"source").decode()


def test_image_in_json_names_the_file_in_place_of_its_bytes(
    gateway: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    gateway(answer({"created": 1, "data": [PICTURE]}))
    path = tmp_path / "cat.png"
    assert main(["image", "a cat", "--json", "-o", str(path)]) == 0
    assert json.loads(capsys.readouterr().out) == {"created": 1, "data": [{"revised_prompt": "p", "file": str(path)}]}


@pytest.mark.parametrize("command", [["image", "p"], ["video", "p"], ["transcribe", "README.md"]])
def test_a_place_that_cannot_be_written_is_found_before_anything_is_paid(
    gateway: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path, command: list[str]
) -> None:
    fake = gateway(answer())
    assert main([*command, "-o", str(tmp_path / "nowhere" / "x.png")]) == 1
    assert main([*command, "-o", str(tmp_path)]) == 1
    assert "there is no folder" in capsys.readouterr().err
    assert fake.requests == []


def task(status: str, progress: int = 0, **more: Any) -> httpx.Response:
    return answer({"task_id": "v1", "status": status, "progress": progress, **more}, x_arkroute_credits="25")


def test_video_waits_and_writes_the_clip(gateway: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    fake = gateway(task("processing"), task("processing", 50), task("completed", 100), httpx.Response(200, text="clip"))
    path = tmp_path / "clip.mp4"
    assert main(["video", "waves", "-d", "5", "--aspect-ratio", "1:1", "-o", str(path), "-v"]) == 0
    assert capsys.readouterr() == (f"{path}\n", "25 credits (req_1)\n")
    assert path.read_text() == "clip"
    assert json.loads(fake.requests[0].content) == {
        "model": "seedance-1.5-pro",
        "prompt": "waves",
        "duration": 5.0,
        "aspect_ratio": "1:1",
    }


def test_video_draws_its_progress_on_a_terminal(
    gateway: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway(task("processing"), task("processing", 50), task("completed", 100, video_url="https://x/v.mp4"))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert main(["video", "waves"]) == 0
    out, err = capsys.readouterr()
    assert out == "https://x/v.mp4\n"
    assert "███████████████░░░░░░░░░░░░░░░  50 %  0:0" in err
    assert err.endswith("\n")


def test_video_can_be_left_and_taken_up_again(gateway: Run, capsys: pytest.CaptureFixture[str]) -> None:
    gateway(task("processing"))
    assert main(["video", "waves", "--no-wait"]) == 0
    assert capsys.readouterr().out == "v1\n"
    fake = gateway(task("completed", video_url="https://x/v.mp4"))
    assert main(["video", "--task", "v1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["video_url"] == "https://x/v.mp4"
    assert fake.request.url.path == "/v1/video/status/v1"
    fake = gateway(task("cancelled"))
    assert main(["video", "--cancel", "v1"]) == 0
    assert capsys.readouterr().out == "cancelled\n"
    assert fake.request.url.path == "/v1/video/cancel/v1"


def test_an_interrupted_video_says_how_to_wait_for_it_again(
    gateway: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    gateway(task("processing"))
    monkeypatch.setattr("arkroute.resources.videos.time.sleep", interrupt)
    assert main(["video", "waves"]) == 130
    assert "arkroute video --task v1" in capsys.readouterr().err


def test_a_failed_video_exits_with_7(gateway: Run, capsys: pytest.CaptureFixture[str]) -> None:
    gateway(task("failed", error={"code": "deadline_exceeded", "message": "Too slow."}))
    assert main(["video", "waves", "--json"]) == 7
    assert json.loads(capsys.readouterr().err)["error"]["code"] == "deadline_exceeded"
    assert main(["video", "--task", "v1"]) == 7
    assert capsys.readouterr().err == "arkroute: v1: Too slow.\n"


def test_transcribe_prints_or_writes(gateway: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    recording = tmp_path / "speech.flac"
    recording.write_bytes(b"fLaC")
    fake = gateway(answer({"text": "Hello."}))
    assert main(["transcribe", str(recording), "-l", "en"]) == 0
    assert capsys.readouterr().out == "Hello.\n"
    assert b'name="response_format"\r\n\r\njson\r\n' in fake.request.content

    gateway(httpx.Response(200, text="1\n00:00 --> 00:01\nHello.\n"))
    subtitles = tmp_path / "speech.srt"
    assert main(["transcribe", str(recording), "-f", "srt", "-o", str(subtitles)]) == 0
    assert capsys.readouterr().out == f"{subtitles}\n"
    assert subtitles.read_text().endswith("Hello.\n")

    gateway(answer({"text": "Hello.", "words": []}))
    assert main(["transcribe", str(recording), "-f", "verbose_json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"text": "Hello.", "words": []}


def test_transcribe_in_json(gateway: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    recording = tmp_path / "speech.flac"
    recording.write_bytes(b"fLaC")
    gateway(httpx.Response(200, text="Hello."))
    assert main(["transcribe", str(recording), "-f", "vtt", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"text": "Hello."}


def test_embed_takes_arguments_or_lines(
    gateway: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = gateway(answer({"data": [{"index": 0, "embedding": [0.5, 1]}, {"index": 1, "embedding": [0.25, 2]}]}))
    pipe(monkeypatch, "one\n\ntwo\n")
    assert main(["embed", "--dimensions", "2"]) == 0
    assert capsys.readouterr().out == "[0.5, 1]\n[0.25, 2]\n"
    assert fake.sent == {"model": "text-embedding-3-small", "input": ["one", "two"], "dimensions": 2}


MODELS = {
    "object": "list",
    "data": [
        {"id": "a-long-name", "type": "image", "vendor": "V", "pricing": {"credits": 2.5, "unit": "image"}},
        {"id": "b", "type": "chat", "vendor": "V", "pricing": {"credits": 1, "unit": "request"}},
    ],
}


def test_models_is_a_table_and_needs_no_key(
    gateway: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway(answer(MODELS))
    monkeypatch.delenv("ARKROUTE_API_KEY")
    assert main(["models"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "MODEL        TYPE   VENDOR  CREDITS",
        "a-long-name  image  V       2.5 / image",
        "b            chat   V       1 / request",
    ]
    assert main(["models", "-t", "chat", "--json"]) == 0
    assert [model["id"] for model in json.loads(capsys.readouterr().out)["data"]] == ["b"]
    gateway(answer(MODELS["data"][0]))
    assert main(["models", "a-long-name"]) == 0
    assert json.loads(capsys.readouterr().out)["vendor"] == "V"


@pytest.mark.parametrize(("available", "printed"), [(437.5, "437.5"), (500, "500"), (0.001, "0.001"), (10000, "10000")])
def test_balance_is_a_number(gateway: Run, capsys: pytest.CaptureFixture[str], available: float, printed: str) -> None:
    gateway(answer({"credits": {"balance": 500, "held": 0, "available": available}}))
    assert main(["balance"]) == 0
    assert capsys.readouterr().out == f"{printed}\n"
    assert main(["balance", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["credits"]["available"] == available


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (refusal(400, "content_policy_violation"), 3),
        (refusal(401, "invalid_api_key"), 4),
        (refusal(402, "insufficient_credits"), 5),
        (refusal(403, "key_not_allowed"), 4),
        (refusal(404, "model_not_found"), 3),
        (refusal(422, "invalid_value"), 3),
        (refusal(429, "rate_limit_exceeded"), 6),
        (refusal(503, "overloaded"), 7),
        (httpx.Response(200, text="a proxy's page"), 7),
        (httpx.ConnectError("refused"), 8),
        (httpx.ReadTimeout("slow"), 8),
    ],
)
def test_the_exit_status_says_what_went_wrong(
    gateway: Run, capsys: pytest.CaptureFixture[str], reply: Reply, status: int
) -> None:
    gateway(reply)
    assert main(["balance"]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("arkroute: ")
    assert err.count("\n") == 1


def test_errors_are_json_where_the_answer_would_be(gateway: Run, capsys: pytest.CaptureFixture[str]) -> None:
    gateway(refusal(422, "invalid_value", "size"))
    assert main(["image", "p", "--json"]) == 3
    assert json.loads(capsys.readouterr().err) == {
        "error": {
            "message": "This is invalid_value.",
            "type": "some_error",
            "param": "size",
            "code": "invalid_value",
            "request_id": "req_1",
        }
    }


def test_wrong_use_exits_with_2(
    gateway: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway(answer())
    for command in (["nonsense"], [], ["chat", "--max-tokens", "many"]):
        with pytest.raises(SystemExit) as ended:
            main(command)
        assert ended.value.code == 2
    for command in (["chat"], ["embed"], ["image", "-"]):
        pipe(monkeypatch, " \n")
        assert main(command) == 2
    assert "There is no text" in capsys.readouterr().err


def test_without_a_key_it_exits_with_4(
    gateway: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway(answer())
    monkeypatch.delenv("ARKROUTE_API_KEY")
    assert main(["balance"]) == 4
    assert "ARKROUTE_API_KEY" in capsys.readouterr().err


def test_a_file_that_is_not_there_exits_with_1(gateway: Run, capsys: pytest.CaptureFixture[str]) -> None:
    fake = gateway(answer())
    assert main(["transcribe", "/nowhere/speech.flac"]) == 1
    assert "speech.flac" in capsys.readouterr().err
    assert fake.requests == []


def test_help_tells_the_exit_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert "5    not enough credits (402)" in out
    assert "ARKROUTE_BASE_URL" in out
