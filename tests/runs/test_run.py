"""A run's own fields."""

from __future__ import annotations

import pytest

from sideband import Component, RunLink, callbacks, observe
from sideband.runs import RunInfo
from sideband.testing import Recorder


def test_a_kind_is_found_by_its_value_and_an_unknown_one_lists_them_all() -> None:
    """Kinds are words in the user's code, so a misspelt one has to say what there is."""
    assert Component("ChatModel") is Component.CHAT_MODEL

    with pytest.raises(ValueError, match="'Chat' is not a kind of component; the kinds are: ChatModel"):
        Component("Chat")


def test_a_link_has_the_identity_of_a_run_and_nothing_else() -> None:
    """A frozen value, equal to another link to the same run."""
    with callbacks(Recorder()), observe("served", input="secret") as run:
        link = run.link()

    assert link == RunLink(id=run.id, trace_id=run.trace_id, name="served", component=Component.LAMBDA)
    assert "secret" not in repr(link)
    with pytest.raises(AttributeError):
        link.id = "x"  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]


def test_the_representation_names_the_run_and_hides_its_payloads() -> None:
    """What is logged of a run tells who it is and how it ended."""
    with callbacks(Recorder()), observe("block", component="Tool", input="secret") as run:
        assert repr(run) == f"<Run Tool 'block' {run.id} running>"

    assert repr(run) == f"<Run Tool 'block' {run.id} ok>"
    assert repr(RunInfo("Tool", "name", "Type")) == "RunInfo('Tool', 'name', 'Type')"


def test_a_run_outside_of_graphs_has_no_path() -> None:
    """Its path is that of the innermost graph around it: none."""
    with callbacks(Recorder()), observe("outer"), observe("inner") as run:
        assert run.path == ()
