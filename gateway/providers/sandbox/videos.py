"""`sandbox-video`: clips made by this process while somebody asks for them.

A task is nothing but its request: its id follows from the request's reference, and the clip from the rest. A process
that is asked for a task which it does not know begins it, so that no crash loses one.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from threading import Event, Lock
from time import monotonic

from PIL import Image

from gateway.errors import ProviderError
from gateway.providers.base import Clip, VideoState
from gateway.providers.painter.film import Film
from gateway.providers.sandbox.clips import FRAMES_PER_SECOND, LONGEST_SIDE, encode, frame_size
from gateway.providers.sandbox.images import decode, on_white
from gateway.providers.sandbox.orders import delay_in, fail_if_told
from gateway.types import InputImage, VideoRequest

# A clip takes as long, so that there is something to watch; longer ones take what they take.
SECONDS_OF_WORK = 3.0
LOOK_AGAIN_SECONDS = 0.25
# Clips that are made at once in a process, and those that are held there until they are asked for.
AT_ONCE = 2
MOST_HELD = 8
# Who has not asked for that long does not wait for a clip any more; and then the whole task is forgotten.
LOST_INTEREST_SECONDS = 30.0
FORGOTTEN_SECONDS = 600.0
TIDY_SECONDS = 10.0


class _Cancelled(Exception):
    """Nobody wants the clip any more."""


class _Task:
    """What this process knows of a task. Times are those of `monotonic`."""

    def __init__(self) -> None:
        self.since = self.asked = monotonic()
        self.began = 0.0
        self.frames = 1
        self.done = 0
        self.work: Future[bytes] | None = None
        self.stop = Event()
        self.delivered = False

    @property
    def progress(self) -> float:
        """Percent: by the pictures that are done, or by the clock, whichever is behind."""
        worked = (monotonic() - self.began) / SECONDS_OF_WORK if SECONDS_OF_WORK else 1.0
        return min(99.0, 100 * min(self.done / self.frames, worked))

    @property
    def is_at_work(self) -> bool:
        return self.work is not None and not self.work.done()

    @property
    def has_result(self) -> bool:
        """Whether its clip is there and is due, or will never be."""
        if self.work is None or not self.work.done():
            return False
        return monotonic() - self.began >= SECONDS_OF_WORK or self.work.exception() is not None


class Studio:
    """The clips that a process makes: two at once, and of the finished ones no more than a few are held.

    Callable from any thread; nothing in it waits.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._tasks: dict[str, _Task] = {}
        # Those of them that are at work, or hold a clip.
        self._working: dict[str, _Task] = {}
        self._tidied = monotonic()
        self._threads = ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="sandbox-video")

    def submit(self, request: VideoRequest) -> VideoState:
        task_id = _id_of(request)
        with self._lock:
            self._find(task_id)
        return VideoState(task_id, "queued", progress=0.0, wait=LOOK_AGAIN_SECONDS)

    def look_up(self, task_id: str, request: VideoRequest) -> VideoState:
        """The task as it is. Raises what its prompt asks for, unless that is a provider's error."""
        with self._lock:
            task = self._find(task_id)
            if task.stop.is_set():
                return VideoState(task_id, "cancelled")
            if monotonic() - task.since < delay_in(request.prompt):
                return VideoState(task_id, "queued", progress=0.0, wait=LOOK_AGAIN_SECONDS)
            try:
                fail_if_told(request.prompt, "prompt")
            except ProviderError as error:
                return VideoState(task_id, "failed", error=error)
            if task.work is None and not self._begin(task_id, task, request):
                return VideoState(task_id, "queued", progress=0.0, wait=LOOK_AGAIN_SECONDS)
            if not task.has_result:
                return VideoState(task_id, "running", progress=task.progress, wait=LOOK_AGAIN_SECONDS)
            data = self._put_away(task_id, task).result()
            task.delivered = True
            return VideoState(task_id, "completed", clip=Clip(data=data, seconds=float(request.seconds)))

    def cancel(self, task_id: str) -> bool:
        """Whether the clip will not be delivered. A process that has never heard of the task has not delivered it."""
        with self._lock:
            task = self._find(task_id)
            if task.delivered:
                return False
            task.stop.set()
            self._working.pop(task_id, None)
            task.work = None
            return True

    def _find(self, task_id: str) -> _Task:
        now = monotonic()
        if now - self._tidied > TIDY_SECONDS:
            self._tidied = now
            for old_id in [one for one, task in self._tasks.items() if now - task.asked > FORGOTTEN_SECONDS]:
                self._tasks.pop(old_id).stop.set()
                self._working.pop(old_id, None)
        task = self._tasks.setdefault(task_id, _Task())
        task.asked = now
        return task

    def _begin(self, task_id: str, task: _Task, request: VideoRequest) -> bool:
        """Whether the task is at work now: there is a thread for it, and room for its clip."""
        held = [pair for pair in self._working.items() if not pair[1].is_at_work]
        if len(self._working) - len(held) >= AT_ONCE:
            return False
        if len(held) >= MOST_HELD:
            lost_id, lost = min(held, key=lambda pair: pair[1].asked)
            if monotonic() - lost.asked < LOST_INTEREST_SECONDS:
                return False
            self._put_away(lost_id, lost)
        task.began, task.done = monotonic(), 0
        task.frames = request.seconds * FRAMES_PER_SECOND
        task.work = self._threads.submit(_make, task, request)
        self._working[task_id] = task
        return True

    def _put_away(self, task_id: str, task: _Task) -> Future[bytes]:
        """The task's work, which is no longer held: who asks again has it made again."""
        assert task.work is not None
        work, task.work = task.work, None
        self._working.pop(task_id, None)
        return work


STUDIO = Studio()


def _id_of(request: VideoRequest) -> str:
    return f"sandbox-{sha256(request.reference.encode()).hexdigest()[:32]}"


def _make(task: _Task, request: VideoRequest) -> bytes:
    """The clip, in a thread. Raises `InvalidImage` for a frame that is none."""

    def count() -> None:
        task.done += 1
        if task.stop.is_set():
            raise _Cancelled

    first, last = _read(request.first_frame, "image"), _read(request.last_frame, "last_frame")
    size = frame_size(request.ratio, request.resolution, first.size if first else None)
    film = Film(request.prompt, size, task.frames, first, last)
    return encode(film, request.prompt, sound=request.audio, on_frame=count)


def _read(picture: InputImage | None, param: str) -> Image.Image | None:
    if picture is None:
        return None
    return on_white(decode(picture, (LONGEST_SIDE, LONGEST_SIDE), param).result())
