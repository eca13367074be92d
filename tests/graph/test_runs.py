"""Which events a graph and its nodes fire, for whom, in which order.

The cases are those of Eino's graphs; where ours differ the docstring says how.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sideband import Handler, Run, add_global_handler, at, callbacks, component, compose, only
from sideband.errors import HandlerRefusedError
from sideband.graph import END, START, Graph, Runnable, UnknownNodeError
from sideband.testing import Recorder, check_lifecycle


class Five(Handler):
    """Notes the five timings; lets its copies of streams be."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def _note(self, timing: str) -> Callable[[Run, Any], None]:
        return lambda run, _: self.seen.append(f"{run.name} {timing}")

    def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
        self._note("start")(run, input)

    def on_start_with_stream_input(self, run: Run, stream: Any) -> None:
        self._note("start stream")(run, stream)

    def on_end(self, run: Run, output: Any) -> None:
        self._note("end")(run, output)

    def on_end_with_stream_output(self, run: Run, stream: Any) -> None:
        self._note("end stream")(run, stream)

    def on_error(self, run: Run, error: BaseException) -> None:
        self._note("error")(run, error)


def invokable(x: Any) -> Any:
    return x


async def streamable(x: Any) -> AsyncIterator[Any]:
    yield x


async def collectable(chunks: AsyncIterator[Any]) -> Any:
    return [chunk async for chunk in chunks][-1]


async def transformable(chunks: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for chunk in chunks:
        yield chunk


def one(node: Any) -> Runnable[Any, Any]:
    """Make a graph "graph" of one node "node"."""
    return (
        Graph[Any, Any]("graph")
        .add_node("node", node)
        .add_edge(START, "node")
        .add_edge("node", END)
        .compile()
    )


NODES = {
    # What a node natively does decides its timings, whatever the graph is called with (there: 3 and 4).
    invokable: ("start", "end"),
    streamable: ("start", "end stream"),
    collectable: ("start stream", "end"),
    transformable: ("start stream", "end stream"),
}

CALLS = {
    # The graph's own timings follow the call. There stream and collect both fire the two stream timings (117, 118).
    "invoke": ("start", "end"),
    "stream": ("start", "end stream"),
    "collect": ("start stream", "end"),
    "transform": ("start stream", "end stream"),
}


async def call(graph: Runnable[Any, Any], shape: str, **options: Any) -> None:
    """Call a graph in one of its shapes, and read what it gives."""
    given: Any = iter([1]) if shape in {"collect", "transform"} else 1
    result = getattr(graph, shape)(given, **options)
    await (result.collect() if shape in {"stream", "transform"} else result)


@pytest.mark.parametrize("given", [True, False], ids=["with the call", "in a block"])
@pytest.mark.parametrize("shape", CALLS)
@pytest.mark.parametrize("node", NODES)
async def test_the_five_timings_follow_what_is_native(
    node: Callable[..., Any], shape: str, given: bool
) -> None:
    """Every node in every call: one start and one ending each, the graph's outside of the node's.

    A streamed output of the graph opens once its last node was reached, and the node's at its first
    pull; there both open before anything is read (5).
    """
    five = Five()

    if given:
        await call(one(node), shape, callbacks=[five])
    else:
        with callbacks(five):
            await call(one(node), shape)

    (node_start, node_end), (start, end) = NODES[node], CALLS[shape]
    # A copy of a streamed output tells the ending, so opening it is the last that this handler is told of.
    assert sorted(five.seen) == sorted(
        [f"node {node_start}", f"node {node_end}", f"graph {start}", f"graph {end}"]
    )
    assert five.seen[0] == f"graph {start}"


@pytest.mark.parametrize("shape", CALLS)
async def test_every_run_ends_before_its_graph(shape: str) -> None:
    """There a graph may end while nodes go on, whose events come later (159)."""
    graph = Graph[Any, Any]("graph")
    for key, node in (("a", streamable), ("b", collectable), ("c", transformable), ("d", invokable)):
        graph.add_node(key, node).add_edge(START, key).add_edge(key, END)
    recorder = Recorder()

    with callbacks(recorder):
        await call(graph.compile(), shape)

    check_lifecycle(recorder)
    assert list(recorder)[-1].run.name == "graph"


class Order(Handler):
    """Notes in a shared list who was called for a node."""

    def __init__(self, name: str, seen: list[str]) -> None:
        self.name = name
        self.seen = seen

    def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
        if run.path:
            self.seen.append(f"{self.name} start")

    def on_end(self, run: Run, output: Any) -> None:
        if run.path:
            self.seen.append(f"{self.name} end")


async def test_handlers_of_a_node_are_called_as_an_onion() -> None:
    """Global ones outermost, then in the order given, those at a node among the others (there: 17)."""
    seen: list[str] = []
    first, second, a, b, d = (Order(name, seen) for name in ("G1", "G2", "A", "B", "D"))

    with add_global_handler(first), add_global_handler(second):
        await one(invokable).invoke(1, callbacks=[a, b, at("node", d)])

    assert seen == [f"{name} start" for name in ("G2", "G1", "D", "B", "A")] + [
        f"{name} end" for name in ("A", "B", "D", "G1", "G2")
    ]


async def test_a_handler_given_twice_is_called_once() -> None:
    """There twice a timing (22, 128)."""
    recorder = Recorder()

    with callbacks(recorder):
        await one(invokable).invoke(1, callbacks=[recorder, at("node", recorder)])

    assert [run.name for run in recorder.runs()] == ["graph", "node"]


def nested() -> Runnable[Any, Any]:
    """Make a graph with a graph "sub" as a node, which has the nodes "x" and "y"."""
    sub = Graph[Any, Any]("inner").add_node("x", invokable).add_node("y", streamable)
    sub.add_edge(START, "x").add_edge("x", "y").add_edge("y", END)
    graph = Graph[Any, Any]("outer").add_node("first", invokable).add_node("sub", sub.compile())
    graph.add_edge(START, "first").add_edge("first", "sub").add_edge("sub", END)
    return graph.compile()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("first",), [("first",)]),  # one node (130)
        (("sub",), [("sub",), ("sub", "x"), ("sub", "y")]),  # a graph in a graph and all inside (131)
        (("sub", "x"), [("sub", "x")]),  # that inner node alone (132)
    ],
)
@pytest.mark.parametrize("shape", CALLS)
async def test_a_handler_at_a_node_sees_that_node(
    path: tuple[str, ...], expected: list[tuple[str, ...]], shape: str
) -> None:
    """Never the graph around it (134), in every shape of a call."""
    recorder = Recorder()

    await call(nested(), shape, callbacks=[at(*path, recorder)])

    check_lifecycle(recorder)
    assert [run.path for run in recorder.runs()] == expected


