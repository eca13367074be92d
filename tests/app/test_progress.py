from __future__ import annotations

import io

import pytest
from rich.console import Console

from sideband import Handler, callbacks, observe
from sideband.app.corpus import Skipped
from sideband.app.meter import Meter
from sideband.app.progress import LineProgress, LiveProgress, SkippedNotice, duration, progress_view


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100, highlight=False, color_system=None)


def written(to: Console) -> str:
    assert isinstance(to.file, io.StringIO)
    return to.file.getvalue()


def work(meter: Meter, clock: Clock, *handlers: Handler) -> None:
    """Read four of eight files and embed half of their chunks, a second for each of five."""
    with callbacks(meter, *handlers), observe("index") as run:
        run.emit("planned", {"files": 8})
        run.emit("read", {"files": 4, "unchanged": 0, "chunks": 10})
        for _ in range(5):
            clock.now += 1
            run.emit("progress", [{"tokens": 7}])


def test_a_terminal_gets_bars_and_a_line_of_numbers() -> None:
    """Files and chunks each have a bar, with what is done of how much."""
    clock = Clock()
    meter, to = Meter(clock), console(terminal=True)
    view = progress_view(meter, to)
    assert isinstance(view, LiveProgress)
    work(meter, clock, *view.handlers)

    to.print(view.render())

    lines = written(to).splitlines()
    assert "files" in lines[0]
    assert "4/8" in lines[0]
    assert "chunks" in lines[1]
    assert "5/20" in lines[1]
    assert "1 chunks/s · 35 tokens" in lines[2]


def test_the_last_state_stays_on_the_terminal() -> None:
    """What was reached can be read after the end."""
    clock = Clock()
    meter, to = Meter(clock), console(terminal=True)
    with progress_view(meter, to) as view:
        work(meter, clock, *view.handlers)

    assert "5/20" in written(to)


def test_there_is_no_bar_for_chunks_where_nothing_has_changed() -> None:
    """A run that finds everything as it was does not end with a bar that seems to wait."""
    meter, to = Meter(Clock()), console(terminal=True)
    with callbacks(meter), observe("index") as run:
        run.emit("planned", {"files": 2})
        run.emit("read", {"files": 2, "unchanged": 2, "chunks": 0})

    to.print(LiveProgress(meter, to).render())

    assert "2/2" in written(to)
    assert "chunks  " not in written(to)


def test_a_log_gets_a_line_every_three_seconds() -> None:
    """Each line stands for itself: done, expected, rate and time left."""
    clock = Clock()
    meter, to = Meter(clock), console(terminal=False)
    view = LineProgress(meter, to, clock)
    with view:
        work(meter, clock, *view.handlers)

    assert written(to).splitlines() == [
        "files 4 of 8 · chunks 3 of about 20 · 1 chunks/s · 21 tokens · mean batch 0.0 · queued 0 ms · 17.0 s left"
    ]


def test_quiet_shows_nothing() -> None:
    """Neither bars nor lines."""
    clock = Clock()
    meter, to = Meter(clock), console(terminal=True)
    with progress_view(meter, to, quiet=True) as view:
        work(meter, clock, *view.handlers)

    assert written(to) == ""


def test_a_dumb_terminal_gets_lines() -> None:
    """A terminal that cannot redraw is treated as a log."""
    to = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"})

    assert isinstance(progress_view(Meter(), to), LineProgress)


def test_a_skipped_file_is_named_on_one_line_without_markup_taking_effect() -> None:
    """A name is shown as it is, and cannot pretend to be two lines or colour the screen."""
    to = console(terminal=False)
    with callbacks(SkippedNotice(to)), observe("index") as run:
        run.emit("skipped", Skipped(path="[red]a[/red].md", reason="empty"))
        run.emit("skipped", Skipped(path="a\nb\x1b[31m.md", reason="binary, " + "long " * 30))
        run.emit("other", None)

    first, second = written(to).splitlines()
    assert first == "skipped [red]a[/red].md: empty"
    assert second.startswith(r"skipped 'a\nb\x1b[31m.md': binary")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 ms"), (0.0123, "12 ms"), (1.25, "1.2 s"), (59.94, "59.9 s"), (125, "2 min 5 s")],
)
def test_durations_are_told_in_the_unit_that_suits(seconds: float, text: str) -> None:
    """Milliseconds, seconds or minutes."""
    assert duration(seconds) == text
