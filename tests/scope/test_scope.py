"""Scopes as values: entered, left, looked up."""

from __future__ import annotations

from typing import Any

import pytest

from sideband import add_global_handler, callbacks, component, detached, metadata
from sideband.errors import HandlerRefusedError
from sideband.scope._scope import current_scope, listeners, scope_of
from sideband.testing import Recorder


@component("Lambda")
def work(x: int) -> int:
    """Do nothing."""
    return x


@pytest.mark.parametrize("block", [lambda: callbacks(Recorder()), lambda: metadata(user="u"), detached])
def test_a_block_that_raises_leaves_the_scope_as_it_was(block: Any) -> None:
    """Whatever happens inside, the caller has its own scope afterwards."""
    before = current_scope.get()

    with pytest.raises(LookupError), block():
        raise LookupError

    assert current_scope.get() is before


def test_a_refused_handler_leaves_the_scope_as_it_was() -> None:
    """The good ones given with it are not attached either."""
    before = current_scope.get()

    with pytest.raises(HandlerRefusedError), callbacks(Recorder(), 3):  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        pass

    assert current_scope.get() is before


def test_who_listens_is_worked_out_once_for_a_scope_and_a_registry() -> None:
    """Plans are kept until a global handler comes or goes."""
    with callbacks(Recorder()):
        first = listeners()
        assert listeners() is first
        with add_global_handler(Recorder()):
            second = listeners()
            assert second is not first
            assert listeners() is second
        assert listeners() is not second

    assert listeners() is None


def test_nobody_listens_in_an_empty_scope() -> None:
    """Blocks without handlers cost nothing where no handler is global."""
    with callbacks(), metadata(user="u"):
        assert listeners() is None
    assert scope_of().look() is None


def test_a_registration_is_in_force_at_once_and_until_it_is_removed() -> None:
    """With or without its block; removing twice is harmless."""
    recorder = Recorder()

    registration = add_global_handler(recorder)
    work(1)
    with registration:
        work(2)
    work(3)
    registration.remove()

    assert [run.input for run in recorder.runs()] == [1, 2]


def test_one_handler_registered_twice_stays_until_both_are_removed() -> None:
    """Each registration is its own; the handler is called once a timing all the while."""
    recorder = Recorder()

    with add_global_handler(recorder):
        with add_global_handler(recorder):
            work(1)
        work(2)
    work(3)

    assert [run.input for run in recorder.runs()] == [1, 2]
    assert recorder.timings() == ["on_start", "on_end"] * 2
