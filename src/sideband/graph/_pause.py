"""Nodes that wait for a human's answer: how they ask, and what is kept of a graph until the answer comes.

May import errors, runs, scope and components. Nothing is executed here.

1. `interrupt` in a node raises `Interrupted`, which ends the node's run with that outcome. The others that are ready go on
   to their ends; then the graph ends in the same way, with all questions.
2. What is kept is JSON: which nodes are done, what they gave to those that are not, and the state. Nothing that is read
   from a file can execute code: values of known classes alone are made of it.
3. When the answer comes the node is executed anew, and `interrupt` gives the answer. A node that asks several times is
   given its answers in their order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, final

from sideband.components import from_jsonable, to_jsonable
from sideband.errors import Interrupted, SerialisationError
from sideband.graph._checkpoints import Checkpoints
from sideband.graph._errors import AnswerError, CheckpointError, InterruptError
from sideband.runs import Component, RunLink
from sideband.scope._scope import get_current_scope

__all__ = [
    "NOWHERE",
    "VERSION",
    "Pause",
    "Pending",
    "Question",
    "Resume",
    "current_pause",
    "encoded",
    "interrupt",
]

VERSION = 1
"""Of the form in which a paused graph is kept."""


@final
@dataclass(frozen=True, slots=True)
class Question:
    """What a node waits for."""

    path: tuple[str, ...]
    """The node's keys, from the outermost graph."""
    question: Any
    """What it asked."""

    @property
    def id(self) -> str:
        """The path as text: what an answer is given for, where there are several questions."""
        return "/".join(self.path)


@final
@dataclass(slots=True)
class Pause:
    """What the body of a node finds: whether it may ask, and the answers that it has got."""

    answers: list[Any] | None = None
    """In the order of its questions; None where nothing may be asked."""
    inner: Resume | None = None
    """Of a graph that is a node: how it goes on."""
    store: Checkpoints | None = None
    """Of the outermost graph: where it is kept."""
    asked: bool = False
    """Whether it has asked what there is no answer to."""
    used: int = 0

    def ask(self, question: Any) -> Any:
        """Return the next answer.

        Raises:
            Interrupted: there is none yet.
            InterruptError: nothing may be asked here.
        """
        if self.answers is None:
            raise InterruptError("here: ask in a node that takes and gives values, not streams")
        if self.used < len(self.answers):
            self.used += 1
            return self.answers[self.used - 1]
        self.asked = True
        raise Interrupted((Question(get_current_scope().path, question),))


NOWHERE = Pause()
"""Where nothing may be asked: outside of nodes, and in the bodies of streams."""

current_pause: ContextVar[Pause | None] = ContextVar("sideband_graph_pause", default=None)


def interrupt(question: Any = None) -> Any:
    """Ask a human from inside of a node, and return the answer.

    The first time this ends the node's run, and the graph's, with the outcome interrupted; the caller gets `Interrupted`
    with the question. When the graph is resumed the node is executed again from its beginning, and this returns the
    answer: so what the node does before should bear to be done twice. Several questions of one node are answered one
    after the other.

    Args:
        question: whatever the human has to see; numbers, text, lists, mappings, values of `sideband.components`.

    Raises:
        Interrupted: there is no answer yet; let it through.
        InterruptError: the graph was compiled without `checkpoints`, or this is no node that takes and gives values.
    """
    pause = current_pause.get()
    if pause is None:
        raise InterruptError("without a place to keep the graph: compile it with checkpoints=…")
    return pause.ask(question)


@final
@dataclass(frozen=True, slots=True)
class Pending:
    """A node that waits."""

    node: str
    value: Any
    """The input of its run."""
    questions: tuple[Question, ...]
    answers: tuple[Any, ...] = ()
    """To its questions before these."""
    inner: Any = None
    """What is kept of a graph that is a node."""
    paused: bool = False
    """Whether it has not begun: the graph pauses before it."""

    def kept(self) -> dict[str, Any]:
        """Return it as JSON."""
        if self.inner is not None:
            return {"node": self.node, "value": encoded(self.node, self.value), "inner": self.inner}
        (question,) = self.questions
        return {
            "node": self.node,
            "value": encoded(self.node, self.value),
            "path": list(question.path),
            "question": encoded(self.node, question.question),
            "answers": encoded(self.node, list(self.answers)),
            "paused": self.paused,
        }


