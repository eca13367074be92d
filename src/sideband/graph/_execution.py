"""One execution of a compiled graph. May import observe, scope and streams; nodes make their runs themselves.

1. A single node that is ready is executed where the one before it was; several at once in tasks of one
   group, which lasts until END is reached. One that fails cancels the others.
2. A node's stream is opened, not read: whoever takes it pulls it. So an execution is over when END was
   given its value or stream, and what is left are streams that the reader of the result pulls.
3. All streams, the input among them, are closed at the end, whoever has read how much of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import CoroutineType
from typing import Any, TypeVar, cast, final

from sideband.components import from_jsonable
from sideband.errors import Interrupted
from sideband.graph._errors import BranchError, InterruptError, NothingLeftError, StepLimitError
from sideband.graph._events import BranchTaken, InputsMerged, NodeSkipped
from sideband.graph._flow import copies, is_stream, merged, stream_of, value_of, values_of
from sideband.graph._intake import stream_for, value_for, wait_for
from sideband.graph._kept import keep
from sideband.graph._mapping import Intake
from sideband.graph._pause import NOWHERE, Pause, Pending, Question, Resume, current_pause
from sideband.graph._plan import Branch, Hook, Node, Plan
from sideband.graph._schedule import END, START, AllOf, Ready, Schedule, Steps
from sideband.graph._state import current_level
from sideband.observe._bound import Bound, Values
from sideband.scope._scope import (
    current,
    current_scope,
    get_current,
    get_current_scope,
    reset_current_scope,
    set_current_scope,
)
from sideband.streams import Stream, from_iterable
from sideband.streams._waits import together

__all__ = ["Execution"]

T = TypeVar("T")

_NOTHING: Any = object()

_PAUSED: Any = object()
"""What a node gives that waits for an answer."""


@final
class Execution:
    """From an input to what END is given."""

    __slots__ = (
        "_group",
        "_open",
        "_pause",
        "_pending",
        "_plan",
        "_result",
        "_resumed",
        "_run",
        "_schedule",
        "_scope",
        "_streaming",
        "resumed",
    )

    def __init__(self, plan: Plan[Any], *, streaming: bool) -> None:
        """Stand in the graph's own run, if it is watched.

        Args:
            plan: the compiled graph.
            streaming: whether a stream is wanted of what reaches END.
        """
        self._plan = plan
        self._streaming = streaming
        self._schedule: Schedule = Steps(plan.edges, plan.max_steps) if plan.cyclic else AllOf(plan.edges)
        self._run = get_current()
        self._scope = get_current_scope()
        self._group: asyncio.TaskGroup | None = None
        self._open: list[Stream[Any]] = []
        self._result: Any = _NOTHING
        # Only a graph that is kept when it waits pays for that.
        self._pause = current_pause.get()
        self._pending: list[Pending] = []
        self._resumed: dict[str, tuple[Any, Pause]] = {}
        self.resumed: Resume | None = None

    async def run(self, value: Any) -> Any:
        """Return the value or the stream that reaches END.

        Raises:
            Interrupted: nodes wait for answers.
            BaseException: what a node raised; several at once as an exception group.
        """
        if self._plan.pause_before and (self._pause is None or self._pause is NOWHERE):
            raise InterruptError("before its nodes without a place to keep it: compile it with checkpoints=…")
        going_on = self._pause is not None and self._resumption(value)
        ready = self._resume(going_on) if going_on else await self._deliver(START, self._kept(value))
        last = START
        while len(ready) == 1:
            last = ready[0].key
            ready = await self._execute(ready[0])
        if ready:
            await self._execute_together(ready)
        if self._pending:
            raise await self._interrupted()
        if self._result is _NOTHING:
            raise NothingLeftError(self._plan.name, last)
        return self._result

    @property
    def opened(self) -> bool:
        """Whether there is a stream to close."""
        return bool(self._open)

    async def aclose(self) -> None:
        """Close all streams that nodes have opened, the last one first."""
        streams, self._open = self._open, []
        for stream in reversed(streams):
            await stream.aclose()

    # -- nodes -----------------------------------------------------------------------------------

    async def _execute_together(self, ready: list[Ready]) -> None:
        async with together() as self._group:
            for each in ready:
                self._group.create_task(self._follow(each))

    async def _follow(self, ready: Ready) -> None:
        group = self._group
        assert group is not None  # noqa: S101 - tasks are made in it alone
        following: list[Ready] = [ready]
        while following:
            ready, *others = following
            for other in others:
                group.create_task(self._follow(other))
            following = await self._execute(ready)

    async def _execute(self, ready: Ready) -> list[Ready]:
        plan, (key, inputs) = self._plan, ready
        if key == END:
            self._result = await self._finish(inputs)
            return []
        node = plan.nodes[key]
        value = None if key in self._resumed else await self._input(node, inputs)
        while True:
            if self._pause is not None:
                output = await self._call_or_pause(node, value)
                if output is _PAUSED:
                    return []
            elif not node.plain:
                output = await self._call(node, value)
            else:  # as `_call`, whose call is felt at each node
                shape, token = node.shape, set_current_scope(self._scope.node(node.key))
                try:
                    output = shape.call(value)
                    if shape.awaits or output.__class__ is CoroutineType:
                        output = await output
                finally:
                    reset_current_scope(token)
            follower = plan.direct.get(node.key)
            if follower is None:
                return await self._deliver(node.key, output)
            if follower == END:
                self._result = await self._finish({node.key: output})
                return []
            node = plan.nodes[follower]
            plain = output.__class__ is not Stream and not node.shape.takes_stream
            value = output if plain else await self._fit(node, output)

    async def _call(self, node: Node, value: Any, *, begun: bool = False) -> Any:
        shape = node.shape
        if node.before is not None and not begun:
            value = await self._before(node.before, node, value)
        scope = self._scope.node(node.key)
        token = set_current_scope(scope)
        try:
            output = shape.call(value)
            if shape.awaits or output.__class__ is CoroutineType:
                output = await output
        finally:
            reset_current_scope(token)
        if shape.gives_stream:
            output = self._opened(output, scope)
        if node.after is not None:
            output = await self._hooked(node.after, await value_of(output))
        return output

    async def _before(self, hook: Hook, node: Node, value: Any) -> Any:
        return await self._fit(node, await self._hooked(hook, await value_of(value)))

    def _opened(self, output: Any, scope: Any) -> Stream[Any]:
        source = output if hasattr(output, "__anext__") else from_iterable(output)
        values: Values = (
            (current, self._run),
            (current_scope, scope),
            (current_level, current_level.get()),
        )
        if self._pause is not None:
            values = (*values, (current_pause, NOWHERE))
        return self._kept(Stream(Bound(source, values)))

    async def _hooked(self, hook: Hook, value: Any) -> Any:
        level = current_level.get()
        assert level is not None  # noqa: S101 - compiling refuses hooks without a state
        async with level as state:
            made = hook(state, value)
            return await made if made.__class__ is CoroutineType else made

    # -- waiting for a human ---------------------------------------------------------------------

    async def _call_or_pause(self, node: Node, value: Any) -> Any:
        """Execute a node that may ask; note that it waits if it does, while the others go on."""
        if node.key in self._resumed:
            value, pause = self._resumed.pop(node.key)
            value = await self._fit(node, value)
        else:
            if node.before is not None:
                value = await self._before(node.before, node, value)
            if node.key in self._plan.pause_before:
                question = Question(self._scope.node(node.key).path, await value_of(value))
                self._pending.append(Pending(node.key, question.question, (question,), paused=True))
                return _PAUSED
            pause = Pause([])
        if node.shape.takes_stream or node.shape.gives_stream or self._pause is NOWHERE:
            pause = NOWHERE
        token = current_pause.set(pause)
        try:
            output = await self._call(node, value, begun=True)
        except Interrupted as error:
            if not pause.asked and error.kept is None:
                reason = f"since a graph waits that {node.key!r} calls itself: make it a node"
                raise InterruptError(reason) from error
            answers = tuple(pause.answers or ())
            self._pending.append(Pending(node.key, value, error.questions, answers, error.kept))
            return _PAUSED
        finally:
            current_pause.reset(token)
        if pause.asked:
            raise InterruptError(f"since {node.key!r} caught the interruption: let `Interrupted` through")
        return output

    def _resumption(self, given: Any) -> Resume | None:
        assert self._pause is not None  # noqa: S101 - looked at before
        return given if given.__class__ is Resume else self._pause.inner

    def _resume(self, resume: Resume) -> list[Ready]:
        """Know what was known when it was interrupted; return the nodes that have got an answer."""
        self.resumed, kept = resume, resume.kept
        self._schedule.restore(from_jsonable(kept["schedule"]))
        if self._plan.state is not None:
            level = current_level.get()
            assert level is not None  # noqa: S101 - whoever calls makes it
            level.state = from_jsonable(kept["state"])
        if self._run is not None and "run" in kept:
            self._run.links = (*self._run.links, resume.link)
        ready: list[Ready] = []
        for key, value, going in resume.pending():
            if isinstance(going, Pending):
                self._pending.append(going)
            else:
                self._resumed[key] = value, going
                ready.append(Ready(key, {}))
        return ready

    async def _interrupted(self) -> Interrupted:
        level, store = current_level.get(), self._pause and self._pause.store
        state = None if self._plan.state is None or level is None else level.state
        error = await keep(
            self._plan, self._pending, self._schedule.snapshot(), state, store=store, run=self._run
        )
        await self.forget()
        return error

    async def forget(self) -> None:
        """Forget what this was resumed from: it is done, or kept anew."""
        resume, store = self.resumed, self._pause and self._pause.store
        if resume is not None and store:
            await asyncio.to_thread(store.delete, resume.id)

    # -- edges -----------------------------------------------------------------------------------

    async def _input(self, node: Node, inputs: dict[str, Any]) -> Any:
        if node.intake is not None:
            return await self._taken(node.intake, inputs, streaming=node.shape.takes_stream)
        if len(inputs) > 1:
            self._tell("merge", InputsMerged(node.key, tuple(inputs)))
        if node.merge is not None:
            made = node.merge(await values_of(inputs))
            value = await made if made.__class__ is CoroutineType else made
        elif len(inputs) == 1:
            (value,) = inputs.values()
        else:
            streams = node.shape.takes_stream or (node.shape.passes and _any_stream(inputs))
            return self._kept(merged(inputs)) if streams else await values_of(inputs)
        return await self._fit(node, value)

    async def _taken(self, intake: Intake, inputs: dict[str, Any], *, streaming: bool) -> Any:
        if intake.depends_on:
            await wait_for(intake, inputs)
        sources = tuple(source for source in inputs if source in intake.takes_from)
        if len(sources) > 1:
            self._tell("merge", InputsMerged(intake.node, sources))
        if streaming:
            return stream_for(intake, self._plan.name, inputs, self._kept)
        return await value_for(intake, self._plan.name, inputs)

    async def _fit(self, node: Node, value: Any) -> Any:
        if node.shape.passes:
            return value
        return self._kept(stream_of(value)) if node.shape.takes_stream else await value_of(value)

    async def _finish(self, inputs: dict[str, Any]) -> Any:
        output = self._plan.output
        if output is not None and not output.whole:
            streaming = self._streaming and _any_stream(inputs)
            return await self._taken(output, inputs, streaming=streaming)
        if len(inputs) == 1:
            (value,) = inputs.values()
            return value if self._streaming else await value_of(value)
        self._tell("merge", InputsMerged(END, tuple(inputs)))
        streams = self._streaming and _any_stream(inputs)
        return self._kept(merged(inputs)) if streams else await values_of(inputs)

    def _kept(self, given: T) -> T:
        """Remember a stream, to be closed at the end; a value is no matter."""
        if is_stream(given):
            self._open.append(given)
        return given

    def _copies(self, given: Any, n: int) -> tuple[Any, ...]:
        return tuple(map(self._kept, copies(given, n)))

    async def _deliver(self, key: str, output: Any) -> list[Ready]:
        always, branches = self._plan.always.get(key, ()), self._plan.branches.get(key, ())
        targets = always
        if branches:
            *asked, output = self._copies(output, len(branches) + 1)
            for branch, own in zip(branches, asked, strict=True):
                targets += await self._choose(branch, own)
        led = tuple(dict.fromkeys(targets))
        takers = led if self._plan.takers is None else self._plan.takers.get(key, ())
        deliveries = dict(zip(takers, self._copies(output, len(takers)), strict=True)) if takers else {}
        ready = self._schedule.done(key, deliveries, led)
        if self._schedule.skipped:
            await self._skip()
        if self._schedule.exhausted:
            raise StepLimitError(self._plan.name, self._plan.max_steps, [each.key for each in ready])
        return ready

    async def _skip(self) -> None:
        skipped, self._schedule.skipped = self._schedule.skipped, []
        unused, self._schedule.unused = self._schedule.unused, []
        for key in skipped:
            self._tell("skip", NodeSkipped(key))
        for given in filter(is_stream, unused):  # nothing has to be kept for who will never read it
            await given.aclose()

    async def _choose(self, branch: Branch, given: Any) -> tuple[str, ...]:
        fitted = self._kept(stream_of(given)) if branch.takes_stream else await value_of(given)
        chosen = branch.condition(fitted)
        if chosen.__class__ is CoroutineType:
            chosen = await chosen
        if is_stream(fitted):  # it has been decided: no more has to be kept for it
            await fitted.aclose()
        targets = tuple(self._target(branch, choice) for choice in _each(chosen))
        self._tell("branch", BranchTaken(branch.source, targets))
        return targets

    def _target(self, branch: Branch, choice: Any) -> str:
        try:
            return branch.targets[choice]
        except (KeyError, TypeError):
            raise BranchError(self._plan.name, branch.source, choice, map(str, branch.targets)) from None

    def _tell(self, event: str, payload: Any) -> None:
        if self._run is not None:
            self._run.emit(event, payload)


def _any_stream(inputs: dict[str, Any]) -> bool:
    return any(is_stream(value) for value in inputs.values())


def _each(chosen: Any) -> tuple[Any, ...]:
    if isinstance(chosen, list | tuple | set | frozenset):
        return tuple(cast("Iterable[Any]", chosen))
    return () if chosen is None else (chosen,)
