"""What type checkers see: mypy reads this file with the others, and nobody runs it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from arkroute import ArkRoute, AsyncArkRoute, AsyncStream, Stream
from arkroute.types import (
    ChatCompletion,
    ChatCompletionChunk,
    ImageEvent,
    ImagesResponse,
    TextAnswer,
    Transcription,
    TranscriptionEvent,
    VerboseTranscription,
    VideoTask,
)

if TYPE_CHECKING:
    from typing_extensions import assert_type


def threads(client: ArkRoute) -> None:
    assert_type(client.images.generate(model="m", prompt="p", n=2, image=[Path("a"), b"b"]), ImagesResponse)
    assert_type(client.images.generate(model="m", prompt="p", stream=True), Stream[ImageEvent])
    assert_type(client.images.generate(model="m", prompt="p").data[0].url, "str | None")
    assert_type(client.chat.completions.create(model="m", messages=[{"role": "user"}]), ChatCompletion)
    assert_type(client.chat.completions.create(model="m", messages=[], stream=True), Stream[ChatCompletionChunk])
    speech = client.audio.transcriptions
    assert_type(speech.create(model="m", file="a.flac"), Transcription)
    assert_type(speech.create(model="m", file=b"", response_format="srt"), TextAnswer)
    assert_type(speech.create(model="m", file=Path("a"), response_format="verbose_json"), VerboseTranscription)
    assert_type(speech.create(model="m", file=b"", stream=True), Stream[TranscriptionEvent])
    assert_type(client.videos.create_and_wait(model="m", prompt="p", on_progress=print, timeout=60), VideoTask)
    assert_type(client.videos.download("v"), bytes)
    assert_type(client.videos.download("v", "clip.mp4"), Path)
    assert_type(client.account.retrieve().credits.available, float)
    client.images.generate(model="m", prompt="p", nn=2)  # type: ignore[call-overload]
    client.embeddings.create(model="m", input=["a"], dimensions="many")  # type: ignore[arg-type]


async def asyncio(client: AsyncArkRoute) -> None:
    assert_type(await client.images.edit(model="m", prompt="p", image=b"p"), ImagesResponse)
    stream = await client.chat.completions.create(model="m", messages=[], stream=True, max_tokens=5)
    assert_type(stream, AsyncStream[ChatCompletionChunk])
    assert_type([chunk.text async for chunk in stream], "list[str]")
    assert_type(await client.videos.download("v", Path("clip.mp4")), Path)