async def test_parents_and_paths_follow_the_graphs() -> None:
    """Also for streams, which are pulled by whoever reads them."""
    recorder = Recorder()

    async for _ in nested().stream(1, callbacks=[recorder]):
        pass

    found = {run.name: (run.parent.name if run.parent else None, run.path) for run in recorder.runs()}
    assert found == {
        "outer": (None, ()),
        "first": ("outer", ("first",)),
        "inner": ("outer", ("sub",)),
        "x": ("inner", ("sub", "x")),
        "y": ("inner", ("sub", "y")),
    }


@pytest.mark.parametrize("path", [("nope",), ("first", "x"), ("sub", "nope")])
@pytest.mark.parametrize("shape", CALLS)
async def test_a_path_that_names_no_node_is_an_error_that_lists_the_nodes(
    path: tuple[str, ...], shape: str
) -> None:
    """Before anything runs; there the graph fires a start and an error (135)."""
    recorder = Recorder()

    with pytest.raises(UnknownNodeError, match="'first', 'sub', 'sub/x', 'sub/y'") as raised:
        await call(
            nested(), shape, callbacks=[compose(recorder, only(at(*path, recorder), component="Tool"))]
        )

    assert raised.value.path == path
    assert not recorder.runs()


async def test_a_handler_that_cannot_work_is_refused_before_anything_runs() -> None:
    """As everywhere."""
    with pytest.raises(HandlerRefusedError):
        await nested().invoke(1, callbacks=[3])  # type: ignore[list-item] # pyright: ignore[reportArgumentType]


async def test_a_component_that_observes_itself_is_not_observed_twice() -> None:
    """It keeps its own name, and has the node's path."""

    @component("Retriever", name="store")
    async def find(query: str) -> list[str]:
        return [query]

    recorder = Recorder()
    await one(find).invoke("a", callbacks=[recorder])

    assert [(run.component, run.name, run.path) for run in recorder.runs()] == [
        ("Graph", "graph", ()),
        ("Retriever", "store", ("node",)),
    ]


async def test_a_graph_called_in_a_node_is_inside_of_it() -> None:
    """Handlers are inherited, its own paths go on behind the node's (there: 127)."""
    inner = one(invokable)

    async def ask(x: Any) -> Any:
        return await inner.invoke(x, callbacks=[at("node", near)])

    near, far = Recorder(), Recorder()
    with callbacks(at("node", "node", far)):
        await one(ask).invoke(1)

    assert [run.path for run in near.runs()] == [run.path for run in far.runs()] == [("node", "node")]


async def test_a_node_that_merges_a_broken_stream_has_no_start() -> None:
    """What it was to be given never came; the producer and the graph end with the error (there: 100)."""

    async def breaking(x: Any) -> AsyncIterator[Any]:
        yield x
        raise LookupError

    graph = Graph[Any, Any]("graph").add_node("breaking", breaking).add_node("node", invokable)
    graph.add_edge(START, "breaking").add_edge("breaking", "node").add_edge("node", END)
    recorder = Recorder()

    with pytest.raises(LookupError):
        await graph.compile().invoke(1, callbacks=[recorder])

    check_lifecycle(recorder)
    assert {run.name: str(run.outcome) for run in recorder.runs()} == {"graph": "error", "breaking": "error"}
