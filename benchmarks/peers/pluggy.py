"""pluggy: hooks of plugins. There is no call to watch; the program calls one hook before it and one after."""

from __future__ import annotations

from typing import Any

import pluggy
from benchmarks.harness.work import Counter, Gauge, Work
from benchmarks.peers import _bare as bare
from benchmarks.peers._gauges import importing

TITLE = "pluggy"
DISTRIBUTION = "pluggy"

specification, implementation = pluggy.HookspecMarker("bench"), pluggy.HookimplMarker("bench")


class Specification:
    """The hooks that there are."""

    @specification
    def start(self, value: int) -> None:
        """Before a call."""

    @specification
    def end(self, value: int) -> None:
        """After a call."""

    @specification
    def token(self, value: int) -> None:
        """At a chunk."""


class Count:
    """A plugin that counts."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter

    @implementation
    def start(self, value: int) -> None:
        self.counter.seen += 1

    @implementation
    def end(self, value: int) -> None:
        self.counter.seen += 1

    @implementation
    def token(self, value: int) -> None:
        self.counter.seen += 1


def _hooks(plugins: int, counter: Counter) -> Any:
    manager = pluggy.PluginManager("bench")
    manager.add_hookspecs(Specification)
    for _ in range(plugins):
        manager.register(Count(counter))
    return manager.hook


def call(handlers: int) -> Work:
    """Two hooks called around each call, on plugins: no run, no parents, no errors."""
    counter = Counter()
    hook = _hooks(handlers, counter)

    async def run(count: int) -> None:
        for number in range(count):
            hook.start(value=number)
            hook.end(value=await bare.echo(number))

    return Work(run, bare.repeat, counter, events=2 * handlers)


def call_sync(handlers: int) -> Work:
    """Two hooks called around each call, on plugins: no run, no parents, no errors."""
    counter = Counter()
    hook = _hooks(handlers, counter)

    def run(count: int) -> None:
        for number in range(count):
            hook.start(value=number)
            hook.end(value=bare.echo_sync(number))

    return Work(run, bare.repeat_sync, counter, events=2 * handlers)


def chunk(handlers: int) -> Work:
    """One hook called by the consumer for each chunk: nothing wraps the stream, nothing sees its end."""
    counter = Counter()
    hook = _hooks(handlers, counter)

    async def run(count: int) -> int:
        seen = 0
        async for number in bare.numbers(count):
            hook.token(value=number)
            seen += 1
        return seen

    return Work(run, bare.read, counter, events=handlers)


def import_time(_level: int) -> Gauge:
    """`import pluggy`."""
    return importing("import pluggy")
