"""A compiled graph: what users call. May import observe, scope and streams.

1. Each of the four shapes is a component of its own, whose run is the graph's: which timings it fires
   follows what was called.
2. What surrounds a call is made before its run starts, so that the run's handlers find it: the
   handlers given with the call, and the state.
3. The synchronous twins drive the same coroutines on an event loop of their own, in the caller's thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Mapping,
)
from typing import Any, Generic, Literal, TypeVar, cast, final, overload

from sideband.graph._draw import Direction, mermaid
from sideband.graph._driver import Driver
from sideband.graph._errors import InterruptError, UnknownCheckpointError, UnknownNodeError
from sideband.graph._pause import Pause, Resume, current_pause
from sideband.graph._picture import picture
from sideband.graph._plan import Plan, flatten
from sideband.graph._schedule import END, START
from sideband.graph._shape import Shape
from sideband.graph._shapes import shapes_of
from sideband.graph._state import Level, current_level
from sideband.handlers import HandlerLike, entries
from sideband.observe._bound import Bound, Values
from sideband.runs import Component, Run
from sideband.scope._scope import current_scope, restore
from sideband.streams import Stream, from_iterable

__all__ = ["Runnable"]

In = TypeVar("In")
Out = TypeVar("Out")


@final
class Runnable(Generic[In, Out]):
    """A compiled graph, chain or workflow; it never changes, and can be called any number of times at once.

    Order: nodes that are ready at the same time are executed at the same time, as tasks; functions
        that are no coroutine functions run on the event loop, so one that blocks belongs in a thread.
    Cancellation: cancels the nodes that are going on; all of them end before the graph does.
    Closing: closing the stream that a call gave closes those of the nodes behind it.
    Threads: the coroutines on any event loop, the methods with the suffix `_sync` in any thread that runs none.
    """

    __slots__ = ("_gives", "_kind", "_plan", "_shapes", "_takes")

    def __init__(self, plan: Plan[Any], kind: Component, types: tuple[Any, Any]) -> None:
        """Stand on what `compile` has checked."""
        self._plan = plan
        self._kind = kind
        self._takes, self._gives = types
        self._shapes = shapes_of(plan, kind, plan.name)

    @property
    def name(self) -> str:
        """The graph's name."""
        return self._plan.name

    @property
    def nodes(self) -> tuple[tuple[str, ...], ...]:
        """The path of each node, those of graphs inside of this one too: what `at` can name."""
        return tuple(flatten(self._plan.nodes))

    @overload
    def draw(
        self,
        *,
        runs: Iterable[Run] = (),
        format: Literal["mermaid", "svg"] = "mermaid",
        direction: Direction = "TD",
    ) -> str: ...
    @overload
    def draw(
        self,
        *,
        runs: Iterable[Run] = (),
        format: Literal["png"],
        direction: Direction = "TD",
    ) -> bytes: ...
    def draw(
        self,
        *,
        runs: Iterable[Run] = (),
        format: Literal["mermaid", "svg", "png"] = "mermaid",  # noqa: A002
        direction: Direction = "TD",
    ) -> str | bytes:
        """Draw the graph; graphs inside of it are boxes, branches dotted and labelled with what is chosen.

        Args:
            runs: of one call, a `Recorder`'s for instance: each node then shows how long it took, how often it
                was executed, and how that ended. A node that was not executed is drawn pale.
            format: the text of a Mermaid flowchart, which many a page and editor shows as a picture; or that
                picture as SVG text, or PNG bytes, drawn by Mermaid itself without a browser.
            direction: top to bottom, or left to right.

        Cost: a picture takes about a second the first time, for its library is loaded then.

        Raises:
            MissingExtraError: a picture is wanted, and `sideband[draw]` is not installed.
            ValueError: there is no such format, or direction.
        """
        return picture(mermaid(self._plan, runs, direction), format)

    def __repr__(self) -> str:
        """Show the kind, the name and how many nodes there are."""
        return f"<Runnable {self._kind.value} {self.name!r}, {len(self._plan.nodes)} nodes>"

    async def invoke(self, input: In, *, callbacks: Iterable[HandlerLike] = ()) -> Out:  # noqa: A002
        """Execute the graph with a value, and return its output as a value.

        Args:
            input: what the nodes after START are given.
            callbacks: handlers of this call, those at nodes too; innermost first.

        Raises:
            UnknownNodeError: a handler is attached at a path that names no node.
            HandlerRefusedError: a handler could not work.
            NothingLeftError: no branch led to END.
            StepLimitError: END was not reached in `max_steps` steps.
            BaseException: what a node raised, the same object; several nodes' as an exception group.
        """
        return cast("Out", await self._within(self._shapes.invoke, input, callbacks))

    def stream(self, input: In, *, callbacks: Iterable[HandlerLike] = ()) -> Stream[Any]:  # noqa: A002
        """Execute the graph with a value, and return its output as a stream.

        Nothing is executed before the first pull. An output that is no stream is one chunk. Pulling
        raises what `invoke` does.

        Raises:
            UnknownNodeError: a handler is attached at a path that names no node.
            HandlerRefusedError: a handler could not work.
        """
        return self._bound(self._shapes.stream(input), callbacks)

    async def collect(
        self,
        input: AsyncIterable[Any] | Iterable[Any],  # noqa: A002
        *,
        callbacks: Iterable[HandlerLike] = (),
    ) -> Out:
        """Execute the graph with a stream, and return its output as a value; otherwise as `invoke`.

        The input is closed at the end, whoever has read how much of it.
        """
        return cast("Out", await self._within(self._shapes.collect, from_iterable(input), callbacks))

    def transform(
        self,
        input: AsyncIterable[Any] | Iterable[Any],  # noqa: A002
        *,
        callbacks: Iterable[HandlerLike] = (),
    ) -> Stream[Any]:
        """Execute the graph with a stream, and return its output as a stream; otherwise as `stream`.

        Nodes that can stream pass chunks on as they come: the first output may leave before the last
        input has come. The input is closed at the end, whoever has read how much of it.
        """
        return self._bound(self._shapes.transform(from_iterable(input)), callbacks)

    def invoke_sync(self, input: In, *, callbacks: Iterable[HandlerLike] = ()) -> Out:  # noqa: A002
        """As `invoke`, in a thread that runs no event loop.

        Cost: an event loop, some 0.1 ms a call, however many nodes there are.

        Raises:
            RuntimeError: the thread runs an event loop, which would wait for itself.
        """
        with Driver("invoke") as driver:
            return cast("Out", driver.run(self.invoke(input, callbacks=callbacks)))

    def stream_sync(
        self,
        input: In,  # noqa: A002
        *,
        callbacks: Iterable[HandlerLike] = (),
    ) -> Generator[Any, None, None]:
        """As `stream`, in a thread that runs no event loop; the graph advances while it is pulled.

        Raises:
            RuntimeError: the thread runs an event loop, which would wait for itself.
        """
        with Driver("stream") as driver:
            yield from driver.chunks(self.stream(input, callbacks=callbacks))

    def collect_sync(self, input: Iterable[Any], *, callbacks: Iterable[HandlerLike] = ()) -> Out:  # noqa: A002
        """As `collect`, in a thread that runs no event loop.

        Raises:
            RuntimeError: the thread runs an event loop, which would wait for itself.
        """
        with Driver("collect") as driver:
            return cast("Out", driver.run(self.collect(input, callbacks=callbacks)))

    def transform_sync(
        self,
        input: Iterable[Any],  # noqa: A002
        *,
        callbacks: Iterable[HandlerLike] = (),
    ) -> Generator[Any, None, None]:
        """As `transform`, in a thread that runs no event loop; the graph advances while it is pulled.

        Raises:
            RuntimeError: the thread runs an event loop, which would wait for itself.
        """
        with Driver("transform") as driver:
            yield from driver.chunks(self.transform(input, callbacks=callbacks))

    async def resume(
        self,
        id: str,  # noqa: A002
        answer: Any = None,
        *,
        answers: Mapping[str, Any] | None = None,
        callbacks: Iterable[HandlerLike] = (),
    ) -> Out:
        """Go on with a graph that was interrupted, and return its output as a value.

        Nodes that were done are not executed again, and the state is as it was. The run is a new one, with a link to the
        one that was interrupted. What is kept is forgotten when it has ended well; after an error, or if the
        process is killed, it can be resumed again.

        Args:
            id: of the `Interrupted`.
            answer: to the only question.
            answers: in place of it, by the questions' ids; those that are left out are asked again.
            callbacks: handlers of this call.

        Raises:
            Interrupted: there are further questions.
            UnknownCheckpointError: nothing is kept by the id.
            CheckpointError: it is another graph's, or damaged.
            AnswerError: an answer is to no question, or there are several questions and one answer.
            BaseException: as for `invoke`.
        """
        given = await self._resumption(id, answer, answers)
        return cast("Out", await self._within(self._shapes.invoke, given, callbacks))

    async def resume_stream(
        self,
        id: str,  # noqa: A002
        answer: Any = None,
        *,
        answers: Mapping[str, Any] | None = None,
        callbacks: Iterable[HandlerLike] = (),
    ) -> Stream[Any]:
        """As `resume`, with the output as a stream; nothing is executed before its first pull."""
        return self._bound(self._shapes.stream(await self._resumption(id, answer, answers)), callbacks)

    def resume_sync(
        self,
        id: str,  # noqa: A002
        answer: Any = None,
        *,
        answers: Mapping[str, Any] | None = None,
        callbacks: Iterable[HandlerLike] = (),
    ) -> Out:
        """As `resume`, in a thread that runs no event loop.

        Raises:
            RuntimeError: the thread runs an event loop, which would wait for itself.
        """
        with Driver("resume") as driver:
            return cast("Out", driver.run(self.resume(id, answer, answers=answers, callbacks=callbacks)))

    def __sideband_node__(self, name: str) -> Shape:
        """Say how it is called as a node: with a stream if its first nodes take one, and likewise its output."""
        plan = self._plan
        first = [plan.nodes[key].shape for key in plan.edges.followers[START] if key != END]
        last = [plan.nodes[key].shape for key in plan.edges.sources[END] if key != START]
        takes_stream = any(shape.takes_stream for shape in first)
        gives_stream = any(shape.gives_stream for shape in last)
        shapes = shapes_of(plan, self._kind, plan.name or name)
        if gives_stream:
            opened = shapes.transform if takes_stream else shapes.stream

            def call(given: Any) -> Any:
                return self._bound(opened(given), (), inside=True)
        else:
            waiting = shapes.collect if takes_stream else shapes.invoke

            def call(given: Any) -> Any:
                return self._within(waiting, given, (), inside=True)

        return Shape(call, self._takes, takes_stream, self._gives, gives_stream, not gives_stream, plan)

    async def _resumption(self, key: str, answer: Any, answers: Mapping[str, Any] | None) -> Resume:
        plan = self._plan
        if plan.checkpoints is None:
            raise InterruptError("without a place where it is kept: compile it with checkpoints=…")
        text = await asyncio.to_thread(plan.checkpoints.load, key)
        if text is None:
            raise UnknownCheckpointError(plan.name, key)
        return Resume.read(plan.name, plan.digest(), key, text, answer=answer, answers=answers)

    # -- what surrounds a call -------------------------------------------------------------------

    async def _within(
        self,
        call: Callable[[Any], Awaitable[Any]],
        given: Any,
        callbacks: Iterable[HandlerLike],
        *,
        inside: bool = False,
    ) -> Any:
        tokens = [
            (variable, variable.set(value)) for variable, value in self._surroundings(callbacks, inside)
        ]
        try:
            return await call(given)
        finally:
            for variable, token in tokens:
                restore(variable, token)

    def _bound(
        self, source: AsyncGenerator[Any, Any], callbacks: Iterable[HandlerLike], *, inside: bool = False
    ) -> Stream[Any]:
        values = self._surroundings(callbacks, inside)
        return Stream(Bound(source, values) if values else source)

    def _surroundings(self, callbacks: Iterable[HandlerLike], inside: bool) -> Values:
        values: Values = ()
        handlers = tuple(callbacks)
        if handlers:
            self._check(handlers)
            values = ((current_scope, current_scope.get().attach(*handlers)),)
        if self._plan.state is not None:
            values = (*values, (current_level, Level(self._plan.state(), current_level.get())))
        if not inside:  # a node's graph is kept with the one around it; one that is called by hand is not
            store = self._plan.checkpoints
            if store is not None or current_pause.get() is not None:
                values = (*values, (current_pause, None if store is None else Pause(store=store)))
        return values

    def _check(self, handlers: tuple[HandlerLike, ...]) -> None:
        paths = {entry.path for entry in entries(*handlers)} - {()}
        unknown = paths.difference(self.nodes) if paths else ()
        for path in unknown:
            raise UnknownNodeError(self.name, path, map("/".join, self.nodes))
