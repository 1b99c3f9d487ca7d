"""`sandbox-transcription`: the same two sentences for every recording, spread over its real length."""

import io
import wave

from gateway.providers.sandbox.orders import obey
from gateway.types import Segment, SpokenWord, TranscriptionAnswer, TranscriptionRequest, Usage

SENTENCES = (
    "This is the ArkRoute sandbox speaking.",
    "It did not listen to your recording: it answers every one with these words.",
)
# Where a length cannot be read: MP3 at 128 kbit/s.
BYTES_PER_SECOND = 16_000
SHORTEST = 0.1


async def transcribe(request: TranscriptionRequest) -> TranscriptionAnswer:
    """The sentences with the times of segments, and of words where they are wanted."""
    await obey(f"{request.filename}\n{request.prompt or ''}", "prompt")
    duration = round(max(SHORTEST, _duration(request.audio)), 3)
    words = _spread(" ".join(SENTENCES).split(), duration)
    segments, first = [], 0
    for sentence in SENTENCES:
        last = first + len(sentence.split()) - 1
        segments.append(Segment(text=sentence, start=words[first].start, end=words[last].end))
        first = last + 1
    return TranscriptionAnswer(
        text=" ".join(SENTENCES),
        language=request.language or "en",
        duration=duration,
        segments=segments,
        words=words if request.words else [],
        usage=Usage(seconds=duration),
    )


def _spread(words: list[str], duration: float) -> list[SpokenWord]:
    """Each word takes its share of the time by its letters."""
    letters, spoken, total = 0, [], sum(map(len, words))
    for word in words:
        start = letters / total * duration
        letters += len(word)
        spoken.append(SpokenWord(word=word, start=round(start, 3), end=round(letters / total * duration, 3)))
    return spoken


def _duration(audio: bytes) -> float:
    """Seconds: from a WAV's header, else estimated from its size."""
    if audio[:4] != b"RIFF":
        return len(audio) / BYTES_PER_SECOND
    try:
        with wave.open(io.BytesIO(audio)) as recording:
            width = recording.getsampwidth() * recording.getnchannels()
            # A header written before the recording ended may promise more than there is.
            frames = min(recording.getnframes(), len(audio) // width)
            return frames / recording.getframerate()
    except (wave.Error, EOFError, ZeroDivisionError):
        return len(audio) / BYTES_PER_SECOND
