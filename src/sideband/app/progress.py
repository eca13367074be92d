"""Progress for a person: live bars on a terminal, a line now and then elsewhere. May import the core and the meter.

The meter counts; what is here looks at it, some ten times a second on a terminal. So the events of
thousands of chunks cost additions, and the drawing costs the same at any rate.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self, final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from sideband import Handler, Run
from sideband.app.corpus import Skipped
from sideband.app.meter import Meter

__all__ = ["LineProgress", "LiveProgress", "SkippedNotice", "View", "numbers", "progress_view"]

_DRAWS_PER_SECOND = 10
_LINE_SECONDS = 3.0


class View(Protocol):
    """A way to show progress: a context manager, and handlers that it wants to be told of the runs."""

    @property
    def handlers(self) -> tuple[Handler, ...]: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


def progress_view(meter: Meter, console: Console, *, quiet: bool = False) -> View:
    """Return the view that suits the console."""
    if quiet:
        return NoProgress()
    live = console.is_terminal and not console.is_dumb_terminal
    return LiveProgress(meter, console) if live else LineProgress(meter, console)


@final
class SkippedNotice(Handler):
    """Names each file that is skipped."""

    def __init__(self, console: Console) -> None:
        """Say where to."""
        self._console = console

    def on_event(self, run: Run, name: str, payload: Any) -> None:  # noqa: ARG002
        if name == "skipped" and isinstance(payload, Skipped):
            # As text and on one line: a name may hold markup, or a line break.
            path = payload.path if payload.path.isprintable() else repr(payload.path)
            self._console.print(Text(f"skipped {path}: {payload.reason}"), style="yellow", soft_wrap=True)


class _Passive:
    @property
    def handlers(self) -> tuple[Handler, ...]:
        return ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing is open."""


@final
class NoProgress(_Passive):
    """Shows nothing."""


@final
class LiveProgress(_Passive):
    """Bars for files and chunks and a line of numbers, redrawn in place by a thread of rich's.

    Closing: leaves the last state on the screen.
    """

    def __init__(self, meter: Meter, console: Console) -> None:
        """Take the numbers to show and the terminal to show them on."""
        self._meter = meter
        self._bars = Progress(
            TextColumn("{task.description:<7}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=console,
            expand=True,
        )
        self._files = self._bars.add_task("files", total=None)
        self._chunks = self._bars.add_task("chunks", total=None)
        self._live = Live(
            console=console, get_renderable=self.render, refresh_per_second=_DRAWS_PER_SECOND, transient=False
        )

    def render(self) -> RenderableType:
        """Return the present state as it is drawn."""
        meter = self._meter
        self._bars.update(self._files, completed=meter.files_read, total=meter.files or None)
        self._bars.update(self._chunks, completed=meter.chunks, total=meter.chunks_expected or None)
        # Where nothing has changed there is nothing to wait for.
        self._bars.update(self._chunks, visible=meter.files_read < meter.files or meter.chunks_found > 0)
        return Group(
            self._bars.get_renderable(), Text(numbers(meter), style="dim", no_wrap=True, overflow="ellipsis")
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()


@final
class LineProgress(_Passive, Handler):
    """A line every few seconds, for logs."""

    def __init__(
        self, meter: Meter, console: Console, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """Take the numbers to show, where to, and a clock in seconds."""
        self._meter = meter
        self._console = console
        self._clock = clock
        self._next = clock() + _LINE_SECONDS

    @property
    def handlers(self) -> tuple[Handler, ...]:
        return (self,)

    def on_event(self, run: Run, name: str, payload: Any) -> None:  # noqa: ARG002
        if self._clock() < self._next:
            return
        self._next = self._clock() + _LINE_SECONDS
        meter = self._meter
        about = "" if meter.files_read >= meter.files else "about "
        line = (
            f"files {meter.files_read:,} of {meter.files:,} · "
            f"chunks {meter.chunks:,} of {about}{meter.chunks_expected:,} · {numbers(meter)}{_time_left(meter)}"
        )
        self._console.print(Text(line), soft_wrap=True)


def numbers(meter: Meter) -> str:
    """Return rate, tokens, batch size and queue time in one line."""
    return (
        f"{meter.rate:,.0f} chunks/s · {meter.tokens:,} tokens · "
        f"mean batch {meter.mean_batch_size:.1f} · queued {duration(meter.mean_queue_time)}"
    )


def duration(seconds: float) -> str:
    """Return a duration in the unit that suits it."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def _time_left(meter: Meter) -> str:
    left = meter.chunks_expected - meter.chunks
    return f" · {duration(left / meter.rate)} left" if left > 0 and meter.rate > 0 else ""
