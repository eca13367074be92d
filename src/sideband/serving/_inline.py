"""Executing a request in its caller, without a server, a queue or other callers."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, final
from weakref import WeakKeyDictionary

from sideband.errors import WrongThreadError
from sideband.serving._call import Call
from sideband.serving._execution import Execution, Surroundings
from sideband.serving._grading import Grading
from sideband.serving._isolate import Attempt
from sideband.serving._model import Blueprint
from sideband.serving._parts import Part
from sideband.serving._policy import BatchPolicy
from sideband.serving._settings import Counters, Settings

__all__ = ["Inline", "InlineRequest"]


@final
class Inline:
    """The model of a serving for requests that need no server; set up at the first of them."""

    __slots__ = ("_function", "_lock", "_locks", "blueprint", "counters", "settings")

    def __init__(self, blueprint: Blueprint, settings: Settings, counters: Counters) -> None:
        """Prepare nothing yet."""
        self.blueprint = blueprint
        self.settings = settings
        self.counters = counters
        self._function: Callable[[Any], Any] | None = None
        self._lock = threading.Lock()
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    def function(self) -> Callable[[Any], Any]:
        """Return the batch function, from a thread that runs no event loop if its setup is asynchronous."""
        with self._lock:
            if self._function is None:
                instance, waiting = self.blueprint.prepare(0)
                if waiting is not None:
                    asyncio.run(_wait(waiting))
                self._function = self.blueprint.function(instance)
            return self._function

    async def function_on_loop(self) -> Callable[[Any], Any]:
        """Return the batch function, set up on the running loop, where it is going to be executed."""
        async with self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            if self._function is None:
                instance, waiting = self.blueprint.prepare(0)
                if waiting is not None:
                    await waiting
                self._function = self.blueprint.function(instance)
            return self._function


async def _wait(awaitable: Any) -> None:
    await awaitable


@final
class InlineRequest:
    """A request that its caller executes, batch by batch.

    In a task, a plain function goes to a worker thread unless the executor is "inline". In a thread
    nothing suspends: a plain function is called, a coroutine function gets a loop of its own.
    """

    __slots__ = ("_around", "_call", "_home", "_inline", "_loop", "_on_loop")

    def __init__(self, inline: Inline, call: Call, around: Surroundings, *, synchronous: bool) -> None:
        """Belong to the calling task, or to the calling thread if it is synchronous.

        Raises:
            WrongThreadError: a coroutine function, synchronously, on a thread whose event loop is running.
        """
        if synchronous and inline.blueprint.asynchronous and asyncio._get_running_loop() is not None:
            raise WrongThreadError(
                inline.settings.name,
                "its coroutine function cannot be executed synchronously on a thread whose event loop is "
                "running; await the method without _sync",
            )
        self._inline = inline
        self._call = call
        self._around = around
        self._loop = None if synchronous else asyncio.get_running_loop()
        self._on_loop = inline.blueprint.asynchronous or inline.settings.executor == "inline"
        self._home = threading.get_ident()

    async def results(self, values: list[Any], grading: Grading) -> list[Any]:
        """Execute the values in batches, one after the other."""
        call, settings = self._call, self._inline.settings
        limits = replace(settings.limits, max_queue=len(values))
        policy: BatchPolicy[Part] = BatchPolicy(limits, keyed=settings.key is not None)
        try:
            policy.offer(grading.parts(call, values, time.monotonic()))
            policy.close()  # nothing more comes: all of it is due
            function = await self._prepare()
            while not call.finished:
                now = time.monotonic()
                [parts] = policy.cut(now, 1)
                for part in parts:
                    part.arrived = now  # it has waited for nobody else
                await self._attempt(Attempt(parts), function)
            return call.outcome()
        finally:
            call.leave()

    async def _attempt(self, first: Attempt, function: Callable[[Any], Any]) -> None:
        waiting = deque([first])
        while waiting and not self._call.finished:
            attempt, now = waiting.popleft(), time.monotonic()
            execution = Execution(attempt, self._around, now=now, partition=0, emit=self._emit)
            await self._execute(execution, function)
            execution.count(self._inline.counters)
            again = [] if execution.error is None else execution.again(time.monotonic())
            waiting.extend(again)
            if not again:
                execution.deliver()

    async def _prepare(self) -> Callable[[Any], Any]:
        context = self._around.context.copy()
        if self._loop is None:
            return context.run(self._inline.function)
        if self._on_loop:
            return await self._loop.create_task(self._inline.function_on_loop(), context=context)
        return await asyncio.to_thread(context.run, self._inline.function)

    async def _execute(self, execution: Execution, function: Callable[[Any], Any]) -> None:
        if self._inline.blueprint.asynchronous:
            running = execution.run_async(function)
            if self._loop is None:
                execution.context.run(asyncio.run, running)
            else:
                await self._loop.create_task(running, context=execution.context)
        elif self._loop is None or self._on_loop:
            execution.run(function)
        else:
            await asyncio.to_thread(execution.run, function)

    def _emit(self, execution: Execution, name: str, payload: list[Any]) -> None:
        if self._loop is None or threading.get_ident() == self._home:
            execution.event(name, payload)
        else:
            # Refused where the loop is closed, and nobody is left to be told.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(execution.event, name, payload)
