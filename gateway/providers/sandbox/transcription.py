"""`sandbox-transcription`: the same two sentences for every recording, spread over its real length."""

from collections.abc import AsyncGenerator

from gateway.languages import language_name
from gateway.providers.sandbox.orders import obey
from gateway.types import Segment, SpokenWord, TranscriptionAnswer, TranscriptionRequest, Usage

# With the space that models put between them.
SENTENCES = (
    "This is the ArkRoute sandbox speaking.",
    " It did not listen to your recording: it answers every one with these words.",
)


async def transcribe(request: TranscriptionRequest) -> TranscriptionAnswer:
    """The sentences with the times of segments, and of words where they are wanted."""
    await obey(f"{request.filename}\n{request.prompt or ''}", "prompt")
    text = "".join(SENTENCES)
    words = _spread(text.split(), request.seconds)
    segments, first = [], 0
    for sentence in SENTENCES:
        last = first + len(sentence.split()) - 1
        segments.append(Segment(text=sentence, start=words[first].start, end=words[last].end))
        first = last + 1
    return TranscriptionAnswer(
        text=text,
        language=language_name(request.language or "en"),
        duration=request.seconds,
        segments=segments,
        words=words if request.words else [],
        usage=Usage(seconds=request.seconds),
    )


async def stream(request: TranscriptionRequest) -> AsyncGenerator[Segment | TranscriptionAnswer, None]:
    """A segment for each sentence, then the whole answer."""
    answer = await transcribe(request)
    for segment in answer.segments:
        yield segment
    yield answer


def _spread(words: list[str], duration: float) -> list[SpokenWord]:
    """Each word takes its share of the time by its letters."""
    letters, spoken, total = 0, [], sum(map(len, words))
    for word in words:
        start = letters / total * duration
        letters += len(word)
        spoken.append(SpokenWord(word=word, start=round(start, 3), end=round(letters / total * duration, 3)))
    return spoken
