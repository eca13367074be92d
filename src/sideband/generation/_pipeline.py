"""Stages between a provider's frames and the consumer: each makes a stream of frames of another. May import streams.

A stage is any function that takes a stream of frames and gives one: an asynchronous generator function, for instance.
Nothing is read ahead, and what a stage leaves out was still seen by hooks, which stand before the first one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable
from typing import Any, TypeAlias

from sideband.generation._frames import Frame
from sideband.streams import Stream

__all__ = ["Stage", "accumulate_text", "filter_frames", "map_frames", "tap_frames", "text_only"]

Stage: TypeAlias = Callable[[Stream[Frame]], AsyncIterable[Frame]]
"""Takes a stream of frames over, and gives another one."""


def map_frames(function: Callable[[Frame], Any]) -> Stage:
    """Make a stage that gives what a function, plain or a coroutine function, makes of each frame; `SKIP` leaves it out."""
    return lambda frames: frames.map(function)


def filter_frames(predicate: Callable[[Frame], object]) -> Stage:
    """Make a stage that gives the frames for which a predicate, plain or a coroutine function, is true."""
    return lambda frames: frames.filter(predicate)


def tap_frames(function: Callable[[Frame], None]) -> Stage:
    """Make a stage that shows each frame to a function, and gives it on."""

    def show(frame: Frame) -> Frame:
        function(frame)
        return frame

    return lambda frames: frames.map(show)


def text_only(frames: Stream[Frame]) -> AsyncIterable[Frame]:
    """Give the text alone: a stage."""
    return frames.filter(lambda frame: frame.kind == "text")


async def accumulate_text(frames: Stream[Frame]) -> AsyncGenerator[Frame]:
    """Give all text as one frame at the end, other frames as they come: a stage."""
    said: list[str] = []
    async with frames:
        async for frame in frames:
            if frame.kind == "text":
                said.append(frame.content)
            else:
                yield frame
    if said:
        yield Frame.text("".join(said))
