"""What is wrong with a workflow, and where it is told.

The numbers are those of the statements on Eino's workflows.
"""

from __future__ import annotations

from typing import Any

import pytest

from sideband.graph import END, START, GraphBuildError, Workflow, field, static

from .mapped import Question, named, same, typed


@pytest.mark.parametrize("path", ["", "a..b", ".a", "__class__", "a._private", ("",)])
def test_a_path_has_public_steps_alone(path: Any) -> None:
    """It is refused where it is written."""
    with pytest.raises(ValueError, match="names no public field"):
        field("n", path)


@pytest.mark.parametrize("inputs", [3, ["a"], {"a": 3}, {1: "a"}, {("a", 1): "b"}, {2.5: "a"}])
def test_what_is_no_source_is_refused(inputs: Any) -> None:
    """So are places that are no names."""
    with pytest.raises(TypeError):
        Workflow[Any, Any]().add_node("n", same, inputs=inputs)


def problems(workflow: Workflow[Any, Any]) -> tuple[str, ...]:
    """Return what is wrong with a workflow."""
    with pytest.raises(GraphBuildError) as raised:
        workflow.compile()
    return raised.value.problems


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (
            {"a": START, ("a",): static(1)},
            "'n' takes two things at 'a': what 'START' gives and a static value",
        ),
        (
            {"": START, "a": field(START, "x")},
            "'n' takes two things at 'a', inside of the whole: what 'START' gives and 'x' of 'START'",
        ),
        (
            {"a": START, "a.b": field(START, "x")},
            "'n' takes two things at 'a.b', inside of 'a': what 'START' gives and 'x' of 'START'",
        ),
    ],
)
def test_two_things_for_one_place_are_a_problem(inputs: Any, expected: str) -> None:
    """224: two mappings, whole plus field, a static value plus a mapping."""
    assert problems(Workflow[Any, Any]().add_node("n", same, inputs=inputs).output("n")) == (expected,)


def test_all_problems_are_told_at_once() -> None:
    """224, 229: of every kind, each with its nodes."""
    workflow = Workflow[Question, str]("bad")
    workflow.add_node("a", named, inputs={"b": field(START, "txt"), "c": static(1)})
    workflow.add_node("b", typed, inputs=field("a", "x"), depends_on=["nobody", END])
    workflow.add_branch("b", bool, {True: "a", False: "no one"}).add_branch("gone", bool, [])
    workflow.output({"x": "b", "x.y": "b"})

    assert [problem.split(";")[0] for problem in problems(workflow)] == [
        "'b' depends on 'nobody', but there is no node 'nobody'",
        "'b' depends on END, which nothing comes after",
        "the branch after 'b' leads to 'no one', but there is no such node",
        "a branch leaves 'gone', but there is no node 'gone'",
        "the branch after 'gone' has no targets",
        "'a' is given 'c', which it does not take",
        "'a' takes 'a', which nothing is mapped to",
        "'END' takes two things at 'x.y', inside of 'x': what 'b' gives and what 'b' gives",
    ]


def length(value: str) -> int:
    return len(value)


def test_fields_and_types_that_surely_do_not_fit_are_problems() -> None:
    """229: as far as annotations tell."""
    workflow = Workflow[Question, str]("typed")
    workflow.add_node("length", length, inputs=field(START, "options.k"))
    workflow.add_node("gone", same, inputs=field(START, "options.kk"))
    workflow.add_node("made", typed, inputs={"text": "length", "options.k": field(START, "text")})
    workflow.add_node("named", named, inputs={"a": "gone", "b": "made"})
    workflow.output("length", depends_on=["named"])

    assert problems(workflow) == (
        "'options.k' of 'START' is int, but 'length' takes str",
        "'gone' takes 'options.kk' of 'START', but Options has no field 'kk'; it has: 'k', 'tags'",
        "what 'length' gives is int, but 'made' takes str as 'text'",
        "'text' of 'START' is str, but 'made' takes int as 'options.k'",
        "what 'length' gives is int, but 'END' takes str",
    )


def test_an_empty_workflow_lacks_both_ends() -> None:
    """It says what to add."""
    assert problems(Workflow()) == (
        "nothing follows START; let a node take from it",
        "nothing leads to END; say what the workflow gives with output(…)",
    )


def test_nodes_that_wait_for_one_another_are_a_problem() -> None:
    """A workflow has no cycles, of order neither."""
    workflow = Workflow[Any, Any]().add_node("a", same, inputs=START, depends_on="b")
    workflow.add_node("b", same, inputs="a").output("b")

    assert "nodes wait for one another" in problems(workflow)[0]


def test_a_node_that_nothing_comes_of_is_a_problem() -> None:
    """One that is there for its effects is what the output depends on."""
    workflow = Workflow[Any, Any]().add_node("a", same, inputs=START).add_node("audit", print, inputs="a")
    workflow.output("a")

    assert problems(workflow) == ("no path leads from 'audit' to END; what it gives would be lost",)
    assert workflow.output(None, depends_on="audit").compile().invoke_sync(1) == 1
