"""What a frame costs: made, through `wrap_stream` and through `Runtime` under hooks, over the provider's bare generator.

    python benchmarks/generation.py
    python benchmarks/generation.py --repetitions 61 --frames 20000

Every repetition visits every case once, in a fresh order, so that the drift of a noisy machine spreads
over all of them; the figure is the least CPU time of a case less that of the bare generator. What the hooks
have to see is counted before anything is timed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import platform
import random
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from sideband import Handler, HandlerLike, Run
from sideband.generation import (
    Frame,
    GenerateEndInfo,
    GenerationHook,
    Request,
    ResponseMeta,
    Runtime,
    compose,
    wrap_stream,
)

LIMIT = 1.5
LIMIT_OF_MAKING = 0.3


class Frames(GenerationHook):
    """Wants every frame."""

    def __init__(self) -> None:
        self.seen = 0

    def on_frame(self, frame: Frame, elapsed: float) -> None:
        self.seen += 1


class Ends(GenerationHook):
    """Wants the end alone."""

    def __init__(self) -> None:
        self.seen = 0

    def on_generate_end(self, info: GenerateEndInfo) -> None:
        self.seen += 1


class Chunks(Handler):
    """Wants every chunk of every run."""

    def on_chunk(self, run: Run, chunk: object) -> None:
        pass


async def provider(frames: list[Frame]) -> AsyncIterator[Frame]:
    """Be as cheap as a provider can be."""
    for frame in frames:
        yield frame


class Replay:
    """Answers with a stream that there is."""

    def __init__(self, stream: AsyncIterator[Frame]) -> None:
        self.stream = stream

    def generate(self, request: Request) -> AsyncIterator[Frame]:
        return self.stream


@dataclass
class Case:
    """One way to read a stream of frames."""

    name: str
    hooks: list[Frames | Ends] = field(default_factory=list)
    attached: HandlerLike | None = None
    bare: bool = False
    runtime: bool = False
    each: int = 0
    """How many calls the hooks have to see for each frame."""
    limit: float | None = None
    times: list[float] = field(default_factory=list)

    async def run(self, frames: list[Frame]) -> float:
        """Return the CPU seconds of reading them."""
        stream = provider(frames)
        watched: AsyncIterator[Frame] = stream
        if self.runtime:
            hooks = [] if self.attached is None else [self.attached]
            watched = Runtime(Replay(stream), hooks=hooks).generate("a")
        elif not self.bare:
            watched = wrap_stream(stream, self.attached, model="m", provider="p")
        started = time.process_time()
        async for _ in watched:
            pass
        return time.process_time() - started


def cases() -> list[Case]:
    """Return the bare generator, and what may stand around it."""
    one, three, ends, through = Frames(), [Frames(), Frames(), Frames()], Ends(), Frames()
    return [
        Case("the bare generator", bare=True),
        Case("nobody listens"),
        Case("one hook for frames", [one], one, each=1, limit=LIMIT),
        Case("three hooks for frames", [*three], compose(*three), each=3),
        Case("one hook for the end", [ends], ends),
        Case("a handler for chunks", attached=Chunks()),
        Case("runtime, nobody listens", runtime=True),
        Case("runtime, one hook", [through], through, runtime=True, each=1, limit=LIMIT),
    ]


def check(runner: asyncio.Runner, found: list[Case], frames: list[Frame]) -> None:
    """Count what the hooks see."""
    for case in found:
        runner.run(case.run(frames))
        seen = sum(hook.seen for hook in case.hooks)
        expected = case.each * (len(frames) - 1) or len(case.hooks)
        if seen != expected:
            sys.exit(f"{case.name}: expected {expected} calls, saw {seen}")


def making(count: int, repetitions: int) -> float:
    """Return the least CPU microseconds of making a text frame, the loop's own taken off."""
    text, least, empty = Frame.text, 1e9, 1e9
    for _ in range(repetitions):
        started = time.process_time()
        for _ in range(count):
            pass
        between = time.process_time()
        for _ in range(count):
            text("token")
        least = min(least, time.process_time() - between)
        empty = min(empty, between - started)
    return (least - empty) / count * 1e6


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=5000, help="frames of one stream")
    parser.add_argument("--repetitions", type=int, default=31, help="samples of each case")
    parser.add_argument("--seed", type=int, default=7, help="of the order of the samples")
    options = parser.parse_args()
    shuffled = random.Random(options.seed)
    frames = [Frame.text("token")] * options.frames + [Frame.response(ResponseMeta("m-1", "stop", "r"))]
    found = cases()
    with asyncio.Runner() as runner:
        check(runner, found, frames)
        gc.collect()
        gc.freeze()
        for _ in range(options.repetitions):
            for case in shuffled.sample(found, len(found)):
                gc.collect()
                case.times.append(runner.run(case.run(frames)) / options.frames * 1e6)
    report(found, making(options.frames, options.repetitions))


def report(found: list[Case], made: float) -> None:
    """Print the least CPU time of each case, and what it is over the bare generator."""
    bare = min(found[0].times)
    print(
        f"Python {platform.python_version()}, microseconds of CPU time a frame, the least of {len(found[0].times)}\n"
    )
    print(f"{'case':<24} {'least':>8} {'over bare':>10} {'limit':>7}")
    print(f"{'making a frame of text':<24} {made:8.3f} {'':>10} {LIMIT_OF_MAKING:7.2f}")
    for case in found:
        least = min(case.times)
        over = "" if case.bare else f"{least - bare:10.2f}"
        limit = f"{case.limit:7.2f}" if case.limit is not None else ""
        print(f"{case.name:<24} {least:8.3f} {over:>10} {limit}".rstrip())


if __name__ == "__main__":
    main()
