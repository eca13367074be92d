"""Workflows: graphs whose nodes say themselves what they take from whom. May import what is below."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Generic, Self, TypeVar, cast, get_args

from sideband.graph._checkpoints import Checkpoints
from sideband.graph._draft import Draft, compiled
from sideband.graph._mapping import Inputs, Intake, intake_of, part_of
from sideband.graph._plan import Condition, Hook
from sideband.graph._retry import Retry
from sideband.graph._runnable import Runnable
from sideband.graph._schedule import END
from sideband.graph._types import UNKNOWN
from sideband.runs import Component

__all__ = ["Workflow"]

In = TypeVar("In")
Out = TypeVar("Out")


class Workflow(Generic[In, Out]):
    """Nodes that say what they take: whole outputs of others, fields of them, static values.

    ```python
    workflow = Workflow[Question, str]("answer")
    workflow.add_node("search", search, inputs={"query": field(START, "text"), "top_k": static(3)})
    workflow.add_node("write", write, inputs={"question": START, "documents": "search"})
    workflow.output(field("write", "message.content"))
    answer = workflow.compile()
    ```

    A node is executed once, when all those whom it takes something from, or depends on, are done or were
    skipped; it is skipped if all whom it takes something from were. Branches control, and carry no data: a node
    that branches may choose is executed if one of them does, whatever data has come.
    """

    def __init__(self, name: str = "", *, state: Callable[[], Any] | None = None) -> None:
        """Start empty.

        Args:
            name: of the workflow's runs; "workflow" by default, as a node its key.
            state: called for each run, without arguments, for an object that nodes and hooks share.
        """
        self._draft = Draft(name=name, state=state)
        self._outputs: list[Intake] = []

    def add_node(
        self,
        key: str,
        component: Any,
        *,
        inputs: Inputs | None = None,
        depends_on: Iterable[str] = (),
        name: str | None = None,
        before: Hook | None = None,
        after: Hook | None = None,
        retry: Retry | None = None,
    ) -> Self:
        """Add a node.

        Args:
            key: unique in the workflow; in paths, for `at`, and what others take from.
            component: what is executed. If it has parameters with the names of its inputs, it is called
                with those; else with one mapping, or with the dataclass, named tuple or typed dictionary
                that its parameter is annotated as.
            inputs: a node's key, or START, for all that it gives; `field(key, "path.to.it")`; `static(value)`; or a
                mapping of these by where they go: "options.k" is the entry "k" of the entry "options". None
                for nothing: the component is given None.
            depends_on: nodes that have to be done before it, their streams read, without giving it anything.
            name: of its runs, if it is no component that has a name; the key by default.
            before: given the state and the node's input, before its run starts; returns the input.
            after: given the state and the node's output, after its run has ended; returns the output.
            retry: whether it is executed again if it fails; not for nodes that take or give a stream.

        Raises:
            TypeError: the component cannot be called with what it is to take, or something in `inputs` is no source.
            ValueError: a path has an empty step, or a private one.
        """
        intake = intake_of(key, inputs, depends_on)
        self._draft.add(key, component, name=name, before=before, after=after, intake=intake, retry=retry)
        return self

    def add_branch(
        self, source: str, condition: Condition, targets: Iterable[str] | Mapping[Any, str]
    ) -> Self:
        """Let a function choose which nodes are executed; they are given what their inputs say.

        Args:
            source: the node, or START.
            condition: as for a branch of a graph, of all that `source` gave.
            targets: as for a branch of a graph. END among them ends nothing by itself, it only lets the
                workflow end without the others.
        """
        if isinstance(targets, Mapping):
            self._draft.add_branch(source, condition, cast("Mapping[Any, str]", targets))
        else:
            self._draft.add_branch(source, condition, {target: target for target in targets})
        return self

    def output(self, inputs: Inputs | None, *, depends_on: Iterable[str] = ()) -> Self:
        """Say what the workflow gives: `inputs` and `depends_on` as for a node.

        Raises:
            TypeError: something in `inputs` is no source.
            ValueError: a path has an empty step, or a private one.
        """
        self._outputs.append(intake_of(END, inputs, depends_on))
        return self

    def compile(
        self, *, checkpoints: Checkpoints | None = None, pause_before: Iterable[str] = ()
    ) -> Runnable[In, Out]:
        """Check the workflow, and return what can be called.

        Args:
            checkpoints: where it is kept when a node waits for a human's answer (`interrupt`).
            pause_before: keys of nodes before which it waits for an answer, whatever that is; the question is their input.

        Raises:
            GraphBuildError: with every problem that was found, each naming its nodes.
        """
        types = get_args(getattr(self, "__orig_class__", None))
        output = self._output()
        gives = types[1] if len(types) == 2 else UNKNOWN
        output = replace(output, part=part_of(output, None, gives))
        draft = replace(self._draft.with_edges((source, END) for source in output.sources), output=output)
        plan, found = compiled(
            draft, types, Component.WORKFLOW, checkpoints=checkpoints, pause_before=pause_before
        )
        return Runnable(plan, Component.WORKFLOW, found)

    def _output(self) -> Intake:
        """Return what all calls of `output` say together."""
        together = Intake(END, (), (), ())
        for one in self._outputs:
            together = replace(
                together,
                taken=together.taken + one.taken,
                statics=together.statics + one.statics,
                depends_on=together.depends_on + one.depends_on,
            )
        return together

    def __repr__(self) -> str:
        """Show the kind, the name and how many nodes there are."""
        return f"<Workflow {self._draft.name!r}, {len(self._draft.nodes)} nodes>"
