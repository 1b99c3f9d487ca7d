"""What can happen to a task in each of its states, and what is written along."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from billing.verbs import Capture, Record, Release
from gateway.models import VideoTask
from gateway.tasks import life
from gateway.tasks.callbacks import look_now
from gateway.tasks.progress import percent_after

State = VideoTask.State
NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
PLACE = life.Place("kling/kling-v1", "kling-v1", "f" * 64, False)
FRAMES = {"first_frame": {"name": "ab/first.png", "mime": "image/png", "width": 640, "height": 360}}


def make_task(state: State, **fields: Any) -> VideoTask:
    defaults: dict[str, Any] = {
        "id": "video_1",
        "request_id": "req_1",
        "account_id": 7,
        "api_key_id": 1,
        "endpoint": "/v1/video/generations",
        "model": "kling-v1",
        "model_id": "kling-v1",
        "seconds": 5,
        "ratio": "16:9",
        "resolution": "720p",
        "body": {"prompt": "a secret"},
        "frames": FRAMES,
        "cost": 8_000,
        "state": state,
        "progress": 100 if state == State.COMPLETED else 40,
        "next_at": NOW,
        "claim": "mine",
        "deadline": NOW + timedelta(minutes=30),
        "last_event": 3,
        "created_at": NOW - timedelta(minutes=1),
        "started_at": NOW - timedelta(seconds=30),
        "ended_at": NOW if state in VideoTask.ENDED else None,
        "media": "cd/clip.mp4" if state == State.COMPLETED else "",
        "webhook_url": "https://example.com/hook",
    }
    return VideoTask(**{**defaults, **fields})


def types(change: life.Change) -> list[str]:
    return [event.type for event in change.events]


@pytest.mark.parametrize(
    ("transition", "becomes"),
    [
        (life.hand_over(PLACE), {"queued": "submitting", "submitting": "submitting"}),
        (life.postpone(5), {"queued": "queued", "submitting": "queued", "running": "running"}),
        (life.stay(5), {"queued": "queued", "submitting": "submitting", "running": "running"}),
        (life.accept("867", 5, []), {"submitting": "running"}),
        (life.look(50, 5), {"running": "running"}),
        (life.complete("cd/clip.mp4", 5.0), {"running": "completed"}),
        (life.fail("overloaded", "Busy."), {"queued": "failed", "submitting": "failed", "running": "failed"}),
        (life.cancel(State.QUEUED), {"queued": "cancelled"}),
        (life.cancel(State.RUNNING), {"running": "cancelled"}),
        (life.forget, {state.value: state.value for state in State}),
        (look_now(), {}),  # somebody looks at it already
    ],
    ids=lambda value: value.__qualname__.partition(".")[0] if callable(value) else "",
)
def test_a_transition_that_does_not_fit_changes_nothing(transition: life.Transition, becomes: dict[str, str]) -> None:
    for state in State:
        task, untouched = make_task(state), make_task(state)
        change = transition(task, NOW)
        assert (change is not None) == (state.value in becomes), state
        if change is None:
            assert vars(task) | {"_state": None} == vars(untouched) | {"_state": None}
        else:
            assert task.state == becomes[state.value]


@pytest.mark.parametrize(
    ("transition", "state", "kind", "verb"),
    [
        (life.complete("cd/clip.mp4", 5.1), State.RUNNING, "video.completed", Capture),
        (life.fail("overloaded", "Busy."), State.QUEUED, "video.failed", Release),
        (life.fail("overloaded", "Busy."), State.SUBMITTING, "video.failed", Release),
        (life.fail("overloaded", "Busy."), State.RUNNING, "video.failed", Release),
        (life.cancel(State.QUEUED), State.QUEUED, "video.cancelled", Release),
        (life.cancel(State.RUNNING), State.RUNNING, "video.cancelled", Release),
    ],
)
def test_an_end_resolves_the_hold_tells_it_once_and_erases_what_was_said(
    transition: life.Transition, state: State, kind: str, verb: type
) -> None:
    task = make_task(state)
    change = transition(task, NOW)
    assert change is not None
    assert types(change) == [kind]
    assert type(change.verb) is verb
    assert change.verb.hold_id == "req_1"
    assert (task.ended_at, task.claim, task.body, task.frames) == (NOW, "", {}, {})
    assert change.discarded == ["ab/first.png"]
    event, delivery = change.events[0], change.deliveries[0]
    told, sent = msgspec.json.decode(event.body), msgspec.json.decode(delivery.body)
    assert (event.number, told["id"], told["type"]) == (4, 4, kind)
    assert sent["data"] == told["task"]
    assert "a secret" not in event.body + delivery.body
    assert told["task"]["progress"] == (100 if kind == "video.completed" else 40)


def test_only_a_place_that_took_it_on_is_named_as_its_own() -> None:
    task = make_task(State.QUEUED)
    life.hand_over(PLACE)(task, NOW)
    assert (task.served_by, task.served_model_id, task.key_fingerprint) == ("kling/kling-v1", "kling-v1", "f" * 64)
    life.postpone(5)(task, NOW)
    assert (task.served_by, task.served_model_id, task.key_fingerprint) == ("", "", "")
    life.hand_over(PLACE)(task, NOW)
    change = life.accept("867", 5, [{"error": ""}])(task, NOW)
    assert types(change) == ["video.in_progress"]
    assert (task.provider_task_id, task.tries, task.started_at) == ("867", 0, NOW)


@pytest.mark.parametrize(("progress", "becomes", "told"), [(30, 40, 0), (40, 40, 0), (41, 41, 1), (100, 99, 1)])
def test_progress_goes_up_and_never_to_100(progress: int, becomes: int, told: int) -> None:
    task = make_task(State.RUNNING)
    change = life.look(progress, 5)(task, NOW)
    assert (task.progress, len(change.events)) == (becomes, told)


@pytest.mark.parametrize("progress", [30, 50])
def test_a_look_names_all_fields_that_it_changed(progress: int) -> None:
    task, before = make_task(State.RUNNING, tries=2), make_task(State.RUNNING, tries=2)
    change = life.look(progress, 5)(task, NOW)
    assert change is not None
    assert change.only is not None
    names = {field.attname for field in VideoTask._meta.concrete_fields}
    assert {name for name in names if getattr(task, name) != getattr(before, name)} <= set(change.only) <= names


@pytest.mark.parametrize(("seconds", "until"), [(5, 5), (0, 0), (-5, 0), (86_400, 1_800)])
def test_the_next_look_is_no_later_than_the_deadline(seconds: float, until: float) -> None:
    task = make_task(State.RUNNING)
    life.stay(seconds)(task, NOW)
    assert (task.next_at, task.claim, task.tries) == (NOW + timedelta(seconds=until), "", 1)


def test_a_clip_past_the_deadline_is_a_failure() -> None:
    task = make_task(State.RUNNING, deadline=NOW)
    change = life.complete("cd/clip.mp4", 5.0)(task, NOW)
    assert (task.state, task.error_code, task.media) == ("failed", "deadline_exceeded", "")
    assert type(change.verb) is Release


@pytest.mark.parametrize(
    "transition", [life.complete("cd/clip.mp4", 5.0), life.fail("overloaded", "Busy."), life.cancel(State.RUNNING)]
)
def test_whose_hold_is_gone_has_a_late_receipt_and_no_clip(transition: Callable[..., Any]) -> None:
    task = make_task(State.RUNNING)
    change = life.lose_hold(task, NOW, transition(task, NOW))
    assert task.state in (State.FAILED, State.CANCELLED)
    assert (task.media, task.progress < 100) == ("", True)
    assert [event.number for event in change.events] == [4]
    assert types(change) == [f"video.{task.state}"]
    assert len(change.deliveries) == 1
    assert type(change.verb) is Record
    assert change.verb.also[0].values["outcome"] == "late"
    assert change.verb.also[0].values["captured"] == 0
    assert "ab/first.png" in change.discarded


def test_a_long_or_odd_message_is_kept_as_far_as_it_can_be() -> None:
    task = make_task(State.RUNNING)
    life.fail("provider_error", "a\0b" + "x" * 2_000)(task, NOW)
    assert task.error_message == "ab" + "x" * 998


def test_a_forgotten_clip_is_deleted() -> None:
    task = make_task(State.COMPLETED)
    assert life.forget(task, NOW).discarded == ["cd/clip.mp4"]
    assert (task.forgotten, task.media) == (True, "")
    assert life.forget(task, NOW) is None


def test_a_callback_moves_a_task_that_nobody_looks_at() -> None:
    task = make_task(State.RUNNING, claim="", next_at=NOW + timedelta(minutes=5))
    assert look_now()(task, NOW) is not None
    assert task.next_at == NOW


def test_time_alone_never_finishes_a_task() -> None:
    shown = [percent_after(seconds, 60.0) for seconds in (0, 15, 30, 60, 61, 120, 600, 10**9)]
    assert shown == sorted(shown)
    assert (shown[0], shown[3], shown[-1]) == (0, 95, 98)
