"""Where a serving is started: on the caller's event loop, or on one in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import final

from sideband.errors import ServingError, WrongThreadError
from sideband.serving._engine import Engine
from sideband.serving._loop_thread import LoopThread
from sideband.serving._settings import Settings

__all__ = ["Host"]


@final
class Host:
    """Starts and closes one engine at a time; from any thread."""

    __slots__ = ("_lock", "_make", "_name", "_starting", "_thread", "engine")

    def __init__(self, name: str, make: Callable[[], Engine]) -> None:
        """Start nothing yet; `make` gives an engine that belongs to the running loop."""
        self.engine: Engine | None = None
        self._name = name
        self._make = make
        self._lock = threading.Lock()
        self._starting = False
        self._thread: LoopThread | None = None

    async def start(self) -> None:
        """Start on the running loop.

        Raises:
            ServingError: it is started already.
        """
        self._forget_closed_loop()
        with self._lock:
            if self._starting or self.engine is not None:
                raise ServingError(self._name, "already started; close it first, or share the started one")
            self._starting = True
        try:
            engine = self._make()
            await engine.start()
            self.engine = engine
        finally:
            self._starting = False

    async def aclose(self, *, drain: bool) -> None:
        """Close what is started.

        Raises:
            WrongThreadError: called on another loop than that on which it was started.
        """
        self._forget_closed_loop()
        engine = self.engine
        if engine is None:
            return
        if engine.loop is not asyncio.get_running_loop():
            raise WrongThreadError(self._name, "close it on the event loop on which it was started")
        try:
            await engine.aclose(drain=drain)
        finally:
            self._forget(engine)

    def start_sync(self) -> None:
        """Start on a loop in a thread of its own.

        Raises:
            ServingError: it is started already.
        """
        thread = LoopThread(f"sideband-{self._name}-loop")
        try:
            thread.run(self.start())
        except BaseException:
            thread.stop()
            raise
        self._thread = thread

    def aclose_sync(self, *, drain: bool) -> None:
        """Close what `start_sync` started.

        Raises:
            WrongThreadError: it was started on the loop of somebody else, or this is its own loop's thread.
        """
        self._forget_closed_loop()
        engine = self.engine
        if engine is not None and self._thread is None:
            raise WrongThreadError(self._name, "it was started on an event loop; await aclose() there")
        if engine is not None and engine.thread == threading.get_ident():
            raise WrongThreadError(
                self._name, "closing it on the thread of its own loop would wait for itself"
            )
        thread, self._thread = self._thread, None
        if thread is None:
            return
        try:
            thread.run(self.aclose(drain=drain))
        finally:
            thread.stop()

    def configure(self, settings: Settings) -> None:
        """Let what is started go by other options; at once on its own loop, else as soon as that comes to it."""
        engine = self.engine
        if engine is None:
            return
        if engine.thread == threading.get_ident():
            engine.configure(settings)
        else:
            engine.post(engine.configure, settings)

    def _forget_closed_loop(self) -> None:
        # Nobody closed it before its loop ended: its callers there are gone, those elsewhere find out.
        engine = self.engine
        if engine is not None and engine.loop.is_closed():
            engine.stop()
            self._forget(engine)

    def _forget(self, engine: Engine) -> None:
        if self.engine is engine:
            self.engine = None
