"""The order and number of events, case by case beside what Eino's graphs do.

The numbers are those of the statements on Eino's timings (1-14), order of handlers (15-22), runs of graphs and of
nodes (115-128), and handlers at nodes (129-143); what is said of both sides is in our words. An event is who was
told, of which run, and when in it; what a scenario itself notes stands between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from sideband.graph import StepLimitError, UnknownNodeError

from .played import (
    GRAPH,
    Changing,
    Ends,
    Every,
    Five,
    Log,
    Looking,
    Play,
    Slow,
    Values,
    alternatives,
    between,
    blocks,
    called_otherwise,
    closed_twice,
    counted,
    endless,
    fail,
    given_twice,
    in_node,
    merging,
    nesting,
    never_read,
    one_failing,
    onion,
    placed,
    raising,
    read_aloud,
    row,
    taken_in_part,
    tools,
    unwatched,
    waiting,
    watched,
    with_state,
)
from .test_runs import collectable, invokable, nested, one, streamable, transformable

SAME = "the same"


@dataclass(frozen=True)
class Statement:
    """A fact about Eino, what became of it, and a scenario that shows it, or why none could."""

    number: int
    there: str
    here: str
    play: Play | None = None
    expected: str = ""
    silent: str = ""

    def __str__(self) -> str:
        return str(self.number)


STATEMENTS = (
    Statement(
        1, "five timings", "these, and two more: each chunk, each named event",
        watched(one(counted), Every, shape="stream"),
        "graph start | node start | node chunk | graph chunk | node chunk | graph chunk | node end | graph end",
    ),
    Statement(
        2, "one start, one ending at most, by convention", "exactly one ending, which the run itself sees to",
        raising(LookupError, watched(row(a=invokable, b=fail), Five)),
        "graph start | a start | a end | b start | b error | graph error",
    ),
    Statement(
        3, "what the node natively takes decides its start", SAME,
        watched(one(collectable), Five), "graph start | node start stream | node end | graph end",
    ),
    Statement(
        4, "what the node natively gives decides its ending", SAME,
        watched(one(transformable), Five), "graph start | node start stream | node end stream | graph end",
    ),
    Statement(
        5, "a streamed output is told when it is there, before any chunk", SAME,
        read_aloud, "graph start | graph end stream | node start | node end stream | read 1 | read 2",
    ),
    Statement(
        6, "nothing tells of chunks, or of a stream that is closed early", "on_chunk; closed is an outcome",
        taken_in_part, "graph start | node start | node chunk | graph chunk | node closed | graph closed",
    ),
    Statement(
        7, "a handler that cannot be asked is called at every timing", "what it overrides is all that it is told",
        watched(one(streamable), lambda log, _: Ends(log), shape="stream"), "node end | graph end",
    ),
    Statement(
        8, "without handlers nothing is fired, and values pass untouched", SAME, unwatched, "untouched | 1",
    ),
    Statement(
        9, "an ending fired twice is told twice", "a run ends once, however often it is closed",
        closed_twice, "graph start | node start | node closed | graph closed",
    ),
    Statement(
        10, "an ending can come before a start", "what was never begun has no ending", never_read,
    ),
    Statement(
        11, "handlers change neither input nor output", SAME,
        in_node(Changing), "graph start | node start | given 1 in node | node end | graph end",
    ),
    Statement(
        12, "handlers are called inline: a slow one delays the run", "the same, and asynchronous ones are awaited",
        in_node(Slow), "graph start | node start | given 1 in node | node end | graph end",
    ),
    Statement(
        13, "a handler fails by a panic alone, which ends the program", "it is logged; the run, and the others, go on",
        one_failing,
        "graph start | node start | node end | failing node end | graph end | failing graph end",
    ),
    Statement(
        14, "the body gets the context that the start returned, of later ones nobody does",
        "handlers return nothing; the body finds its run as the current one",
        in_node(Ends), "given 1 in node | node end | graph end",
    ),
    Statement(
        15, "handlers of the call in their order, then global ones in theirs", SAME,
        raising(LookupError, onion(fail, "A")),
        "G2 graph start | G1 graph start | A graph start | G2 node start | G1 node start | A node start"
        " | A node error | G1 node error | G2 node error | A graph error | G1 graph error | G2 graph error",
    ),
    Statement(
        16, "starts are told from the last one to the first, all else forwards", SAME,
        watched(one(invokable), names="A B"),
        "B graph start | A graph start | B node start | A node start"
        " | A node end | B node end | A graph end | B graph end",
    ),
    Statement(
        17, "G2, G1, D, B, A at a node's start; A, B, D, G1, G2 at its end", SAME,
        onion(invokable, "A", "B", designated=True),
        "G2 graph start | G1 graph start | B graph start | A graph start"
        " | G2 node start | G1 node start | D node start | B node start | A node start"
        " | A node end | B node end | D node end | G1 node end | G2 node end"
        " | A graph end | B graph end | G1 graph end | G2 graph end",
    ),
    Statement(
        18, "global ones are outermost, not first everywhere, as its documentation has it", "the same, as documented",
        onion(invokable),
        "G2 graph start | G1 graph start | G2 node start | G1 node start"
        " | G1 node end | G2 node end | G1 graph end | G2 graph end",
    ),
    Statement(
        19, "the order is said not to be guaranteed, and is fixed", "it is fixed, and documented: as they were given",
        blocks,
        "B graph start | A graph start | B node start | D node start | A node start"
        " | A node end | D node end | B node end | A graph end | B graph end",
    ),
    Statement(
        20, "timings of streams have the same order", SAME,
        watched(one(transformable), Five, "A B", "collect"),
        "B graph start stream | A graph start stream | B node start stream | A node start stream"
        " | A node end stream | B node end stream | A graph end | B graph end",
    ),
    Statement(
        21, "handlers of the outer run are inside of those given to a nested one", SAME,
        nesting(more="B"),
        "A graph start | A caller start | B inner start | A inner start | B x start | A x start"
        " | A x end | B x end | A inner end | B inner end | A caller end | A graph end",
    ),
    Statement(
        22, "a handler given twice is called twice", "it is called once",
        given_twice, "graph start | node start | node end | graph end",
    ),
    Statement(
        115, "the graph's state is there at its start", SAME,
        with_state(invokable, Looking), "graph start {'made': 1} | node start {'made': 1}",
    ),
    Statement(
        116, "the graph's end comes when its result is known, its stream of inputs is copied at the start", SAME,
        watched(one(collectable), Five, shape="collect"),
        "graph start stream | node start stream | node end | graph end",
    ),
    Statement(
        117, "stream tells the graph's two timings of streams", "a plain start, since its input is a value",
        watched(one(invokable), Five, shape="stream"),
        "graph start | graph end stream | node start | node end",
    ),
    Statement(
        118, "collect tells the graph's two timings of streams", "a plain end, since its output is a value",
        watched(one(invokable), Five, shape="collect"),
        "graph start stream | node start | node end | graph end",
    ),
    Statement(
        119, "invoke tells the graph's plain timings, and what a node inside natively does", SAME,
        watched(one(streamable), Five), "graph start | node start | node end stream | graph end",
    ),
    Statement(
        120, "a node that takes a value starts when its input is put together", SAME,
        merging, "graph start | making start | made 1 | made 2 | making end | node start | node end | graph end",
    ),
    Statement(
        121, "a node's start tells what the hook before it made of its input", SAME,
        with_state(invokable, Values, before=lambda _, x: x + 1),
        "graph start 1 | node start 2 | node end 2 | graph end 2",
    ),
    Statement(
        122, "a node's end tells its output, before the hook after it", SAME,
        with_state(invokable, Values, after=lambda _, x: x + 2),
        "graph start 1 | node start 1 | node end 1 | graph end 3",
    ),
    Statement(
        123, "passthroughs, branches and merges tell nothing", "a passthrough is a run, the others are events of the graph's",
        between,
        "graph start | p start | p end | graph BranchTaken | graph NodeSkipped | a start | a end | graph InputsMerged | graph end",
    ),
    Statement(
        124, "what is around a tool is not seen, nor the call that it answers itself",
        "who approves is inside of the tool's run, so that a call that is denied is one",
        tools("tell", approved="no"),
        "graph start | tools start | tell start | tell error | tools end | graph end",
    ),
    Statement(
        125, "aliases and arguments are dealt with before the tool's start", "the run has the name that the model used",
        tools("alias"),
        "graph start | tools start | alias start | alias error | tools end | graph end",
    ),
    Statement(
        126, "after resuming, tools that were done are not told of", "they are executed again, and told of",
        tools("tell", "ask_back"),
        "graph start | tools start | tell start | tell end | ask_back start | ask_back interrupted"
        " | tools interrupted | graph interrupted | resumed | graph start | tools start | tell start | tell end"
        " | ask_back start | ask_back end | tools end | graph end",
    ),
    Statement(
        127, "a graph called in a node inherits handlers, with a fresh context none", "the same, with `detached`",
        nesting(apart=True), "A graph start | A caller start | A caller end | A graph end",
    ),
    Statement(
        128, "handlers passed on to it again are told twice", "they are told once",
        nesting(again=True),
        "A graph start | A caller start | A inner start | A x start"
        " | A x end | A inner end | A caller end | A graph end",
    ),
    Statement(
        129, "a handler without a path is told of the graph and of all that is below", SAME,
        watched(nested()),
        "outer start | first start | first end | inner start | x start | x end | y start | y end | inner end"
        " | outer end",
    ),
    Statement(
        130, "a key is that of a node of the outermost graph", SAME,
        placed(row(sub=GRAPH, x=invokable), "x"),
        "A graph start | A inner start | A x start | A x end | A inner end | D x start | A x start"
        " | A x end | D x end | A graph end",
    ),
    Statement(
        131, "at a graph in a graph: told of its run, and of all inside", SAME,
        placed(row(sub=GRAPH), "sub"),
        "A graph start | D inner start | A inner start | D x start | A x start"
        " | A x end | D x end | A inner end | D inner end | A graph end",
    ),
    Statement(
        132, "at a path into a graph in a graph: told of that node alone", SAME,
        placed(row(sub=GRAPH), "sub/x"),
        "A graph start | A inner start | D x start | A x start | A x end | D x end | A inner end | A graph end",
    ),
    Statement(
        133, "several paths are alternatives, and a node matches once", "the same, with an `at` for each path",
        alternatives, "a start | a end | b start | b end",
    ),
    Statement(
        134, "a handler at a node is not told of the outermost graph", SAME,
        placed(one(invokable), "node"),
        "A graph start | D node start | A node start | A node end | D node end | A graph end",
    ),
    Statement(
        135, "a path that names no node fails the run: start and error of the graph", "nothing is begun",
        raising(UnknownNodeError, placed(one(invokable), "node/x")),
    ),
    Statement(
        136, "paths have the keys of nodes, runs their names", "the same; a run's path has the keys, too",
        called_otherwise, "name start | name end",
    ),
    Statement(
        137, "at a tools node: told of its tools, too", SAME,
        tools("tell", path="node"), "tools start | tell start | tell end | tools end",
    ),
    Statement(
        138, "options go to all nodes whose type of options they have", "calls take none for their nodes",
        silent="what a component is to be told is in its input, or bound to it when the graph is built",
    ),
    Statement(
        139, "options for all and for one node come in the order given, and the later one wins", "as for 138",
        silent="there are no options, and so none that win",
    ),
    Statement(
        140, "an option of a type that its node does not have is an error", "as for 138",
        silent="there are no options, and so none that do not fit",
    ),
    Statement(
        141, "the most steps are said by the call", "by `compile`; more steps are the graph's error",
        raising(StepLimitError, endless),
        "graph start | node start | node end | node start | node end | graph error",
    ),
    Statement(
        142, "a new run in place of a kept one has to be asked for, in the last option", "every call is a new run",
        waiting(anew=True),
        "graph start | done start | done end | asking start | asking interrupted | graph interrupted | then"
        " | graph start | done start | done end | asking start | asking interrupted | graph interrupted",
    ),
    Statement(
        143, "the call says by which id it is kept and read, the last one wins",
        "the id comes with `Interrupted`, and `resume` takes it",
        waiting(anew=False),
        "graph start | done start | done end | asking start | asking interrupted | graph interrupted | then"
        " | graph start | asking start | asking end | graph end",
    ),
)  # fmt: skip
"""Each statement of the four sections, by its number."""


@pytest.mark.parametrize("statement", [each for each in STATEMENTS if each.play], ids=str)
async def test_the_events_are_these_in_this_order(statement: Statement) -> None:
    """No more and no fewer."""
    assert statement.play is not None
    log = Log()

    await statement.play(log)

    assert log.seen == [event for event in statement.expected.split(" | ") if event]


def test_every_statement_is_in_the_table_once() -> None:
    """None is forgotten."""
    assert [each.number for each in STATEMENTS] == [*range(1, 23), *range(115, 144)]


@pytest.mark.parametrize("statement", STATEMENTS, ids=str)
def test_a_statement_is_shown_or_there_is_a_reason(statement: Statement) -> None:
    """And both sides are told."""
    assert statement.there
    assert statement.here
    assert (statement.play is None) == bool(statement.silent)
