"""blinker: signals. There is no call to watch; the program sends one signal before it and one after."""

from __future__ import annotations

from typing import Any

from benchmarks.harness.work import Counter, Gauge, Work
from benchmarks.peers._bare import crowd as bare_crowd
from benchmarks.peers._bare import crowd_of, echo, echo_sync, numbers, pause, read, repeat, repeat_sync
from benchmarks.peers._gauges import importing
from blinker import Signal

TITLE = "blinker"
DISTRIBUTION = "blinker"


def _signals(names: list[str], receivers: int, counter: Counter) -> tuple[list[Signal], list[Any]]:
    """Return signals with so many receivers each, and the receivers, which the signals hold weakly."""
    signals, kept = [Signal(name) for name in names], []
    for _ in range(receivers):

        def receive(sender: object, **values: object) -> None:
            counter.seen += 1

        kept.append(receive)
        for signal in signals:
            signal.connect(receive)
    return signals, kept


def call(handlers: int) -> Work:
    """Two signals sent around each call, to plain functions: no run, no parents, no errors."""
    counter = Counter()
    (start, end), kept = _signals(["start", "end"], handlers, counter)

    async def run(count: int) -> None:
        for number in range(count):
            start.send(None, value=number)
            end.send(None, value=await echo(number))

    return Work(run, repeat, counter, events=2 * handlers, keep=kept)


def call_sync(handlers: int) -> Work:
    """Two signals sent around each call, to plain functions: no run, no parents, no errors."""
    counter = Counter()
    (start, end), kept = _signals(["start", "end"], handlers, counter)

    def run(count: int) -> None:
        for number in range(count):
            start.send(None, value=number)
            end.send(None, value=echo_sync(number))

    return Work(run, repeat_sync, counter, events=2 * handlers, keep=kept)


def crowd(handlers: int) -> Work:
    """Two signals sent around each call, to plain functions: no run, no parents, no errors."""
    counter = Counter()
    (start, end), kept = _signals(["start", "end"], handlers, counter)

    async def watched(number: int) -> None:
        start.send(None, value=number)
        end.send(None, value=await pause(number))

    async def run(count: int) -> None:
        await crowd_of(watched, count)

    return Work(run, bare_crowd, counter, events=2 * handlers, keep=kept)


def chunk(handlers: int) -> Work:
    """One signal sent by the consumer for each chunk: nothing wraps the stream, nothing sees its end."""
    counter = Counter()
    (token,), kept = _signals(["token"], handlers, counter)

    async def run(count: int) -> int:
        seen = 0
        async for number in numbers(count):
            token.send(None, value=number)
            seen += 1
        return seen

    return Work(run, read, counter, events=handlers, keep=kept)


def import_time(_level: int) -> Gauge:
    """`from blinker import Signal`."""
    return importing("from blinker import Signal")


def growth_handlers(handlers: int) -> Work:
    """As the asynchronous call."""
    return call(handlers)