def encoded(node: str, value: Any) -> Any:
    """Return a value as JSON.

    Raises:
        InterruptError: it has no form in JSON.
    """
    try:
        return to_jsonable(value)
    except SerialisationError as error:
        message = (
            f"what {node!r} needs to go on, since {error}; a dataclass of your own can be kept once it is "
        )
        raise InterruptError(message + "decorated with sideband.components.serialisable") from error


@final
@dataclass(frozen=True, slots=True)
class Resume:
    """How a graph that was interrupted goes on: the input of a resumed run, as handlers see it."""

    id: str
    """Of what is kept."""
    answers: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """By the ids of questions."""
    kept: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    """What is kept of the graph."""

    def pending(self) -> Iterator[tuple[str, Any, Pause | Pending]]:
        """Give each node that waits with its input, and either how it goes on or that it goes on waiting."""
        for kept in self.kept["pending"]:
            value = from_jsonable(kept["value"])
            questions = tuple(open_questions({"pending": [kept]}))
            answered = any(question.id in self.answers for question in questions)
            if "inner" in kept:
                inner = Resume(self.id, self.answers, kept["inner"])
                waiting = Pending(kept["node"], value, questions, inner=kept["inner"])
                yield kept["node"], value, Pause([], inner) if answered else waiting
            else:
                (question,) = questions
                answers = tuple(from_jsonable(kept["answers"]))
                waiting = Pending(kept["node"], value, questions, answers, paused=bool(kept["paused"]))
                # What a graph pauses before has asked nothing.
                own = () if waiting.paused else (*answers, self.answers.get(question.id))
                yield kept["node"], value, Pause(list(own)) if answered else waiting

    @property
    def link(self) -> RunLink:
        """The run that was interrupted; only what is kept of the outermost graph knows it, if it was watched."""
        run = self.kept["run"]
        return RunLink(
            id=str(run["id"]),
            trace_id=str(run["trace_id"]),
            name=str(run["name"]),
            component=Component(run["component"]),
        )

    @classmethod
    def read(
        cls, graph: str, digest: str, key: str, text: str, *, answer: Any, answers: Mapping[str, Any] | None
    ) -> Resume:
        """Read what is kept; look whether it is of this graph, and the answers are to its questions.

        Raises:
            CheckpointError: it is another graph's, another version's, or damaged.
            AnswerError: an answer is to no question, or there are several questions and one answer.
        """
        try:
            kept = json.loads(text)
            reason = _stranger(graph, digest, kept)
            there = [] if reason else [question.id for question in open_questions(kept)]
            if answers is None and len(there) == 1:
                answers = {there[0]: answer}
            resume = cls(key, answers or {}, kept)
            _ = reason or (list(resume.pending()), "run" in kept and resume.link)
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise CheckpointError(graph, key, f"it is damaged: {error!r}") from error
        if reason:
            raise CheckpointError(graph, key, reason)
        if not resume.answers or set(resume.answers) - set(there):
            raise AnswerError(graph, resume.answers, there)
        return resume


def _stranger(graph: str, digest: str, kept: Any) -> str:
    if kept["version"] != VERSION:
        return f"its form is of version {kept['version']!r}, not {VERSION}"
    if kept["graph"] != graph or kept["plan"] != digest:
        return f"it is of the graph {kept['graph']!r} with other nodes or edges"
    return ""


def open_questions(kept: Mapping[str, Any]) -> Iterator[Question]:
    """Give the questions of a graph that is kept, those of graphs inside of it too."""
    for pending in kept["pending"]:
        if "inner" in pending:
            yield from open_questions(pending["inner"])
        else:
            yield Question(tuple(map(str, pending["path"])), from_jsonable(pending["question"]))
