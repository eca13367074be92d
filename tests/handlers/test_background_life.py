"""Handlers in the background: what is refused, and how the thread, the queue and the runs come to their end."""

from __future__ import annotations

import contextlib
import gc
import logging
import threading
import weakref
from collections.abc import Generator
from typing import Any

import pytest

import sideband
from sideband import Handler, Run, add_global_handler, background, callbacks, compose, current_run
from sideband.errors import HandlerRefusedError
from sideband.testing import Recorder

from .helpers import PATIENCE, Held, double


class StreamReader(Handler):
    """Reads outputs itself."""

    def on_end_with_stream_output(self, run: Run, stream: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (StreamReader(), "reads a stream while the run goes on"),
        (sideband.handler(on_start_with_stream_input=lambda run, stream: None), "on_start_with_stream_input"),
        (background(Recorder()), "in the background already"),
        (compose(Recorder(), background(Recorder())), "in the background already"),
        (Recorder, "it is a class"),
    ],
)
def test_what_cannot_work_in_the_background_is_refused(candidate: Any, reason: str) -> None:
    """When it is wrapped, with the reason."""
    with pytest.raises(HandlerRefusedError, match=reason):
        background(candidate)


@pytest.mark.parametrize(
    "options",
    [
        {"max_events": 0},
        {"max_bytes": 0},
        {"overflow": "newest"},
        {"block_timeout": -1},
        {"close_timeout": float("nan")},
    ],
)
def test_limits_that_are_none_are_refused(options: Any) -> None:
    """With the value."""
    ((name, value),) = options.items()

    with pytest.raises(ValueError, match=f"{name} must be .* got {value!r}"):
        background(Recorder(), **options)


def test_a_closed_one_is_refused_and_counts_what_still_comes() -> None:
    """Runs that saw it open go on; what they would tell it is dropped."""
    recorder = Recorder()
    behind = background(recorder)

    with callbacks(behind):
        double(1)
        assert behind.close()
        assert behind.close()
        double(2)

    assert recorder.timings() == ["on_start", "on_end"]
    assert (behind.delivered, behind.dropped, behind.closed) == (2, 2, True)
    with pytest.raises(HandlerRefusedError, match="it is closed"):
        add_global_handler(behind)


def test_no_thread_is_started_before_the_first_event() -> None:
    """And none is left after the close."""
    before = threading.active_count()

    with background(Recorder()) as behind, callbacks(behind):
        assert threading.active_count() == before
        double(1)
        assert threading.active_count() == before + 1
    assert threading.active_count() == before


def test_a_dropped_one_delivers_what_it_has_and_ends_its_thread() -> None:
    """Nobody has to close it."""
    with Held() as held:
        with callbacks(background(held)):
            double(1)
        assert held.entered.wait(PATIENCE)
        (worker,) = [thread for thread in threading.enumerate() if thread.name == "sideband background"]
    worker.join(PATIENCE)

    assert not worker.is_alive()
    assert held.seen == [("start", "double"), ("end", "double")]


class Payload(str):
    """A text to which a weak reference can be had."""

    __slots__ = ("__weakref__",)


@pytest.mark.parametrize("error", [False, True])
def test_a_run_dies_once_it_is_delivered(error: bool) -> None:
    """Nothing keeps it, its payloads or its context, without the garbage collector; the idle worker neither."""
    gone: list[weakref.ref[Any]] = []

    @sideband.component("Lambda")
    def work(payload: Payload) -> Generator[Payload]:
        gone.extend((weakref.ref(payload), weakref.ref(current_run())))
        yield payload
        if error:
            raise LookupError

    def call() -> None:
        with contextlib.suppress(LookupError):
            list(work(Payload("x")))

    with Held() as held, background(held) as behind, callbacks(behind):
        held.go.set()
        gc.disable()
        try:
            call()
            assert behind.flush()
            held.seen.clear()
            double(1)
            assert behind.flush()
            assert [ref() for ref in gone] == [None, None]
        finally:
            gc.enable()


def test_a_background_handler_is_in_no_cycle() -> None:
    """It goes with its last holder, and so does the handler."""
    gc.disable()
    try:
        handler = Recorder()
        gone = weakref.ref(handler)
        with background(handler) as behind, callbacks(behind):
            pass
        del handler, behind
        assert gone() is None
    finally:
        gc.enable()


def test_its_repr_shows_the_counters() -> None:
    """For a log."""
    assert repr(background(Held())).endswith(": 0 delivered, 0 dropped, 0 pending>")


def test_a_handler_may_not_wait_for_itself(caplog: pytest.LogCaptureFixture) -> None:
    """A flush or close in its own timing is an error that says so, instead of a wait for ever."""

    class Waits(Handler):
        def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
            behind.flush()

        def on_end(self, run: Run, output: Any) -> None:
            behind.close()

    behind = background(Waits())
    with behind, callbacks(behind), caplog.at_level(logging.ERROR):
        double(1)

    assert "flush was called by a handler" in caplog.text
    assert behind.delivered == 2
