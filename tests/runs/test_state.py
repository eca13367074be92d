"""What handlers keep between timings."""

from __future__ import annotations

from typing import Any

import pytest

from sideband import Handler, Run, callbacks, observe
from sideband.runs import State


class Unhashable:
    """Equal to everything, and in no set."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def test_each_handler_has_a_slot_of_its_own_by_identity() -> None:
    """Equal handlers do not share; a handler need not be hashable."""
    state, one, other = State(), Unhashable(), Unhashable()

    state[one]["x"] = 1
    state[other] = "span"

    assert (state[one], state[other]) == ({"x": 1}, "span")
    assert len(state) == 2
    assert list(map(id, state)) == [id(one), id(other)]


def test_looking_whether_a_slot_is_there_does_not_make_it() -> None:
    """Reading makes a mapping, asking does not; deleting what is not there is an error."""
    state, key = State(), Unhashable()

    assert key not in state
    state[key] = 1
    assert key in state
    del state[key]
    assert key not in state
    with pytest.raises(KeyError):
        del state[key]


def test_two_handlers_of_one_class_do_not_share_what_they_keep() -> None:
    """The flaw of a shared key space cannot be had: state is per run and handler."""

    class Keeping(Handler):
        def __init__(self, mark: str) -> None:
            self.mark = mark
            self.seen: list[Any] = []

        def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
            run.state[self]["mark"] = f"{self.mark} {run.name}"

        def on_end(self, run: Run, output: Any) -> None:
            self.seen.append(run.state[self]["mark"])

    one, other = Keeping("one"), Keeping("other")
    with callbacks(one, other), observe("outer"), observe("inner"):
        pass

    assert one.seen == ["one inner", "one outer"]
    assert other.seen == ["other inner", "other outer"]
